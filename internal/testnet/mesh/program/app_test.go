//go:build linux

package program

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// client starts an application that only sends requests.
func client(t *testing.T, keep bool) (*App, *counter) {
	t.Helper()
	a, l := &App{KeepAlive: keep}, newCounter()
	if err := a.start(l); err != nil {
		t.Fatal(err)
	}
	return a, l
}

// A client that keeps its connections uses one for all requests in a row; else each has its own.
func TestKeepAlive(t *testing.T) {
	server := httpServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for keep, want := range map[bool]int{true: 1, false: 5} {
		a, l := client(t, keep)
		if err := a.ask(Ask{URL: server, Times: 5}); err != nil {
			t.Fatal(err)
		}
		if legs := l.legs(); len(legs) != 1 || legs[0].Connections != want || legs[0].Accepted {
			t.Errorf("kept %t: %+v, want %d connections to one address", keep, legs, want)
		}
	}
}

// Requests are sent as many at a time as is ordered, and no more.
func TestParallel(t *testing.T) {
	for parallel, want := range map[int]int64{0: 1, 1: 1, 3: 3} {
		var now, most atomic.Int64
		release := make(chan struct{})
		var once sync.Once
		server := httpServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			if n == want {
				once.Do(func() { close(release) })
			}
			select {
			case <-release:
			case <-time.After(10 * time.Second):
			}
		}))
		a, _ := client(t, false)
		if err := a.ask(Ask{URL: server, Times: 6, Parallel: parallel}); err != nil || most.Load() != want {
			t.Errorf("%d were ordered, %d came at once, %v", parallel, most.Load(), err)
		}
	}
}

// The time from one request to the next is kept.
func TestEvery(t *testing.T) {
	server := httpServer(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	a, _ := client(t, true)
	start := time.Now()
	if err := a.ask(Ask{URL: server, Times: 3, Every: 30 * time.Millisecond}); err != nil || time.Since(start) < 90*time.Millisecond {
		t.Errorf("three requests every 30 ms took %v, %v", time.Since(start), err)
	}
}

// A failed request does not end an order: the first error is returned when all requests were sent.
func TestAskGoesOn(t *testing.T) {
	var served atomic.Int64
	server := httpServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := served.Add(1); n < 3 {
			http.Error(w, fmt.Sprint("number ", n), http.StatusTeapot)
		}
	}))
	a, _ := client(t, true)
	err := a.ask(Ask{URL: server, Times: 5})
	if err == nil || !strings.Contains(err.Error(), "418") || !strings.Contains(err.Error(), "number 1") || served.Load() != 5 {
		t.Errorf("%v after %d requests", err, served.Load())
	}
}

// An answer that is cut short is an error, and so is a URL that is none.
func TestGetFails(t *testing.T) {
	cut := httpServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "short")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	a, _ := client(t, false)
	for url, want := range map[string]string{
		cut: "unexpected EOF", ":": "missing protocol scheme", "http://name:80/": "unable to parse IP", "http://127.0.0.1:1/": "refused",
	} {
		if err := a.get(t.Context(), url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// The answer has as many bytes as the application was given, whatever the request.
func TestAnswer(t *testing.T) {
	for _, size := range []int{0, 1, 5183} {
		a := &App{Answer: size}
		if err := a.start(newCounter()); err != nil {
			t.Fatal(err)
		}
		r, err := http.Get(httpServer(t, a))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || len(body) != size {
			t.Errorf("%d bytes, %v; want %d", len(body), err, size)
		}
	}
}

// An application that cannot listen does not start, and says which of the roles failed.
func TestPortIsTaken(t *testing.T) {
	_, at := listenOn(t, "0.0.0.0:0")
	err := (Role{App: &App{Port: at.Port()}}).start(newCounter())
	if !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
	if err := (Role{}).start(newCounter()); err != nil {
		t.Errorf("no role: %v", err)
	}
}

// Only an application sends requests. An order without anything is a report, and no error.
func TestExecute(t *testing.T) {
	p := &process{count: newCounter()}
	if err := p.execute(Order{}); err != nil {
		t.Error(err)
	}
	if err := p.execute(Order{Ask: &Ask{}}); err == nil || err.Error() != "send requests: only an application does" {
		t.Errorf("before the start: %v", err)
	}
	if err := p.execute(Order{Start: &Role{App: &App{}}}); err != nil {
		t.Fatal(err)
	}
	if err := p.execute(Order{Ask: &Ask{URL: "http://127.0.0.1:1/", Times: 1}}); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("after it: %v", err)
	}
}

// Accepted connections come first, then by port, by original destination, by the other end.
func TestOrderOfLegs(t *testing.T) {
	at := netip.MustParseAddrPort
	want := []Key{
		{Accepted: true, Port: 1, Original: at("10.0.0.1:1"), Remote: at("10.0.0.9:0")},
		{Accepted: true, Port: 2, Original: at("10.0.0.1:1"), Remote: at("10.0.0.8:0")},
		{Accepted: true, Port: 2, Original: at("10.0.0.1:2"), Remote: at("10.0.0.7:0")},
		{Accepted: true, Port: 2, Original: at("10.0.0.2:1"), Remote: at("10.0.0.6:0")},
		{Remote: at("10.0.0.1:1")},
		{Remote: at("10.0.0.1:2")},
		{Remote: at("10.0.0.2:1")},
	}
	for range 20 { // a map has no order
		l := newCounter()
		for _, k := range want {
			l.count[k] = &Leg{Key: k}
		}
		var got []Key
		for _, leg := range l.legs() {
			got = append(got, leg.Key)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}

// A connection that is closed twice is one less once. Those with the same key are counted together.
func TestCloseTwice(t *testing.T) {
	l := newCounter()
	_, first := pipe(t, l)
	_, second := pipe(t, l)
	first.Close()
	first.Close()
	legs := l.legs()
	if len(legs) != 1 || legs[0].Connections != 2 || legs[0].Open != 1 {
		t.Errorf("got %+v, want two connections, one of them open", legs)
	}
	second.Close()
	if legs := l.legs(); legs[0].Open != 0 || legs[0].Connections != 2 {
		t.Errorf("got %+v, want none open", legs)
	}
}

// Only bytes that the kernel took or gave are counted, also by a call that fails.
func TestBytesOfFailedCalls(t *testing.T) {
	l := newCounter()
	client, accepted := pipe(t, l)
	if _, err := client.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	client.CloseWrite()
	if text, err := io.ReadAll(accepted); err != nil || string(text) != "abc" {
		t.Fatalf("%q, %v", text, err)
	}
	accepted.Close()
	if n, err := accepted.Write([]byte("more")); n != 0 || err == nil {
		t.Errorf("a write after the end: %d, %v", n, err)
	}
	if n, err := accepted.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("a read after the end: %d, %v", n, err)
	}
	if leg := l.legs()[0]; leg.Received != 3 || leg.Sent != 0 {
		t.Errorf("%d received, %d sent, want 3 and 0", leg.Received, leg.Sent)
	}
}

// An IPv4 address of a socket of both families is an IPv4 address.
func TestUnmapped(t *testing.T) {
	mapped := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("[::ffff:10.0.0.1]:80"))
	if got := addrPort(mapped); got != netip.MustParseAddrPort("10.0.0.1:80") {
		t.Errorf("got %v", got)
	}
	if got := addrPort(net.TCPAddrFromAddrPort(netip.MustParseAddrPort("[fd00::1]:80"))); got.String() != "[fd00::1]:80" {
		t.Errorf("got %v, want the IPv6 address as it is", got)
	}
}

// A server with only a port listens in both families; what accepts connections ends with its listener.
func TestListenInBothFamilies(t *testing.T) {
	all, err := listen(0, false)
	if err != nil || len(all) != 2 || !addrPort(all[0].Addr()).Addr().Is4() || !addrPort(all[1].Addr()).Addr().Is6() {
		t.Fatalf("listeners %v, %v; want one of each family", all, err)
	}
	ended := make(chan struct{})
	for _, l := range all {
		go func() {
			acceptEach(l, func(c *net.TCPConn) { c.Close() })
			ended <- struct{}{}
		}()
		l.Close()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatalf("%v: it still accepts", l.Addr())
		}
	}
}

// If a port of a sidecar is taken, the sidecar does not start, and says so.
func TestSidecarPortIsTaken(t *testing.T) {
	for _, port := range []uint16{OutboundPort, InboundPort} {
		testnet.New(t).Do(func() {
			l, err := listenAt(netip.AddrPortFrom(netip.IPv4Unspecified(), port))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			err = Role{Sidecar: &Sidecar{}}.start(newCounter())
			if !errors.Is(err, unix.EADDRINUSE) || !strings.HasPrefix(err.Error(), "listen as a sidecar: ") {
				t.Errorf("port %d: %v", port, err)
			}
		})
	}
}

// A connection is dialled from the address that was given, and fails from one that the machine does not have.
func TestDialFrom(t *testing.T) {
	l, at := listenOn(t, "127.0.0.1:0")
	tell(l)
	c, err := dial(t.Context(), netip.MustParseAddr("127.0.0.6"), at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if from := addrPort(c.LocalAddr()).Addr(); from != netip.MustParseAddr("127.0.0.6") {
		t.Errorf("from %s", from)
	}
	if c, err := dial(t.Context(), netip.MustParseAddr("192.0.2.1"), at); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("from an address of another machine: %v, %v", c, err)
	}
}
