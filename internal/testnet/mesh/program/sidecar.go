//go:build linux

package program

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"sync"
	"time"
)

// The ports on which Istio's rules have a sidecar listen.
const (
	OutboundPort = 15001
	InboundPort  = 15006
)

// A Sidecar is a proxy in the way of all that its pod's applications say and hear, as Envoy is in Istio's: what the
// rules bring it is dialled anew, outbound an endpoint of the service that was asked for, inbound the application,
// from an address that the rules know. It must run as the user and group that the rules leave alone.
type Sidecar struct {
	// one hop's connections are kept and shared by the other's requests
	HTTP        bool `json:",omitempty"`
	Transparent bool `json:",omitempty"` // listens for TPROXY; takes CAP_NET_ADMIN
	// reaches its application at 127.0.0.1, as before Istio 1.10
	Loopback bool `json:",omitempty"`
	// of services, by address:port; others are dialled as they are
	Endpoints map[string][]netip.AddrPort `json:",omitempty"`
}

// A proxy is a Sidecar at work.
type proxy struct {
	Sidecar
	count    *counter
	mu       sync.Mutex
	turns    map[netip.AddrPort]int // by service
	outbound http.Handler
	inbound  http.Handler
}

// A way is what a proxy has to know of an accepted connection.
type way struct {
	inbound  bool
	original netip.AddrPort
}

func (s Sidecar) start(count *counter) error {
	return (&proxy{Sidecar: s, count: count, turns: make(map[netip.AddrPort]int)}).start()
}

func (p *proxy) start() error {
	p.outbound, p.inbound = p.handler(false), p.handler(true)
	for _, port := range []uint16{OutboundPort, InboundPort} {
		listeners, err := listen(port, p.Transparent)
		if err != nil {
			return fmt.Errorf("listen as a sidecar: %w", err)
		}
		for _, l := range listeners {
			if p.HTTP {
				go p.serveHTTP(l, port)
			} else {
				go acceptEach(l, func(c *net.TCPConn) { p.pass(c, port) })
			}
		}
	}
	return nil
}

// look finds out what an accepted connection is for. TPROXY leaves the local address as it was; Istio 1.8 brings
// inbound connections to the outbound port with it.
func look(c *net.TCPConn, port uint16) (way, error) {
	original, err := originalDestination(c)
	return way{inbound: port == InboundPort || addrPort(c.LocalAddr()).Port() != port, original: original}, err
}

// pass carries a connection as it is.
func (p *proxy) pass(c *net.TCPConn, port uint16) {
	w, err := look(c, port)
	if err != nil {
		c.Close()
		return
	}
	down := p.count.accepted(c, port, w.original)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	up, err := p.dial(ctx, w.inbound, p.choose(w))
	if err != nil {
		_ = c.SetLinger(0) // the client is to see a reset, not an answer of nothing
		down.Close()
		return
	}
	relay(down, up)
}

// choose returns where to dial: the endpoints of a service in turn.
func (p *proxy) choose(w way) netip.AddrPort {
	endpoints := p.Endpoints[w.original.String()]
	if w.inbound || len(endpoints) == 0 {
		return w.original
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turns[w.original]++
	return endpoints[p.turns[w.original]%len(endpoints)]
}

func (p *proxy) dial(ctx context.Context, inbound bool, to netip.AddrPort) (countedConn, error) {
	var from netip.Addr
	switch {
	case inbound && p.Loopback:
		to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), to.Port())
	case inbound && to.Addr().Is4():
		from = netip.AddrFrom4([4]byte{127, 0, 0, 6})
	case inbound:
		from = netip.AddrFrom16([16]byte{15: 6})
	}
	c, err := dial(ctx, from, to)
	if err != nil {
		return countedConn{}, err
	}
	return p.count.dialled(c), nil
}

type wayKey struct{}

// serveHTTP serves requests, each to wherever its connection was going.
func (p *proxy) serveHTTP(l *net.TCPListener, port uint16) {
	server := http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Context().Value(wayKey{}).(way).inbound {
				p.inbound.ServeHTTP(w, r)
				return
			}
			p.outbound.ServeHTTP(w, r)
		}),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			w, err := look(c.(countedConn).tcp, port)
			if err != nil {
				c.Close()
			}
			return context.WithValue(ctx, wayKey{}, w)
		},
	}
	_ = server.Serve(countingListener{l, p.count, port})
}

// handler passes requests on over connections that are kept, each way with its own.
func (p *proxy) handler(inbound bool) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host = p.choose(r.In.Context().Value(wayKey{}).(way)).String()
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 100,
			DisableCompression:  true,
			DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
				to, err := netip.ParseAddrPort(address)
				if err != nil {
					return nil, err
				}
				c, err := p.dial(ctx, inbound, to)
				if err != nil {
					return nil, err // a typed nil would be a connection
				}
				return c, nil
			},
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if !errors.Is(err, context.Canceled) {
				w.WriteHeader(http.StatusServiceUnavailable) // as Envoy answers
			}
		},
	}
}
