package pipeline

import (
	"encoding/binary"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/testnet"
)

// bell returns a descriptor that is readable from ring until answer, as a ring is from a record until a reading.
func bell(t *testing.T) (fd int, ring, answer func()) {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	ring = func() {
		if _, err := unix.Write(fd, binary.NativeEndian.AppendUint64(nil, 1)); err != nil {
			t.Error(err)
		}
	}
	answer = func() {
		if _, err := unix.Read(fd, make([]byte, 8)); err != nil {
			t.Error(err)
		}
	}
	return fd, ring, answer
}

func watch(t *testing.T, rings ...int) *waiter {
	t.Helper()
	w, err := newWaiter(rings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func TestWaiter(t *testing.T) {
	first, _, _ := bell(t)
	second, ring, answer := bell(t)
	w := watch(t, first, second)
	for name, wake := range map[string]func(){"a record": ring, "a poke": w.poke} {
		for _, waitsAlready := range []bool{false, true} {
			woken := make(chan bool)
			if !waitsAlready {
				wake()
			}
			go func() { woken <- !w.wait(time.Hour) }()
			if waitsAlready {
				time.Sleep(10 * time.Millisecond)
				wake()
			}
			if !<-woken {
				t.Errorf("%s: time has passed", name)
			}
			if name == "a record" {
				if w.wait(time.Hour) {
					t.Error("a record that was not read ends no other wait")
				}
				answer()
			}
			if !w.wait(time.Millisecond) {
				t.Errorf("%s ends another wait", name)
			}
		}
	}
	if w := watch(t); w.waits() || !w.wait(time.Hour) {
		t.Error("it waits for no ring")
	}
}

// The kernel wakes who waits at the first record after each reading.
func TestTheKernelWakesTheReader(t *testing.T) {
	n := testnet.New(t)
	listener := n.Listen("127.0.0.1:9080")
	s := openKernel(t, kernel.Options{})
	w := watch(t, s.Rings()...)
	for name, end := range map[string]func(){
		"an ended connection": func() {
			client, server := n.Connect(listener, "127.0.0.1:9080")
			client.Close()
			if _, err := io.Copy(io.Discard, server); err != nil {
				t.Error(err)
			}
			server.Close()
		},
		"a failed attempt": func() {
			if err := unix.Connect(n.Socket(unix.AF_INET), &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 1}); err == nil {
				t.Error("connected")
			}
		},
	} {
		for range 3 {
			if err := s.Drain(kernel.Handler{Conn: func(conn.Conn) {}}); err != nil {
				t.Fatal(err)
			}
			woken := make(chan bool)
			go func() { woken <- !w.wait(time.Minute) }()
			time.Sleep(10 * time.Millisecond) // so that it waits: nothing depends on it in a test that passes
			end()
			if !<-woken {
				t.Fatalf("%s does not wake the reader", name)
			}
		}
	}
}

// A pipeline is quiet when nothing that was reported waits to be looked up.
func TestQuiet(t *testing.T) {
	fd, _, _ := bell(t)
	s := &scripted{now: at(1000)}
	m := s.machine()
	open := m.Open
	m.Open = func() (Sockets, error) {
		sockets, err := open()
		sockets.Rings = []int{fd}
		return sockets, err
	}
	p, err := Open(options(t), m)
	if err != nil {
		t.Fatal(err)
	}
	read := func(want bool) {
		t.Helper()
		s.now = s.now.Add(DrainInterval)
		if err := p.Drain(s.now); err != nil {
			t.Fatal(err)
		}
		if got := p.Quiet(); got != want {
			t.Errorf("quiet: %v, want %v", got, want)
		}
	}
	read(true)
	s.reports = []conn.Conn{dialled(1, conn.Closed)}
	read(false) // the other end may come with the next reading
	read(true)  // it was looked up, and waits for its patience
	if !p.waiter.wait(time.Millisecond) {
		t.Error("nothing happened, and the reader is woken")
	}
	s.live = []conn.Conn{dialled(2, conn.Closed)} // which ended during the snapshot
	if _, err := p.Collect(s.now); err != nil {
		t.Fatal(err)
	}
	if p.waiter.wait(time.Hour) {
		t.Error("a collection has read an end, and the reader sleeps")
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
