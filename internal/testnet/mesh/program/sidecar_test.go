//go:build linux

package program

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// listenOn opens a listener on an address of the loopback interface.
func listenOn(t *testing.T, address string) (*net.TCPListener, netip.AddrPort) {
	t.Helper()
	l, err := listenAt(netip.MustParseAddrPort(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, addrPort(l.Addr())
}

// tell has a server write the address of each client to it, and read until the client closes.
func tell(l *net.TCPListener) {
	go acceptEach(l, func(c *net.TCPConn) {
		defer c.Close()
		fmt.Fprintln(c, addrPort(c.RemoteAddr()).Addr())
		_, _ = io.Copy(io.Discard, c)
	})
}

func newProxy(s Sidecar) *proxy {
	return &proxy{Sidecar: s, count: newCounter(), turns: make(map[netip.AddrPort]int)}
}

// ask dials, and returns what is said until the other end closes.
func ask(t *testing.T, to netip.AddrPort) (string, error) {
	t.Helper()
	c, err := net.Dial("tcp", to.String())
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.(*net.TCPConn).CloseWrite() // a reset may have come
	said, err := io.ReadAll(c)
	return strings.TrimSpace(string(said)), err
}

// A sidecar dials an endpoint of the service that was asked for, and counts both connections.
func TestPassOutbound(t *testing.T) {
	backend, at := listenOn(t, "127.0.0.2:0")
	tell(backend)
	listener, local := listenOn(t, "127.0.0.3:0")
	p := newProxy(Sidecar{Endpoints: map[string][]netip.AddrPort{local.String(): {at}}})
	go acceptEach(listener, func(c *net.TCPConn) { p.pass(c, local.Port()) })
	if said, err := ask(t, local); err != nil || said != "127.0.0.1" {
		t.Errorf("the server saw %q, %v", said, err)
	}
	bytes := int64(len("127.0.0.1\n"))
	want := []Leg{
		{Key: Key{Accepted: true, Port: local.Port(), Original: local, Remote: netip.MustParseAddrPort("127.0.0.1:0")}, Connections: 1, Sent: bytes},
		{Key: Key{Remote: at}, Connections: 1, Received: bytes},
	}
	got := p.count.legs()
	for i := range got {
		got[i].Open = 0 // the relay closes a moment later
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("legs (-want +got):\n%s", diff)
	}
}

// Before Istio 1.10 a sidecar reached its application at the loopback address, wherever the client had dialled.
func TestPassInboundAtTheLoopback(t *testing.T) {
	listener, local := listenOn(t, "127.0.0.3:0")
	application, _ := listenOn(t, fmt.Sprint("127.0.0.1:", local.Port()))
	tell(application)
	p := newProxy(Sidecar{Loopback: true})
	go acceptEach(listener, func(c *net.TCPConn) { p.pass(c, InboundPort) })
	if said, err := ask(t, local); err != nil || said != "127.0.0.1" {
		t.Errorf("the application saw %q, %v", said, err)
	}
}

// A sidecar dials its application from an address that the rules do not redirect.
func TestDialInbound(t *testing.T) {
	application, at := listenOn(t, "127.0.0.2:0")
	tell(application)
	c, err := newProxy(Sidecar{}).dial(t.Context(), true, at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if from := addrPort(c.LocalAddr()).Addr(); from != netip.MustParseAddr("127.0.0.6") {
		t.Errorf("dialled from %v", from)
	}
}

// A client whose server refuses gets a reset, not an empty answer.
func TestPassRefused(t *testing.T) {
	listener, local := listenOn(t, "127.0.0.3:0")
	p := newProxy(Sidecar{Endpoints: map[string][]netip.AddrPort{local.String(): {netip.MustParseAddrPort("127.0.0.3:1")}}})
	go acceptEach(listener, func(c *net.TCPConn) { p.pass(c, local.Port()) })
	if said, err := ask(t, local); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("it said %q, %v", said, err)
	}
}

// A sidecar that carries requests keeps its connections to the endpoint, and answers 503 for one that refuses.
func TestHTTP(t *testing.T) {
	backend, at := listenOn(t, "127.0.0.2:0")
	go func() {
		_ = http.Serve(backend, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host, r.URL.Path) }))
	}()
	listener, local := listenOn(t, "127.0.0.3:0")
	endpoints := map[string][]netip.AddrPort{local.String(): {at}}
	p := newProxy(Sidecar{HTTP: true, Endpoints: endpoints})
	p.outbound, p.inbound = p.handler(false), p.handler(true)
	go p.serveHTTP(listener, local.Port())
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func() (int, string) {
		t.Helper()
		response, err := client.Get("http://" + local.String() + "/path")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(text)
	}
	for range 3 {
		if status, text := get(); status != http.StatusOK || text != local.String()+"/path" {
			t.Errorf("status %d, %q", status, text)
		}
	}
	accepted, dialled := 0, 0
	for _, l := range p.count.legs() {
		if l.Accepted {
			accepted += l.Connections
		} else {
			dialled += l.Connections
		}
	}
	if accepted != 3 || dialled != 1 {
		t.Errorf("%d connections were accepted and %d dialled, want 3 and 1", accepted, dialled)
	}
	p.mu.Lock()
	endpoints[local.String()] = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.3:1")}
	p.mu.Unlock()
	if status, _ := get(); status != http.StatusServiceUnavailable {
		t.Errorf("an endpoint that refuses: status %d", status)
	}
}

// The original destination is what the client dialled before the namespace's own rules, in both families.
func TestOriginalDestination(t *testing.T) {
	n, err := netns.New()
	if err != nil {
		testnet.Require(t, err)
	}
	defer n.Close()
	for _, c := range [][]string{
		{"ip", "route", "add", "default", "dev", "lo"}, {"ip", "-6", "route", "add", "default", "dev", "lo"},
		{"iptables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", "15001"},
		{"ip6tables", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", "15001"},
	} {
		if err := n.Command(c[0], c[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	got := make(map[string]string)
	err = n.Do(func() error {
		for dialled, listen := range map[string]string{"10.96.1.3:80": "127.0.0.1:15001", "[fd00:96::3]:80": "[::1]:15001"} {
			l, err := listenAt(netip.MustParseAddrPort(listen))
			if err != nil {
				return err
			}
			defer l.Close()
			client, err := net.Dial("tcp", dialled)
			if err != nil {
				return err
			}
			defer client.Close()
			accepted, err := l.AcceptTCP()
			if err != nil {
				return err
			}
			defer accepted.Close()
			original, err := originalDestination(accepted)
			if err != nil {
				return err
			}
			got[dialled] = original.String()
		}
		return nil
	})
	want := map[string]string{"10.96.1.3:80": "10.96.1.3:80", "[fd00:96::3]:80": "[fd00:96::3]:80"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// Options are set before a socket connects; one that the kernel refuses is an error with its number.
func TestSocketOptions(t *testing.T) {
	l, at := listenOn(t, "127.0.0.1:0")
	defer l.Close()
	if _, err := dial(t.Context(), netip.Addr{}, at, socketOption{-1, -1, 1}); err == nil || !strings.Contains(err.Error(), "set socket option -1/-1: ") {
		t.Errorf("got %v", err)
	}
	c, err := dial(t.Context(), netip.MustParseAddr("127.0.0.9"), at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if from := addrPort(c.LocalAddr()).Addr(); from != netip.MustParseAddr("127.0.0.9") {
		t.Errorf("the connection is from %v", from)
	}
}
