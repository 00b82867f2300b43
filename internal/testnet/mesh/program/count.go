//go:build linux

package program

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// A Key identifies the connections that are counted together.
type Key struct {
	Accepted bool           // else dialled
	Port     uint16         // accepted: that of the listener
	Original netip.AddrPort // accepted: where the client wanted to go, as far as the process can know
	Remote   netip.AddrPort // of the socket; accepted: without the port, which is 0
}

// A Leg is what a process counted of the connections with one key. Bytes are payload.
type Leg struct {
	Key
	Connections, Open int // ever, and now
	Sent, Received    int64
}

// A counter counts the connections of a process. It is safe for use by several goroutines.
type counter struct {
	mu    sync.Mutex
	count map[Key]*Leg
}

func newCounter() *counter { return &counter{count: make(map[Key]*Leg)} }

// legs returns what was counted, in a fixed order.
func (l *counter) legs() []Leg {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Leg
	for _, leg := range l.count {
		all = append(all, *leg)
	}
	slices.SortFunc(all, func(a, b Leg) int {
		if a.Accepted != b.Accepted {
			return map[bool]int{true: -1, false: 1}[a.Accepted]
		}
		return cmp.Or(cmp.Compare(a.Port, b.Port), a.Original.Compare(b.Original), a.Remote.Compare(b.Remote))
	})
	return all
}

// accepted counts a connection of a listener, with the address that its client dialled.
func (l *counter) accepted(c *net.TCPConn, port uint16, original netip.AddrPort) countedConn {
	remote := addrPort(c.RemoteAddr())
	return l.enter(c, Key{
		Accepted: true, Port: port, Original: original, Remote: netip.AddrPortFrom(remote.Addr(), 0),
	})
}

// dialled counts a connection that this process opened.
func (l *counter) dialled(c net.Conn) countedConn {
	return l.enter(c.(*net.TCPConn), Key{Remote: addrPort(c.RemoteAddr())})
}

func (l *counter) enter(c *net.TCPConn, m Key) countedConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	leg := l.count[m]
	if leg == nil {
		leg = &Leg{Key: m}
		l.count[m] = leg
	}
	leg.Connections++
	leg.Open++
	return countedConn{Conn: c, tcp: c, leg: leg, in: l, once: new(sync.Once)}
}

// A countedConn is a connection that counts its bytes. It has no more methods than these, so that nothing takes the
// kernel's own way from one socket to another, which counts nothing.
type countedConn struct {
	net.Conn
	tcp  *net.TCPConn // the same
	leg  *Leg
	in   *counter
	once *sync.Once
}

func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.add(&c.leg.Received, n)
	return n, err
}

func (c countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.in.add(&c.leg.Sent, n)
	return n, err
}

// CloseWrite ends what is sent, not what is received.
func (c countedConn) CloseWrite() error { return c.tcp.CloseWrite() }

func (c countedConn) Close() error {
	c.once.Do(func() {
		c.in.mu.Lock()
		defer c.in.mu.Unlock()
		c.leg.Open--
	})
	return c.Conn.Close()
}

func (l *counter) add(to *int64, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*to += int64(n)
}

func addrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
