//go:build unix

package netmapextension

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The oldest answers make room for new ones, whatever their size.
func TestTheOldestAnswerMakesRoom(t *testing.T) {
	o := outbox{limit: 100}
	var aborted []string
	add := func(name string, bytes int) *delivery {
		return o.add(bytes, func() { aborted = append(aborted, name) })
	}
	add("a", 40)
	b := add("b", 40)
	add("c", 20)
	if aborted != nil || o.bytes != 100 {
		t.Fatalf("%q are aborted at the limit, with %d bytes", aborted, o.bytes)
	}
	o.remove(b)
	o.remove(b)
	add("d", 41)
	if !slices.Equal(aborted, []string{"a"}) || o.bytes != 61 {
		t.Errorf("%q are aborted with %d bytes, want a", aborted, o.bytes)
	}
	large := add("larger than the limit", 500)
	if !slices.Equal(aborted, []string{"a", "c", "d"}) || o.bytes != 500 {
		t.Errorf("%q are aborted with %d bytes, want all but the last", aborted, o.bytes)
	}
	o.remove(large)
	if o.bytes != 0 || len(o.oldest) != 0 {
		t.Errorf("%d bytes of %d answers are left", o.bytes, len(o.oldest))
	}
}

// largeAnswer is the path of an answer of a megabyte, with the longest values.
const largeAnswer = "/api/v1/flows?limit=1000&spark=none&clients=pod,workload,namespace,node&servers=pod,workload,namespace,node"

// serveHostile serves the API of a map with large answers on a real socket. It returns the size of such an answer.
func serveHostile(t *testing.T) (a *api, address string, size int) {
	t.Helper()
	a = &api{
		kept:   noSignals(),
		source: &remoteSource{edges: hostile()}, timeout: time.Minute, slots: make(chan struct{}, maxConcurrent), outbox: outbox{limit: maxUnread},
	}
	listener, err := (&net.ListenConfig{Control: buffers(syscall.SO_SNDBUF)}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(a.handler())
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	w := ask(t, a.handler(), largeAnswer)
	if w.Code != http.StatusOK || w.Body.Len() < 1<<20 {
		t.Fatalf("%d with %d bytes %.200s", w.Code, w.Body.Len(), w.Body)
	}
	return a, listener.Addr().String(), w.Body.Len()
}

// buffers gives a socket small buffers, so that most of an answer waits in the server.
func buffers(option int) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) (err error) {
		failure := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, option, 16<<10) })
		return errors.Join(err, failure)
	}
}

// A stalled client has sent a request, and has read no more than the status line of the answer.
type stalled struct {
	net.Conn
	read *bufio.Reader
}

// stall connects a client that stalls.
func stall(t *testing.T, address string) *stalled {
	t.Helper()
	c, err := (&net.Dialer{Control: buffers(syscall.SO_RCVBUF)}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := &stalled{c, bufio.NewReaderSize(c, 16)}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", largeAnswer)
	if line, err := s.read.ReadString('\n'); err != nil || line != "HTTP/1.1 200 OK\r\n" {
		t.Fatalf("%q: %v", line, err)
	}
	return s
}

// cut reads, and reports whether the server has closed the connection before the whole answer was sent.
func (s *stalled) cut(t *testing.T) bool {
	t.Helper()
	if err := errors.Join(s.Conn.(*net.TCPConn).SetReadBuffer(1<<20), s.SetDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\n"), s.read)), nil)
	if err != nil {
		return true
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err != nil
}

// Clients that do not read their sockets do not block other clients, and get their answers when they read.
func TestSocketsThatAreNotRead(t *testing.T) {
	a, address, size := serveHostile(t)
	var all []*stalled
	for range maxConcurrent {
		all = append(all, stall(t, address))
	}
	if got := a.outbox.waiting(); got != maxConcurrent*size {
		t.Fatalf("%d bytes wait, want the answers of all %d clients, %d each", got, len(all), size)
	}
	for _, target := range targets {
		ctx, cancel := context.WithTimeout(t.Context(), queueTimeout/2)
		w := httptest.NewRecorder()
		a.handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil))
		cancel()
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	for i, s := range all {
		if s.cut(t) {
			t.Errorf("the answer of client %d was cut", i)
		}
	}
}

// Clients that do not read their sockets do not fill the memory: the connections of the oldest are closed.
func TestManySocketsThatAreNotRead(t *testing.T) {
	const clients, kept = 8, 3
	a, address, size := serveHostile(t)
	a.outbox.limit = kept*size + size/2
	var all []*stalled
	for range clients {
		all = append(all, stall(t, address))
	}
	if got := a.outbox.waiting(); got != kept*size {
		t.Errorf("%d bytes wait, want %d", got, kept*size)
	}
	for i, s := range all {
		if cut := s.cut(t); cut != (i < clients-kept) {
			t.Errorf("the answer of client %d of %d was cut: %v", i, clients, cut)
		}
	}
}

func (o *outbox) waiting() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}
