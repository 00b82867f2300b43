//go:build linux

package actor

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// A Meaning is what connections have in common that are counted together.
type Meaning struct {
	Accepted bool           // else dialled
	Port     uint16         // accepted: that of the listener
	Original netip.AddrPort // accepted: where the client wanted to go, as far as the process can know
	Remote   netip.AddrPort // of the socket; accepted: without the port, which is 0
}

// A Leg is what a process counted of connections with one meaning. Bytes are payload.
type Leg struct {
	Meaning
	Connections, Open int // ever, and now
	Sent, Received    int64
}

// A ledger counts the connections of a process. It is safe for use by several goroutines.
type ledger struct {
	mu    sync.Mutex
	count map[Meaning]*Leg
}

func newLedger() *ledger { return &ledger{count: make(map[Meaning]*Leg)} }

// legs returns what was counted, in a fixed order.
func (l *ledger) legs() []Leg {
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

// accepted counts a connection that a listener gave, whose client wanted to go to an address.
func (l *ledger) accepted(c *net.TCPConn, port uint16, original netip.AddrPort) counted {
	remote := addrPort(c.RemoteAddr())
	return l.enter(c, Meaning{
		Accepted: true, Port: port, Original: original, Remote: netip.AddrPortFrom(remote.Addr(), 0),
	})
}

// dialled counts a connection that this process opened.
func (l *ledger) dialled(c net.Conn) counted {
	return l.enter(c.(*net.TCPConn), Meaning{Remote: addrPort(c.RemoteAddr())})
}

func (l *ledger) enter(c *net.TCPConn, m Meaning) counted {
	l.mu.Lock()
	defer l.mu.Unlock()
	leg := l.count[m]
	if leg == nil {
		leg = &Leg{Meaning: m}
		l.count[m] = leg
	}
	leg.Connections++
	leg.Open++
	return counted{Conn: c, tcp: c, leg: leg, in: l, once: new(sync.Once)}
}

// A counted is a connection whose bytes are counted. It has no more methods than these, so that nobody takes the
// kernel's own way from one socket to another, which counts nothing.
type counted struct {
	net.Conn
	tcp  *net.TCPConn // the same
	leg  *Leg
	in   *ledger
	once *sync.Once
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.add(&c.leg.Received, n)
	return n, err
}

func (c counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.in.add(&c.leg.Sent, n)
	return n, err
}

// CloseWrite ends what is sent, not what is received.
func (c counted) CloseWrite() error { return c.tcp.CloseWrite() }

func (c counted) Close() error {
	c.once.Do(func() {
		c.in.mu.Lock()
		defer c.in.mu.Unlock()
		c.leg.Open--
	})
	return c.Conn.Close()
}

func (l *ledger) add(to *int64, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*to += int64(n)
}

func addrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
