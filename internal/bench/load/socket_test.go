//go:build linux

package load

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// raw prepares the runtime for system calls that block without the scheduler's knowledge: each needs a processor, and
// no garbage collection may stop the world.
func raw(t *testing.T) {
	t.Helper()
	percent, processors := debug.SetGCPercent(-1), runtime.GOMAXPROCS(8)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		runtime.GOMAXPROCS(processors)
	})
}

// loopback listens on a free port of this machine, and returns the listener and its address.
func loopback(t *testing.T) (l int, at *unix.RawSockaddrInet4, address string) {
	t.Helper()
	raw(t)
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	free.Close()
	if at, err = endpoint(address); err != nil {
		t.Fatal(err)
	}
	if l, err = listen(at); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSocket(l) })
	return l, at, address
}

// pairOf returns both ends of a connection.
func pairOf(t *testing.T) (client, server int) {
	t.Helper()
	l, at, _ := loopback(t)
	client, err := connect(at)
	if err != nil {
		t.Fatal(err)
	}
	if server, err = accept(l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeSocket(client); closeSocket(server) })
	return client, server
}

// The port of a socket address is in network byte order.
func TestEndpoint(t *testing.T) {
	at, err := endpoint("10.97.0.2:258")
	if err != nil || at.Family != unix.AF_INET || at.Addr != [4]byte{10, 97, 0, 2} {
		t.Fatalf("got %+v, %v", at, err)
	}
	if l, at, address := loopback(t); l < 0 || at.Addr != [4]byte{127, 0, 0, 1} {
		t.Errorf("%s is %+v", address, at)
	}
	for _, bad := range []string{"", "127.0.0.1", "localhost:1", "127.0.0.1:65536"} {
		if at, err := endpoint(bad); err == nil {
			t.Errorf("%q is %+v", bad, at)
		}
	}
}

// A listener is where its address says: the standard library reaches it.
func TestListen(t *testing.T) {
	l, at, address := loopback(t)
	c, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fd, err := accept(l)
	if err != nil {
		t.Fatal(err)
	}
	closeSocket(fd)
	if _, err := listen(at); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("a second listener: %v", err)
	}
}

// What fails gives its socket back: the number of descriptors does not grow.
func TestNoDescriptorIsLeft(t *testing.T) {
	_, at, _ := loopback(t)
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	elsewhere, err := endpoint("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	before := count()
	for range 20 {
		if _, err := listen(at); err == nil {
			t.Fatal("two listen at one address")
		}
		if _, err := connect(elsewhere); !errors.Is(err, unix.ECONNREFUSED) {
			t.Fatalf("connect where nothing listens: %v", err)
		}
	}
	if after := count(); after > before+5 { // other tests and the runtime open some
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// More than the socket's buffers hold arrives whole and in its order.
func TestFull(t *testing.T) {
	client, server := pairOf(t)
	sent := make([]byte, 4<<20)
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	failed := make(chan error)
	go func() { failed <- writeFull(client, sent) }()
	got := make([]byte, len(sent))
	if err := readFull(server, got); err != nil || !bytes.Equal(sent, got) {
		t.Errorf("%v, or the bytes differ", err)
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// A connection that ends in the middle is an error, and a write to one that is closed raises no signal.
func TestFullOfAnEnd(t *testing.T) {
	client, server := pairOf(t)
	if err := writeFull(client, []byte("abc")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Shutdown(client, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	if err := readFull(server, make([]byte, 4)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("3 of 4 bytes: %v", err)
	}
	if err := writeFull(client, []byte("x")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("a write after the end: %v", err)
	}
}

// Reads and writes of a descriptor that is not there are errors, not 0 bytes.
func TestNoDescriptor(t *testing.T) {
	for name, err := range map[string]error{
		"read": readFull(-1, make([]byte, 1)), "write": writeFull(-1, make([]byte, 1)),
	} {
		if !errors.Is(err, unix.EBADF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := accept(-1); !errors.Is(err, unix.EBADF) {
		t.Errorf("accept: %v", err)
	}
	if err := toError(0); err != nil {
		t.Errorf("errno 0 is %v", err)
	}
}

// A server answers each whole request, and ends with the client. Half a request has no answer.
func TestRespond(t *testing.T) {
	client, server := pairOf(t)
	ended := make(chan struct{})
	go func() { respond(server, make([]byte, PieceSize)); closeSocket(server); close(ended) }()
	if err := writeFull(client, make([]byte, 2*RequestSize+RequestSize/2)); err != nil {
		t.Fatal(err)
	}
	if err := readFull(client, make([]byte, 2*ResponseSize)); err != nil {
		t.Error(err)
	}
	if err := unix.Shutdown(client, unix.SHUT_WR); err != nil {
		t.Fatal(err)
	}
	<-ended
	if err := readFull(client, make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("half a request: %v", err)
	}
}

// A server that discards reads everything, and ends with the client.
func TestDiscard(t *testing.T) {
	client, server := pairOf(t)
	ended := make(chan struct{})
	go func() { discard(server, make([]byte, 512)); close(ended) }()
	if err := writeFull(client, make([]byte, 8<<20)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		t.Error("it ended before the client")
	default:
	}
	closeSocket(client)
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it has not ended")
	}
}
