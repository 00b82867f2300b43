//go:build linux

package pipeline

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/testnet"
)

// A plant is a pipeline on the real kernel and its real connection tracking, of which the connections of some
// namespaces are looked at: those of the others are as good as on another machine.
type plant struct {
	*Pipeline
	t         *testing.T
	watched   map[uint32]bool
	elsewhere map[uint32]bool // namespaces that stand for other machines
	ways      []way
}

// A way is what the event of one connection says of its ends.
type way struct {
	Role, NAT      string
	Error          string
	Server, Client string // who is really there; the server's port is that by which it is known
	Asked          string // original destination
	Peer           string // scope
	Sent, Received int64
}

func newPlant(t *testing.T, watched ...*testnet.Namespace) *plant {
	t.Helper()
	p := &plant{t: t, watched: make(map[uint32]bool)}
	for _, n := range watched {
		p.watched[n.Inode] = true
	}
	o := options(t)
	o.Root, o.Events.MaxPerSecond = "/", 100_000
	opened, err := Open(o, Machine{
		Open: func() (Sockets, error) {
			// What other programs end between two readings must not crowd out the test's own.
			return onlyOf(openKernel(t, kernel.Options{RingBytes: 1 << 25}), func(n uint32) bool { return p.watched[n] }), nil
		},
		Ask:  p.openTables,
		Host: owner.Host,
		Join: openSources,
		Now:  time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if opened.tables.Ask == nil {
		testnet.Require(t, fmt.Errorf("connection tracking cannot be asked: %v", opened.degraded))
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	p.Pipeline = opened
	p.events.want(true)
	return p
}

// openTables opens connection tracking, in which the namespaces of other machines are not on this one.
func (p *plant) openTables(root string, now time.Time) (Tables, error) {
	t, err := openTables(root, now)
	outer := t.Outer
	t.Outer = func(now time.Time, netns uint32, packet conn.Tuple) (uint32, bool, error) {
		inode, certain, err := outer(now, netns, packet)
		if p.elsewhere[inode] {
			inode = 0
		}
		return inode, certain, err
	}
	return t, err
}

// read reads what has ended, and what is open, as the receiver does in the end.
func (p *plant) read() {
	p.t.Helper()
	if _, err := p.Pipeline.read(time.Now()); err != nil {
		p.t.Fatal(err)
	}
}

// hear reads what has ended, as the receiver does ten times a second.
func (p *plant) hear() {
	p.t.Helper()
	for range 2 { // what was asked the first time is confirmed
		if err := p.Drain(time.Now()); err != nil {
			p.t.Fatal(err)
		}
	}
}

// told returns the ways of the connections that have ended, n of them: the clients' first.
func (p *plant) told(n int) []way {
	p.t.Helper()
	ways := p.await(n)
	if len(ways) < n {
		p.t.Fatalf("%d connections were told of, want %d: %+v; the kernel could not report %d", len(ways), n, ways, p.lost())
	}
	return ways
}

// await returns as many ways as there are within a few seconds, n of them at most.
func (p *plant) await(n int) []way {
	p.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); len(p.ways) < n && time.Now().Before(deadline); {
		p.hear()
		if p.ends.Waiting() == 0 { // but for the other end
			now := time.Now()
			p.events.settle(now.Add(Patience), p.resolver(now))
		}
		for _, e := range p.events.take() {
			p.ways = append(p.ways, wayOf(&e))
		}
		time.Sleep(5 * time.Millisecond)
	}
	ways := p.ways
	p.ways = nil
	return ways
}

// lost returns how often the kernel could not report something, anywhere on the machine: it did not run a program that
// it had interrupted, or the ring was full.
func (p *plant) lost() uint64 {
	p.t.Helper()
	stats, err := p.sockets.Stats()
	if err != nil {
		p.t.Fatal(err)
	}
	return stats.Missed + stats.RingRefused + stats.StorageRefused
}

// wantAttempt makes an attempt to connect, and compares what is told of it. Where the kernel could not report something
// meanwhile, that may be nothing, or less: the attempt is made again then.
func (p *plant) wantAttempt(attempt func(), want way) {
	p.t.Helper()
	for range 5 {
		before := p.lost()
		attempt()
		got := p.await(1)
		lost := p.lost() - before
		if lost == 0 || cmp.Equal(got, []way{want}) {
			wantWays(p.t, got, want)
			return
		}
		p.t.Logf("an attempt was told of as %+v; meanwhile the kernel could not report %d", got, lost)
	}
	p.t.Error("during each of five attempts the kernel could not report something")
}

func wayOf(e *Event) way {
	w := way{
		Role: e.Conn.Role.String(), NAT: e.NAT.String(), Error: e.Conn.Error.String(), Peer: string(e.Peer[names.PeerScope]),
		Server: netip.AddrPortFrom(e.Server.Addr(), e.Port).String(), Client: anyPort(e.Client),
		Sent: int64(e.Conn.Counts[conn.Sent]), Received: int64(e.Conn.Counts[conn.Received]),
	}
	if e.Original.Address.IsValid() {
		w.Asked = netip.AddrPortFrom(e.Original.Address, e.Original.Port).String()
	}
	return w
}

// anyPort leaves out a port that the kernel chose.
func anyPort(a netip.AddrPort) string { return a.Addr().String() }

func wantWays(t *testing.T, got []way, want ...way) {
	t.Helper()
	sorted := map[string][]way{}
	for _, w := range got {
		sorted[w.Role] = append(sorted[w.Role], w)
	}
	wanted := map[string][]way{}
	for _, w := range want {
		wanted[w.Role] = append(wanted[w.Role], w)
	}
	if diff := cmp.Diff(wanted, sorted); diff != "" {
		t.Errorf("ways (-want +got):\n%s", diff)
	}
}

const sentOut, sentBack = 1_003, 2_005

// exchange is one connection that carries both, and closes. The first packet on a way may take a second, and ends are
// read more often.
func (p *plant) exchange(from *testnet.Namespace, l *net.TCPListener, address string) {
	t := p.t
	t.Helper()
	client, server := from.Connect(l, address)
	carry(t, client, server, sentOut)
	carry(t, server, client, sentBack)
	p.hear()
	client.Close()
	_, _ = io.Copy(io.Discard, server)
	server.Close()
}

func carry(t *testing.T, from, to net.Conn, bytes int) {
	t.Helper()
	if _, err := from.Write(make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(to, make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
}

func TestTranslations(t *testing.T) {
	for name, c := range translations() {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c.rules(s)
			from, to := c.place(s)
			p := newPlant(t, from, to)
			p.exchange(from, to.Listen(c.listen), c.dial)
			client, server := c.ends()
			wantWays(t, p.told(2), client, server)
		})
	}
}

// With the other end on another machine the same is known, or less, but nothing else.
func TestTranslationsFromOneSide(t *testing.T) {
	for name, c := range translations() {
		if strings.HasPrefix(name, "hairpin") {
			continue // both ends are in one namespace
		}
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			c.rules(s)
			for _, side := range []string{"client", "server"} {
				t.Run(side, func(t *testing.T) { c.wantFrom(t, s, side) })
			}
		})
	}
}

// wantFrom makes the connection, of which one side is on this machine.
func (c translated) wantFrom(t *testing.T, s site, side string) {
	t.Helper()
	from, to := c.place(s)
	client, server := c.ends()
	watched, want, less := from, client, c.alone
	if side == "server" {
		watched, want, less = to, server, c.aloneThere
	}
	want.Peer = "remote"
	if less != nil {
		less(&want)
	}
	p := newPlant(t, watched)
	p.elsewhere = map[uint32]bool{from.Inode: side == "server", to.Inode: side == "client"}
	l := to.Listen(c.listen)
	defer l.Close() // the other side listens there too
	p.exchange(from, l, c.dial)
	wantWays(t, p.told(1), want)
}
