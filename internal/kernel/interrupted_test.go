//go:build linux

package kernel

import (
	"errors"
	"io"
	"net"
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
		o.deafen()
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
		o.deafen()
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
		o.deafen()
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
		o.deafen()
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
		o.deafen()
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
	o.deafen()
	w.server.Command("iptables", "-D", "INPUT", "-j", "DROP")
	c := must(w.listener.AcceptTCP())(t)
	defer c.Close()
	o.snapshot(true)
	if got := o.liveOf(conn.RoleClient); got.Handshake != 0 || got.Age < time.Millisecond {
		t.Errorf("a handshake of %v in a life of %v, want none", got.Handshake, got.Age)
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
	stats := must(o.Stats())(t)
	if stats.Missed == 0 {
		t.Skip("nothing was interrupted: it takes two processors that are not busy otherwise")
	}
	for _, c := range o.ended {
		if got := (outcome{c.Role, c.Phase, c.Error.String(), c.Counts[conn.Sent], c.Counts[conn.Received]}); got != (outcome{c.Role, conn.Closed, "", 1, 1}) {
			t.Errorf("told of %+v", c)
		}
	}
	lost := uint64(workers*each - o.of(conn.RoleServer))
	t.Logf("%d runs missed, %d packets without programs, %d servers not reported", stats.Missed, unseen.Count(), lost)
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
