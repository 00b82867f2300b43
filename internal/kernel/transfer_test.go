//go:build linux

package kernel

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// write sends n bytes and ends the test if that fails.
func write(t *testing.T, to io.Writer, n int) {
	t.Helper()
	if _, err := to.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

// read receives exactly n bytes.
func read(t *testing.T, from io.Reader, n int) {
	t.Helper()
	if _, err := io.CopyN(io.Discard, from, int64(n)); err != nil {
		t.Fatal(err)
	}
}

// readEnd receives the end of the stream and nothing before it.
func readEnd(t *testing.T, from io.Reader) {
	t.Helper()
	if n, err := io.Copy(io.Discard, from); n != 0 || err != nil {
		t.Fatalf("read %d bytes and %v, want the end", n, err)
	}
}

// wire is a client and a server namespace with one link, and a listener on the server's side.
type wire struct {
	client, server *testnet.Namespace
	listener       *net.TCPListener
}

const serverAddress = "10.77.0.2:9080"

func newWire(t *testing.T) wire {
	t.Helper()
	w := wire{client: testnet.New(t), server: testnet.New(t)}
	testnet.Link(w.client, w.server, "nc0", "10.77.0.1/24", "10.77.0.2/24")
	w.listener = w.server.Listen(serverAddress)
	return w
}

func (w wire) connect() (client, server *net.TCPConn) {
	return w.client.Connect(w.listener, serverAddress)
}

func (w wire) observe(t *testing.T) *observer { return observe(t, Options{}, w.client, w.server) }

func TestBothWays(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	go client.Write(make([]byte, 1_000_003))
	read(t, server, 1_000_003)
	go server.Write(make([]byte, 2_000_005))
	read(t, client, 2_000_005)
	client.Close()
	readEnd(t, server)
	server.Close()
	ends := o.wantEnded(
		outcome{conn.RoleClient, conn.Closed, "", 1_000_003, 2_000_005},
		outcome{conn.RoleServer, conn.Closed, "", 2_000_005, 1_000_003},
	)
	wantEqual(t, "sequence of the other end", ends[0].Sequence.Reverse(), ends[1].Sequence)
	wantEqual(t, "tuple of the other end", ends[0].Tuple.Reverse(), ends[1].Tuple)
	wantEqual(t, "namespaces", []uint32{w.client.Inode, w.server.Inode}, []uint32{ends[0].Namespace.Inode, ends[1].Namespace.Inode})
	if !ends[0].SeenOpening || !ends[1].SeenOpening || ends[0].Handshake <= 0 || ends[0].Handshake > ends[0].Age {
		t.Fatalf("opening: %+v", ends)
	}
	o.snapshot(true)
	wantEqual(t, "live connections", 0, len(o.live))
}

func TestThousandConnections(t *testing.T) {
	n := load(1000)
	for name, linger := range map[string]time.Duration{"one after the other": 0, "send and close at once": 1} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			o := w.observe(t)
			for range n {
				client, server := w.connect()
				write(t, client, 13)
				if linger == 0 {
					read(t, server, 13)
				}
				write(t, server, 7)
				server.Close()
				read(t, client, 7)
				client.Close()
			}
			ends := o.waitEnded(2 * n)
			outcomes, sequences := map[outcome]int{}, map[conn.Sequence]int{}
			for _, c := range ends {
				outcomes[outcomeOf(c)]++
				sequences[c.Sequence]++
			}
			wantEqual(t, "ends", 2*n, len(ends))
			for s, times := range sequences {
				if times != 1 || sequences[s.Reverse()] != 1 {
					t.Errorf("sequence %v: %d times, and its reverse %d times", s, times, sequences[s.Reverse()])
				}
			}
			want := map[outcome]int{
				{conn.RoleClient, conn.Closed, "", 13, 7}: n,
				{conn.RoleServer, conn.Closed, "", 7, 13}: n,
			}
			if linger > 0 {
				want = permitted(t, outcomes)
			}
			wantEqual(t, "outcomes", want, outcomes)
		})
	}
}

// permitted returns outcomes itself if a server that closes at once may have them. What it has not read makes its close
// a reset, and what arrives after that is refused with one: it was sent, and never received.
func permitted(t *testing.T, outcomes map[outcome]int) map[outcome]int {
	t.Helper()
	roles := map[conn.Role]int{}
	for o, n := range outcomes {
		roles[o.Role] += n
		client := o == outcome{conn.RoleClient, conn.Closed, o.Error, 13, 7} && (o.Error == "" || o.Error == "reset")
		server := o == outcome{conn.RoleServer, conn.Closed, "", 7, 13} || o == outcome{conn.RoleServer, conn.Closed, "reset", 7, 0}
		if !client && !server {
			t.Errorf("%d times %+v", n, o)
		}
	}
	wantEqual(t, "ends of each role", map[conn.Role]int{conn.RoleClient: load(1000), conn.RoleServer: load(1000)}, roles)
	return outcomes
}

func TestLingerZero(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	write(t, client, 5000)
	read(t, server, 5000)
	if err := client.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	client.Close()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read: %v, want a reset", err)
	}
	server.Close()
	o.wantEnded(
		outcome{conn.RoleClient, conn.Closed, "", 5000, 0},
		outcome{conn.RoleServer, conn.Closed, "reset", 0, 5000},
	)
}

func TestResetBeforeData(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	if err := server.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read: %v, want a reset", err)
	}
	client.Close()
	o.wantEnded(
		outcome{conn.RoleClient, conn.Closed, "reset", 0, 0},
		outcome{conn.RoleServer, conn.Closed, "", 0, 0},
	)
}

func TestHalfClose(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	write(t, client, 5000)
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	read(t, server, 5000)
	readEnd(t, server)
	go server.Write(make([]byte, 70_000))
	read(t, client, 70_000)
	o.snapshot(true) // a half closed connection is alive, and its FIN is not payload
	wantEqual(t, "client, half closed", outcome{conn.RoleClient, conn.Open, "", 5000, 70_000}, outcomeOf(o.liveOf(conn.RoleClient)))
	wantEqual(t, "server, half closed", outcome{conn.RoleServer, conn.Open, "", 70_000, 5000}, outcomeOf(o.liveOf(conn.RoleServer)))
	server.Close()
	readEnd(t, client)
	client.Close()
	o.wantEnded(
		outcome{conn.RoleClient, conn.Closed, "", 5000, 70_000},
		outcome{conn.RoleServer, conn.Closed, "", 70_000, 5000},
	)
}

func TestServerClosesWithUnreadData(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	write(t, client, 50_000)
	read(t, server, 10_000)
	waitQueued(t, server, 40_000)
	server.Close()
	for { // the reset needs not be there yet
		if _, err := client.Read(make([]byte, 1)); err != nil {
			break
		}
	}
	client.Close()
	o.wantEnded(
		outcome{conn.RoleClient, conn.Closed, "reset", 50_000, 0},
		outcome{conn.RoleServer, conn.Closed, "", 0, 50_000},
	)
}

// waitQueued waits until n bytes wait to be read.
func waitQueued(t *testing.T, c *net.TCPConn, n int) {
	t.Helper()
	for got := 0; got < n; {
		control(t, c, func(fd int) (err error) {
			got, err = unix.IoctlGetInt(fd, unix.TIOCINQ)
			return err
		})
	}
}

// control runs f on the descriptor of a connection.
func control(t *testing.T, c syscall.Conn, f func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var inner error
	if err := errors.Join(raw.Control(func(fd uintptr) { inner = f(int(fd)) }), inner); err != nil {
		t.Fatal(err)
	}
}

func TestResetInTheMiddleOfALargeWrite(t *testing.T) {
	w := newWire(t)
	w.client.Sysctl("net.ipv4.tcp_wmem", "4096 8388608 8388608")
	w.server.Sysctl("net.ipv4.tcp_rmem", "4096 65536 65536")
	o := w.observe(t)
	client, server := w.connect()
	accepted := make(chan int)
	go func() {
		n, _ := client.Write(make([]byte, 64<<20))
		accepted <- n
	}()
	read(t, server, 1_000_000)
	waitUnsent(t, client, 2<<20) // what write() accepted and the window does not let go
	if err := server.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	server.Close()
	written := uint64(<-accepted)
	client.Close()
	ends := o.waitEnded(2)
	sent, received := ends[0].Counts[conn.Sent], ends[1].Counts[conn.Received]
	wantEqual(t, "errors", []conn.Error{conn.Reset, conn.NoError}, []conn.Error{ends[0].Error, ends[1].Error})
	if received < 1_000_000 || sent < received || sent > written-1<<20 {
		t.Errorf("received %d, sent %d, write accepted %d", received, sent, written)
	}
}

// waitUnsent waits until n bytes were accepted from the application and not sent.
func waitUnsent(t *testing.T, c *net.TCPConn, n int) {
	t.Helper()
	for got := 0; got < n; {
		control(t, c, func(fd int) (err error) {
			got, err = unix.IoctlGetInt(fd, unix.SIOCOUTQNSD)
			return err
		})
	}
}

// A connection that is always busy is read nevertheless: each snapshot has all that was acknowledged before.
func TestBusyConnectionAdvances(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	written, stop := make(chan uint64), make(chan struct{})
	go func() {
		total := uint64(0)
		for chunk := make([]byte, 4<<20); ; {
			select {
			case <-stop:
				client.Close()
				written <- total
				return
			default:
			}
			n, _ := client.Write(chunk)
			total += uint64(n)
		}
	}()
	go io.Copy(io.Discard, server)
	acknowledged := func() (bytes uint64) {
		control(t, client, func(fd int) error {
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			if err == nil {
				bytes = info.Bytes_acked
			}
			return err
		})
		return bytes
	}
	const uncertain = 2 // the SYN, and what may be a FIN
	last, first := conn.Counts{}, acknowledged()
	for range 50 {
		time.Sleep(20 * time.Millisecond)
		before := acknowledged()
		o.snapshot(true)
		if last = o.liveOf(conn.RoleClient).Counts; last[conn.Sent]+uncertain < before {
			t.Errorf("a snapshot shows %d bytes, of which %d had been acknowledged before", last[conn.Sent], before)
		}
	}
	if last[conn.Sent] <= first {
		t.Errorf("%d bytes after all snapshots, and %d before: the connection rested", last[conn.Sent], first)
	}
	close(stop)
	total := <-written
	o.until("the end", func() bool { return len(o.ended) > 0 })
	if got := o.ended[0].Counts; last[conn.Sent] > total || max(got[conn.Sent], got[conn.Received]) != total {
		t.Errorf("sent %d at the end and %d before, wrote %d", max(got[conn.Sent], got[conn.Received]), last[conn.Sent], total)
	}
}

func TestCloseWithMegabytesQueued(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	if err := client.SetWriteBuffer(8 << 20); err != nil {
		t.Fatal(err)
	}
	written := 0
	client.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	for {
		n, err := client.Write(make([]byte, 100_000))
		written += n
		if err != nil {
			break
		}
	}
	client.Close()
	o.snapshot(true)
	wantEqual(t, "ends while the queue is full", 0, len(o.ended))
	read(t, server, written)
	readEnd(t, server)
	server.Close()
	o.wantEnded(
		outcome{conn.RoleClient, conn.Closed, "", uint64(written), 0},
		outcome{conn.RoleServer, conn.Closed, "", 0, uint64(written)},
	)
}
