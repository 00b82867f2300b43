//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/bench/testbed"
)

// A client and its server have a core and a port of their own. The client connects to the address that it is given.
func TestProcessesOfALoad(t *testing.T) {
	b := newBench(t)
	s := withScript(t, b)
	g, err := newLoadGen(newPair(t), b.load, bulk, 2, serviceAddress)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"discard 0 10.97.0.2:9000", "bulk 0 10.97.0.100:9000", "discard 1 10.97.0.2:9001", "bulk 1 10.97.0.100:9001",
	}
	if diff := cmp.Diff(want, s.starts()); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
	for range 2 {
		if err := g.stop(); err != nil {
			t.Error(err)
		}
	}
	s.checkEnded()
}

// The rate is that of all clients; servers get no order.
func TestRateIsThatOfAllClients(t *testing.T) {
	for rate, each := range map[int]string{0: "", 1001: `,"Rate":500`} {
		b := newBench(t)
		s := withScript(t, b)
		g, err := newLoadGen(newPair(t), b.load, churn, 2, testbed.ServerAddress)
		if err != nil {
			t.Fatal(err)
		}
		got, err := g.run(2*time.Second, rate)
		if err != nil {
			t.Fatal(err)
		}
		want := sample{Operations: 200, Rate: 100, P99: 2e-6}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(sample{}, "CPU"), cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("sample (-want +got):\n%s", diff)
		}
		order := `{"Do":"run","For":2000000000` + each + `}`
		sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
		if diff := cmp.Diff([]string{"churn 0 " + order, "churn 1 " + order}, s.orders(), sorted); diff != "" {
			t.Errorf("rate %d, orders (-want +got):\n%s", rate, diff)
		}
		if err := g.stop(); err != nil {
			t.Error(err)
		}
	}
}

// What a client reports as an error is that of the sample, and so is an answer that cannot be read.
func TestLoadThatFails(t *testing.T) {
	for answer, want := range map[string]string{
		`{"Error": "connect: refused"}`: "connect: refused",
		`{"Operations": 0}`:             "run for 1s: no operation ended",
		`nonsense`:                      "read an answer of load: invalid character",
	} {
		b := newBench(t)
		s := withScript(t, b)
		s.answer("request", answer)
		g, err := newLoadGen(newPair(t), b.load, request, 1, testbed.ServerAddress)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.run(time.Second, 0); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", answer, err)
		}
		_ = g.stop()
	}
}

// A client that ends is an error of the next sample, not an endless wait.
func TestClientThatEnds(t *testing.T) {
	b := newBench(t)
	withScript(t, b)
	g, err := newLoadGen(newPair(t), b.load, churn, 1, testbed.ServerAddress)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = g.stop() }()
	g.clients[0].CloseInput()
	if _, err := g.run(time.Second, 0); err == nil {
		t.Error("a client that has ended has run")
	}
}

// Where a process does not start, those that did end again.
func TestLoadThatDoesNotStart(t *testing.T) {
	for role, started := range map[string]int{"respond": 1, "churn": 2} {
		b := newBench(t)
		s := withScript(t, b)
		s.refuse(role)
		_, err := newLoadGen(newPair(t), b.load, churn, 2, testbed.ServerAddress)
		if want := "start " + role + ": no room"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if got := s.starts(); len(got) != started {
			t.Errorf("%s: %q were started", role, got)
		}
		s.checkEnded()
	}
	b := newBench(t)
	if _, err := newLoadGen(newPair(t), "/nonexistent", churn, 1, testbed.ServerAddress); err == nil {
		t.Errorf("%s has started", b.load)
	}
}

// A warm-up of a fifth precedes the samples: the first moments after a pause are slower.
func TestWarmUp(t *testing.T) {
	b := newBench(t)
	b.slice = 100 * time.Millisecond
	s := withScript(t, b)
	g := newLoad(t, b, churn)
	samples, err := b.measure(g, 2)
	if err != nil || len(samples) != 2 {
		t.Errorf("%d samples, %v", len(samples), err)
	}
	var lengths []string
	for _, o := range s.orders() {
		_, length, _ := strings.Cut(o, `"For":`)
		lengths = append(lengths, strings.TrimSuffix(length, "}"))
	}
	if diff := cmp.Diff([]string{"20000000", "100000000", "100000000"}, lengths); diff != "" {
		t.Errorf("lengths in ns (-want +got):\n%s", diff)
	}
	s.answer("churn", `{"Error": "broken"}`)
	if samples, err := b.measure(g, 2); err == nil || samples != nil {
		t.Errorf("%v, %v of a load that fails", samples, err)
	}
}

// The parts of idle sockets: each process has an address, and so all ports; an order has the process' share.
func TestOrdersToIdleSockets(t *testing.T) {
	b := newBench(t)
	s := withScript(t, b)
	s.answer("idle", "{}")
	idle, err := newIdleSockets(b.load, 2*idlePerProcess+10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"idle -1 127.1.0.1:9000", "idle -1 127.1.1.1:9000"}, s.starts()); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
	if err := idle.do("touch"); err != nil {
		t.Error(err)
	}
	want := []string{`idle -1 {"Do":"touch","Count":9000}`, `idle -1 {"Do":"touch","Count":5}`}
	sorted := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	if diff := cmp.Diff(want, s.orders(), sorted); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}
	s.answer("idle", `{"Error": "too many open files"}`)
	if err := idle.do("open"); err == nil || err.Error() != "too many open files\ntoo many open files" {
		t.Errorf("both fail: %v", err)
	}
	if err := idle.close(); err != nil {
		t.Error(err)
	}
	s.checkEnded()
	s.refuse("idle")
	if _, err := newIdleSockets(b.load, 10); err == nil || err.Error() != "start idle: no room" {
		t.Errorf("a process that does not start: %v", err)
	}
}
