//go:build linux

package program

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answersTo returns what a process answers to the orders that it reads until the end.
func answersTo(t *testing.T, in io.Reader) (all []Answer) {
	t.Helper()
	var out bytes.Buffer
	if err := serve(in, &out); err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var a Answer
		if err := decoder.Decode(&a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func orders(t *testing.T, all ...Order) string {
	t.Helper()
	var b strings.Builder
	for _, o := range all {
		if err := json.NewEncoder(&b).Encode(o); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// slowly gives one order at a time, as a caller does that waits for the answers.
func slowly(text string) io.Reader {
	in, out := io.Pipe()
	go func() {
		for line := range strings.Lines(text) {
			_, _ = io.WriteString(out, line)
			time.Sleep(50 * time.Millisecond)
		}
		out.Close()
	}()
	return in
}

func TestServe(t *testing.T) {
	got := answersTo(t, slowly(orders(t, Order{Ask: &Ask{URL: "http://127.0.0.1:1/", Times: 1}}, Order{Start: &Role{App: &App{}}}, Order{})))
	want := []Answer{{Error: "send requests: only an application does"}, {}, {}, {Last: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if err := serve(strings.NewReader("nonsense\n"), io.Discard); err == nil {
		t.Error("nonsense is an order")
	}
}

// What takes for ever does not outlive the input.
func TestServeEndsInTheMiddle(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // it never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := answersTo(t, slowly(orders(t,
		Order{Start: &Role{App: &App{}}}, Order{Ask: &Ask{URL: "http://" + l.Addr().String() + "/", Times: 1}})))
	if len(got) != 2 || !got[1].Last || len(got[1].Legs) != 1 || got[1].Legs[0].Connections != 1 {
		t.Errorf("answers: %+v, want the last one to tell of the connection", got)
	}
}

// pipe returns both ends of a connection, the accepted one counted.
func pipe(t *testing.T, l *counter) (client *net.TCPConn, accepted countedConn) {
	t.Helper()
	listener, err := listenAt(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := listener.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); a.Close() })
	original, err := originalDestination(a)
	if err != nil || original != addrPort(a.LocalAddr()) {
		t.Errorf("original destination %v, %v: nothing was translated", original, err)
	}
	return c.(*net.TCPConn), l.accepted(a, 7, netip.MustParseAddrPort("10.96.1.3:9080"))
}

// A relay carries both directions and counts both hops; a half that is closed on one is closed on the other, and no
// more.
func TestRelay(t *testing.T) {
	l := newCounter()
	client, down := pipe(t, l)
	server, up := pipe(t, l)
	done := make(chan struct{})
	go func() { relay(down, up); close(done) }()
	const there, back = 100_003, 50_001
	go func() {
		_, _ = client.Write(make([]byte, there))
		client.CloseWrite()
	}()
	if n, err := io.Copy(io.Discard, server); n != there || err != nil {
		t.Errorf("%d bytes arrive, %v", n, err)
	}
	if _, err := server.Write(make([]byte, back)); err != nil {
		t.Error(err)
	}
	server.Close()
	if n, err := io.Copy(io.Discard, client); n != back || err != nil {
		t.Errorf("%d bytes come back, %v", n, err)
	}
	<-done
	want := []Leg{{
		Key:         Key{Accepted: true, Port: 7, Original: netip.MustParseAddrPort("10.96.1.3:9080"), Remote: netip.MustParseAddrPort("127.0.0.1:0")},
		Connections: 2, Sent: there + back, Received: there + back,
	}}
	if diff := cmp.Diff(want, l.legs(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("legs (-want +got):\n%s", diff)
	}
}

// An end that resets resets the other hop, and closing twice is counted once.
func TestRelayBreaks(t *testing.T) {
	l := newCounter()
	client, down := pipe(t, l)
	server, up := pipe(t, l)
	done := make(chan struct{})
	go func() { relay(down, up); close(done) }()
	_ = client.SetLinger(0)
	client.Close()
	if _, err := io.Copy(io.Discard, server); err == nil {
		t.Error("the other hop was closed by agreement")
	}
	<-done
	down.Close()
	if legs := l.legs(); legs[0].Open != 0 || legs[0].Connections != 2 {
		t.Errorf("%+v", legs[0])
	}
}

// An application answers when all that it calls have, and passes on that one has not.
func TestApp(t *testing.T) {
	l := newCounter()
	last := &App{Answer: 48}
	if err := last.start(l); err != nil {
		t.Fatal(err)
	}
	server := httpServer(t, last)
	first := &App{Answer: 5, Calls: []string{server}}
	if err := first.start(l); err != nil {
		t.Fatal(err)
	}
	if err := first.ask(Ask{URL: httpServer(t, first), Times: 4, Parallel: 2}); err != nil {
		t.Error(err)
	}
	first.Calls = append(first.Calls, "http://127.0.0.1:1/")
	err := first.ask(Ask{URL: httpServer(t, first), Times: 1})
	if err == nil || !strings.Contains(err.Error(), "502 Bad Gateway") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("a call that is refused: %v", err)
	}
	connections := 0
	for _, leg := range l.legs() {
		connections += leg.Connections
	}
	if connections != 4+4+1+1 { // nothing is kept; what is refused is no connection
		t.Errorf("%d connections in %+v", connections, l.legs())
	}
}

func httpServer(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := listenAt(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = http.Serve(l, h) }()
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String() + "/"
}

// The endpoints of a service are dialled in turn, whatever is asked of other services; what is no service is dialled
// as it is.
func TestChoose(t *testing.T) {
	a, b, service := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:1"), netip.MustParseAddrPort("10.96.0.1:1")
	p := &proxy{Sidecar: Sidecar{Endpoints: map[string][]netip.AddrPort{service.String(): {a, b}}}, turns: make(map[netip.AddrPort]int)}
	var got []netip.AddrPort
	for _, w := range []way{{original: service}, {original: a}, {original: service}, {original: service}, {inbound: true, original: service}} {
		got = append(got, p.choose(w))
	}
	want := []netip.AddrPort{b, a, a, b, service}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("chosen (-want +got):\n%s", diff)
	}
}

func TestReadLine(t *testing.T) {
	for text, want := range map[string]string{"10.0.0.1:80\nrest": "10.0.0.1:80", "no end": "", strings.Repeat("x", 100) + "\n": ""} {
		l := newCounter()
		client, accepted := pipe(t, l)
		_, _ = io.WriteString(client, text)
		client.CloseWrite()
		got, err := readLine(accepted)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
		if rest, _ := io.ReadAll(accepted); want != "" && string(rest) != "rest" {
			t.Errorf("%q is left of %q", rest, text)
		}
	}
}
