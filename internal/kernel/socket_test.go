//go:build linux

package kernel

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

func TestSocketThatConnectsAgain(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	fd := w.client.Socket(unix.AF_INET)
	to := func(port int) error {
		return unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 77, 0, 2}, Port: port})
	}
	if err := to(81); !errors.Is(err, unix.ECONNREFUSED) {
		t.Fatalf("connect: %v", err)
	}
	for _, n := range []int{1000, 300} {
		if err := to(9080); err != nil {
			t.Fatal(err)
		}
		server, err := w.listener.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		read(t, server, n)
		disconnect(t, fd)
		server.Close()
	}
	unix.Close(fd)
	ends := o.wantEnded(
		outcome{conn.RoleClient, conn.Failed, "refused", 0, 0},
		outcome{conn.RoleClient, conn.Closed, "", 1000, 0},
		outcome{conn.RoleClient, conn.Closed, "", 300, 0},
		outcome{conn.RoleServer, conn.Closed, "reset", 0, 1000},
		outcome{conn.RoleServer, conn.Closed, "reset", 0, 300},
	)
	cookie := ends[0].ID.Cookie
	wantEqual(t, "identities", []conn.ID{{Cookie: cookie, Generation: 1}, {Cookie: cookie, Generation: 2}, {Cookie: cookie, Generation: 3}},
		[]conn.ID{ends[0].ID, ends[1].ID, ends[2].ID})
}

// disconnect makes a connected socket a new one, by connect() to no address.
func disconnect(t *testing.T, fd int) {
	t.Helper()
	address := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	if err := connectRaw(fd, &address); err != nil {
		t.Fatal(err)
	}
}

func TestSelfConnect(t *testing.T) {
	n := testnet.New(t)
	o := observe(t, Options{}, n)
	fd := n.Socket(unix.AF_INET)
	self := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 7777}
	if err := errors.Join(unix.Bind(fd, self), unix.Connect(fd, self)); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(fd, make([]byte, 500)); err != nil {
		t.Fatal(err)
	}
	read(t, reader(fd), 500)
	unix.Close(fd)
	end := o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 500, 500})[0]
	wantEqual(t, "sequence of the other end", end.Sequence, end.Sequence.Reverse())
}

// reader reads a plain descriptor.
type reader int

func (r reader) Read(p []byte) (int, error) { return unix.Read(int(r), p) }

func TestAddressForms(t *testing.T) {
	n := testnet.New(t)
	for name, c := range map[string]struct{ listen, dial, want string }{
		"IPv4":                          {"127.0.0.1:9001", "127.0.0.1:9001", "127.0.0.1:9001"},
		"IPv6":                          {"[::1]:9002", "[::1]:9002", "[::1]:9002"},
		"IPv4 to an IPv6 server":        {"[::]:9003", "127.0.0.1:9003", "127.0.0.1:9003"},
		"IPv4 client on an IPv6 socket": {"127.0.0.1:9004", "[::ffff:127.0.0.1]:9004", "127.0.0.1:9004"},
	} {
		t.Run(name, func(t *testing.T) {
			l := n.Listen(c.listen)
			o := observe(t, Options{}, n)
			client, server := n.Connect(l, c.dial)
			write(t, client, 42)
			read(t, server, 42)
			client.Close()
			readEnd(t, server)
			server.Close()
			ends := o.wantEnded(
				outcome{conn.RoleClient, conn.Closed, "", 42, 0},
				outcome{conn.RoleServer, conn.Closed, "", 0, 42},
			)
			wantEqual(t, "server's address, as the client has it", netip.MustParseAddrPort(c.want), ends[0].Tuple.Destination)
			wantEqual(t, "the server's view", ends[0].Tuple.Reverse(), ends[1].Tuple)
		})
	}
}

func TestOlderThanNetconn(t *testing.T) {
	w := newWire(t)
	client, server := w.connect()
	write(t, client, 10_000)
	read(t, server, 10_000)
	write(t, server, 777)
	read(t, client, 777)
	o := w.observe(t)
	o.snapshot(false)
	wantEqual(t, "client at first", outcome{conn.RoleClient, conn.Open, "", 0, 0}, outcomeOf(o.liveOf(conn.RoleClient)))
	write(t, client, 1001)
	read(t, server, 1001)
	write(t, server, 99)
	read(t, client, 99)
	client.Close()
	readEnd(t, server)
	server.Close()
	ends := o.wantEnded(
		outcome{conn.RoleClient, conn.Closed, "", 1001, 99},
		outcome{conn.RoleServer, conn.Closed, "", 99, 1001},
	)
	wantEqual(t, "sequence of the other end", ends[0].Sequence.Reverse(), ends[1].Sequence)
	for _, end := range ends {
		if end.SeenOpening {
			t.Errorf("%s: counted as an attempt", end.Role)
		}
		wantSelf(t, end.Process)
	}
	// A listener older than netconn gives its owner to what it accepts.
	client, server = w.connect()
	client.Close()
	server.Close()
	wantSelf(t, o.waitEnded(4)[3].Process)
}

// wantSelf wants the process that runs this test.
func wantSelf(t *testing.T, p conn.Process) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(exe)
	wantEqual(t, "owner", processOf(os.Getpid(), name, p.Cgroup, p.CgroupV1), p)
	if p.Cgroup == 0 {
		t.Error("no cgroup")
	}
}

func TestIdleIsReportedOnce(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	write(t, client, 100)
	read(t, server, 100)
	o.snapshot(false)
	wantEqual(t, "first snapshot", 2, o.liveCount)
	for range 3 {
		o.snapshot(false)
		wantEqual(t, "snapshot of idle connections", 0, o.liveCount)
	}
	o.snapshot(true)
	wantEqual(t, "snapshot of all", 2, len(o.live))
	write(t, client, 1)
	read(t, server, 1)
	o.snapshot(false)
	wantEqual(t, "snapshot after one byte", 2, o.liveCount)
	wantEqual(t, "client", outcome{conn.RoleClient, conn.Open, "", 101, 0}, outcomeOf(o.liveOf(conn.RoleClient)))
}

func TestRTTIsThatOfTCPInfo(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	for range 20 {
		write(t, client, 1000)
		read(t, server, 1000)
		write(t, server, 1000)
		read(t, client, 1000)
	}
	var before, after *unix.TCPInfo
	info := func(fd int) (i *unix.TCPInfo) {
		i, _ = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return i
	}
	control(t, client, func(fd int) error { before = info(fd); return nil })
	o.snapshot(false)
	control(t, client, func(fd int) error { after = info(fd); return nil })
	got := o.liveOf(conn.RoleClient)
	if before == nil || before.Rtt == 0 || before.Rtt != after.Rtt {
		t.Fatalf("TCP_INFO before and after: %+v, %+v", before, after)
	}
	wantEqual(t, "RTT", time.Duration(after.Rtt)*time.Microsecond, got.RTT)
	wantEqual(t, "RTT variation", time.Duration(after.Rttvar)*time.Microsecond, got.RTTVariation)
	wantEqual(t, "segments", []uint64{uint64(after.Segs_out), uint64(after.Segs_in)}, []uint64{got.Counts[conn.SegmentsSent], got.Counts[conn.SegmentsReceived]})
}

func TestTwoInstances(t *testing.T) {
	w := newWire(t)
	first, second := w.observe(t), w.observe(t)
	client, server := w.connect()
	write(t, client, 10)
	read(t, server, 10)
	client.Close()
	readEnd(t, server)
	server.Close()
	for _, o := range []*observer{first, second} {
		o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 10, 0}, outcome{conn.RoleServer, conn.Closed, "", 0, 10})
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	client, server = w.connect()
	client.Close()
	server.Close()
	second.waitEnded(4)
}
