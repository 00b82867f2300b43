//go:build linux

package kernel

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/untraced"
)

// deafen has socket_state miss what comes, as it does while the kernel has interrupted it.
func (w *observer) deafen() {
	w.t.Helper()
	w.detach(w.objects.SocketState)
}

// deafenAll has socket_state_again miss it too, where it is attached.
func (w *observer) deafenAll() {
	w.t.Helper()
	if w.deafen(); w.again {
		w.detach(w.objects.SocketStateAgain)
	}
}

// detach has a program miss what comes.
func (w *observer) detach(p *ebpf.Program) {
	w.t.Helper()
	id, known := must(p.Info())(w.t).ID()
	for _, c := range w.closers {
		l, ok := c.(link.Link)
		if !ok || !known {
			continue
		}
		if info, err := l.Info(); err == nil && info.Program == id {
			if err := l.Close(); err != nil {
				w.t.Fatal(err)
			}
			return
		}
	}
	w.t.Fatalf("%s has no link", p)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// An end that socket_state missed is reported when the socket is destroyed, with every byte. The application has read
// the error of a failed attempt or of a reset by then, so it is unknown.
func TestEndSeenLate(t *testing.T) {
	block := []string{"iptables", "-I", "INPUT", "-j", "DROP"}
	pass := []string{"iptables", "-D", "INPUT", "-j", "DROP"}
	t.Run("both agree", func(t *testing.T) {
		w := newWire(t)
		o := w.observe(t)
		client, server := w.connect()
		write(t, client, 1000)
		read(t, server, 1000)
		write(t, server, 77)
		read(t, client, 77)
		client.CloseWrite()
		readEnd(t, server)
		w.client.Command(block[0], block[1:]...) // the answer to the last FIN stays out
		server.Close()
		o.deafenAll()
		w.client.Command(pass[0], pass[1:]...)
		readEnd(t, client)
		client.Close()
		o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 1000, 77}, outcome{conn.RoleServer, conn.Closed, "", 77, 1000})
	})
	t.Run("reset", func(t *testing.T) {
		w := newWire(t)
		o := observe(t, Options{}, w.client) // the process that resets runs the program itself, so it interrupts no other
		client, server := w.connect()
		write(t, client, 1000)
		read(t, server, 1000)
		o.deafenAll()
		server.SetLinger(0)
		server.Close()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
			t.Fatal(err)
		}
		client.Close()
		o.wantEnded(outcome{conn.RoleClient, conn.Closed, "_OTHER", 1000, 0})
	})
	t.Run("refused", func(t *testing.T) {
		w := newWire(t)
		o := w.observe(t)
		w.server.Command(block[0], block[1:]...) // the first SYN
		fd := w.client.Socket(unix.AF_INET)
		if err := unix.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
		refusing := &unix.SockaddrInet4{Addr: [4]byte{10, 77, 0, 2}, Port: 81}
		if err := unix.Connect(fd, refusing); !errors.Is(err, unix.EINPROGRESS) {
			t.Fatal(err)
		}
		o.deafenAll()
		w.server.Command(pass[0], pass[1:]...)
		for err := error(unix.EALREADY); !errors.Is(err, unix.ECONNREFUSED); err = unix.Connect(fd, refusing) {
			if !errors.Is(err, unix.EALREADY) {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		unix.Close(fd)
		o.wantEnded(outcome{conn.RoleClient, conn.Failed, "_OTHER", 0, 0})
	})
}

// The FIN of the other end has not arrived when the socket is destroyed. After close() that is no error.
func TestEndSeenLateWithoutFIN(t *testing.T) {
	t.Run("reset after a half-close", func(t *testing.T) {
		w := newWire(t)
		o := observe(t, Options{}, w.client)
		client, server := w.connect()
		write(t, client, 1000)
		client.CloseWrite()
		read(t, server, 1000)
		readEnd(t, server)
		o.deafenAll()
		server.SetLinger(0)
		server.Close()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
			t.Fatal(err)
		}
		client.Close()
		o.wantEnded(outcome{conn.RoleClient, conn.Closed, "_OTHER", 1000, 0})
	})
	t.Run("closed before the other end", func(t *testing.T) {
		w := newWire(t)
		o := observe(t, Options{}, w.server)
		client, server := w.connect()
		defer client.Close() // its FIN comes after the server's socket is gone
		write(t, client, 1000)
		read(t, server, 1000)
		w.server.Command("iptables", "-I", "INPUT", "-j", "DROP") // the answer to the FIN stays out
		server.Close()
		o.deafenAll()
		w.server.Command("iptables", "-D", "INPUT", "-j", "DROP")
		o.wantEnded(outcome{conn.RoleServer, conn.Closed, "", 0, 1000})
	})
}

// A handshake that socket_state missed has no time: that at which it is found to be over is another one.
func TestHandshakeSeenLate(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	w.server.Command("iptables", "-I", "INPUT", "-j", "DROP") // the first SYN
	fd := w.client.Socket(unix.AF_INET)
	defer unix.Close(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Addr: [4]byte{10, 77, 0, 2}, Port: 9080}
	if err := unix.Connect(fd, to); !errors.Is(err, unix.EINPROGRESS) {
		t.Fatal(err)
	}
	o.deafenAll()
	w.server.Command("iptables", "-D", "INPUT", "-j", "DROP")
	c := must(w.listener.AcceptTCP())(t)
	defer c.Close()
	o.snapshot(true)
	if got := o.liveOf(conn.RoleClient); got.Handshake != 0 || got.Age < time.Millisecond {
		t.Errorf("a handshake of %v in a life of %v, want none", got.Handshake, got.Age)
	}
}

// Where the kernel preempts programs, socket_state may miss all of a connection, from the call of listen() on.
// socket_state_again has it, with the owner, the handshake and the error.
func TestStateAgain(t *testing.T) {
	w := newWire(t)
	o := observe(t, Options{again: true}, w.client, w.server)
	o.deafen()
	const address = "10.77.0.2:9081"
	listener := w.server.Listen(address)
	if _, err := w.client.TryDial(net.Dialer{}, "10.77.0.2:81"); !errors.Is(err, unix.ECONNREFUSED) {
		t.Fatal(err)
	}
	attempts := o.wantEnded(outcome{conn.RoleClient, conn.Failed, "refused", 0, 0})
	o.ended = nil
	client, server := w.client.Connect(listener, address)
	write(t, client, 1000)
	read(t, server, 1000)
	if o.snapshot(true); o.liveOf(conn.RoleServer).Process.PID != uint32(os.Getpid()) {
		t.Errorf("the server's end has the owner %+v while it is open", o.liveOf(conn.RoleServer).Process)
	}
	client.Close()
	readEnd(t, server)
	server.Close()
	ended := o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 1000, 0}, outcome{conn.RoleServer, conn.Closed, "", 0, 1000})
	for _, c := range append(attempts, ended...) {
		if c.Process.PID != uint32(os.Getpid()) || !c.SeenOpening {
			t.Errorf("the %v's end has the owner %+v and SeenOpening %v", c.Role, c.Process, c.SeenOpening)
		}
		if measured := c.Role == conn.RoleClient && c.Phase == conn.Closed; measured != (c.Handshake > 0) {
			t.Errorf("the %v's end has a handshake of %v", c.Role, c.Handshake)
		}
	}
}

// A process that resets its connection loses the counters before the socket is destroyed.
func TestResetAgain(t *testing.T) {
	w := newWire(t)
	o := observe(t, Options{again: true}, w.client, w.server)
	o.deafen()
	const address = "10.77.0.2:9081"
	client, server := w.client.Connect(w.server.Listen(address), address)
	write(t, client, 1000)
	read(t, server, 1000)
	client.SetLinger(0)
	client.Close()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Fatal(err)
	}
	server.Close()
	o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 1000, 0}, outcome{conn.RoleServer, conn.Closed, "reset", 0, 1000})
}

// A FIN that socket_state_again has seen is known when the end is missed: it is no error.
func TestClosingAgain(t *testing.T) {
	w := newWire(t)
	o := observe(t, Options{again: true}, w.client)
	o.deafen()
	client, server := w.connect()
	client.Close()
	readEnd(t, server)
	o.detach(o.objects.SocketStateAgain)
	server.Close()
	o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 0, 0})
}

// An accepted connection whose every change of state was missed is reported when the socket is destroyed. Its entry is
// still the listener's.
func TestAcceptedUnseen(t *testing.T) {
	w := newWire(t)
	o := observe(t, Options{}, w.server)
	const address = "10.77.0.2:9081"
	listener := w.server.Listen(address)
	o.deafenAll()
	client, server := w.client.Connect(listener, address)
	write(t, client, 1000)
	read(t, server, 1000)
	client.SetLinger(0)
	client.Close()
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Fatal(err)
	}
	server.Close()
	o.wantEnded(outcome{conn.RoleServer, conn.Closed, "_OTHER", 0, 1000})
}

// Beside socket_state, socket_state_again finds nothing to do: no attempt counts twice.
func TestStateAgainBesideState(t *testing.T) {
	w := newWire(t)
	o := observe(t, Options{again: true}, w.client, w.server)
	const address = "10.77.0.2:9081"
	listener := w.server.Listen(address)
	client, server := w.client.Connect(listener, address)
	client.Close()
	server.Close()
	for _, c := range o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 0, 0}, outcome{conn.RoleServer, conn.Closed, "", 0, 0}) {
		if want := map[conn.Role]uint32{conn.RoleClient: 1, conn.RoleServer: 1}[c.Role]; c.ID.Generation != want {
			t.Errorf("the %v's end has generation %d, want %d", c.Role, c.ID.Generation, want)
		}
		if c.Role == conn.RoleClient && c.Handshake == 0 {
			t.Error("the client's handshake has no time")
		}
	}
}

// A packet that one processor hands over to another interrupts whatever runs there, netconn's programs too. What they
// miss then is reported later.
func TestProgramsThatInterruptThemselves(t *testing.T) {
	const workers = 8
	each := load(1000)
	n := testnet.New(t)
	if err := n.Namespace.Command("unshare", "--mount", "sh", "-c",
		"mount -t sysfs none /sys && echo 3 >/sys/class/net/lo/queues/rx-0/rps_cpus"); err != nil {
		testnet.Require(t, err)
	}
	unseen := untraced.Watch(t, n.Namespace)
	o := observe(t, Options{}, n)
	l := n.Listen("127.0.0.1:9080")
	go echo(l)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			n.Do(func() {
				for range each {
					if err := visit("127.0.0.1:9080"); err != nil {
						t.Error(err)
						return
					}
				}
			})
		})
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	for visiting := true; visiting; {
		select {
		case <-done:
			visiting = false
		case <-time.After(2 * time.Millisecond):
		}
		if err := o.Drain(o.handler()); err != nil {
			t.Fatal(err)
		}
	}
	waitClosed(t, n)
	o.until("the clients", func() bool { return o.of(conn.RoleClient) == workers*each })
	interrupted := must(o.objects.SocketState.Stats())(t).RecursionMisses
	if interrupted == 0 {
		t.Skip("nothing was interrupted: it takes two processors that are not busy otherwise")
	}
	for _, c := range o.ended {
		if got := (outcome{c.Role, c.Phase, c.Error.String(), c.Counts[conn.Sent], c.Counts[conn.Received]}); got != (outcome{c.Role, conn.Closed, "", 1, 1}) {
			t.Errorf("told of %+v", c)
		}
	}
	lost := uint64(workers*each - o.of(conn.RoleServer))
	t.Logf("%d runs missed, %d packets without programs, %d servers not reported", interrupted, unseen.Count(), lost)
	if lost > unseen.Count() {
		t.Errorf("%d servers are not reported, and %d packets were handled without programs", lost, unseen.Count())
	}
}

// of counts the ended connections with a role.
func (w *observer) of(role conn.Role) (count int) {
	for _, c := range w.ended {
		if c.Role == role {
			count++
		}
	}
	return count
}

func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

// visit sends one byte, and waits until it is back and the other side has ended too.
func visit(address string) error {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, c)
	return err
}
