//go:build linux

package load

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/netns"
	"github.com/netconn/netconn/internal/testnet/worker"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "load" {
		if err := Main(os.Args[2:]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// A story has a client and a server, in two namespaces.
type story struct {
	t       *testing.T
	pair    *testbed.Pair
	program string
}

func newStory(t *testing.T) *story {
	t.Helper()
	p, err := testbed.NewPair()
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { p.Close() })
	program, err := worker.Executable(t.TempDir(), "load-of-a-test")
	if err != nil {
		t.Fatal(err)
	}
	return &story{t, p, program}
}

func (s *story) start(role Role, in *netns.Namespace, address string) *Process {
	s.t.Helper()
	p, err := Start(Spec{Program: s.program, Role: role, Core: 0, Address: address, In: in})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = p.Stop() })
	return p
}

func (s *story) ask(p *Process, o Order) Report {
	s.t.Helper()
	r, err := p.Ask(o)
	if err != nil {
		s.t.Fatalf("%s: %v", o.Do, err)
	}
	return r
}

const address = testbed.ServerAddress + ":9000"

func TestClients(t *testing.T) {
	for _, c := range []struct{ client, server Role }{{Churn, Respond}, {Request, Respond}, {Bulk, Discard}} {
		t.Run(string(c.client), func(t *testing.T) {
			s := newStory(t)
			s.start(c.server, s.pair.Server, address)
			client := s.start(c.client, s.pair.Client, address)
			first := s.ask(client, Order{Do: "run", For: 20 * time.Millisecond})
			second := s.ask(client, Order{Do: "run", For: 20 * time.Millisecond})
			all := first.Operations + second.Operations
			want := Report{Operations: second.Operations}
			switch c.client {
			case Churn:
				want.Connections, want.Sent, want.Received = all, all*RequestSize, all*ResponseSize
			case Request:
				want.Connections, want.Sent, want.Received = 2, all*RequestSize, all*ResponseSize
			case Bulk:
				want.Connections, want.Sent = 2, all*PieceSize
			}
			if diff := cmp.Diff(want, second, cmpopts.IgnoreFields(Report{}, "P99")); diff != "" {
				t.Error(diff)
			}
			if first.Operations == 0 || second.Operations == 0 || second.P99 <= 0 {
				t.Errorf("nothing was done, or it took no time: %+v, %+v", first, second)
			}
		})
	}
}

func TestRate(t *testing.T) {
	s := newStory(t)
	s.start(Respond, s.pair.Server, address)
	client := s.start(Churn, s.pair.Client, address)
	r := s.ask(client, Order{Do: "run", For: 200 * time.Millisecond, Rate: 100})
	if r.Operations == 0 || r.Operations > 21 {
		t.Errorf("got %d operations in 0.2 s at 100 a second", r.Operations)
	}
}

func TestIdle(t *testing.T) {
	s := newStory(t)
	h := s.start(Idle, s.pair.Client, "127.1.2.1:9000")
	var got []Report
	for _, o := range []Order{{Do: "open", Count: 50}, {Do: "touch"}, {Do: "close"}, {Do: "touch"}} {
		got = append(got, s.ask(h, o))
	}
	opened := Report{Connections: 50, Sent: 50 * RequestSize, Received: 50 * ResponseSize}
	touched := Report{Connections: 50, Sent: 100 * RequestSize, Received: 100 * ResponseSize}
	if diff := cmp.Diff([]Report{opened, touched, touched, touched}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPod(t *testing.T) {
	s := newStory(t)
	s.ask(s.start(Pod, s.pair.Server, address), Order{Do: "listen"})
	client := s.start(Pod, s.pair.Client, address)
	var connections []uint64
	var last Report
	for _, o := range []Order{
		{Do: "open", Count: 3}, {Do: "churn", For: time.Millisecond, Rate: 1000}, {Do: "reopen", Count: 2}, {Do: "touch"}, {Do: "close"}, {Do: "touch"},
	} {
		r := s.ask(client, o)
		if o.Do != "close" && len(connections) < 4 && (r.Sent <= last.Sent || r.Received <= last.Received) {
			t.Errorf("%s carried nothing: %+v after %+v", o.Do, r, last)
		}
		last, connections = r, append(connections, r.Connections)
	}
	churned := connections[1] - 3
	if diff := cmp.Diff([]uint64{3, 3 + churned, 5 + churned, 5 + churned, 5 + churned, 5 + churned}, connections); diff != "" || churned == 0 {
		t.Error(diff)
	}
}

func TestRefusedOrders(t *testing.T) {
	s := newStory(t)
	for name, c := range map[string]struct {
		role  Role
		order Order
		want  string
	}{
		"a client has no server":             {Churn, Order{Do: "run", For: time.Second}, "connection refused"},
		"a client only runs":                 {Request, Order{Do: "jump"}, `understand "jump"`},
		"an idle process cannot run":         {Idle, Order{Do: "run"}, `understand "run"`},
		"a pod does not jump":                {Pod, Order{Do: "jump"}, `understand "jump"`},
		"a pod without a server":             {Pod, Order{Do: "open", Count: 1}, "connection refused"},
		"an idle process without an address": {Idle, Order{Do: "open", Count: 1}, "assign requested address"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.start(c.role, s.pair.Client, address).Ask(c.order)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestMainRefusesArguments(t *testing.T) {
	for name, arguments := range map[string][]string{
		"none": {}, "no core": {"idle", "x", address}, "no address": {"respond", "-1", "here"}, "too many": {"idle", "0", address, "now"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Main(arguments); err == nil {
				t.Error("they were taken")
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	s := newStory(t)
	if p, err := Start(Spec{Program: "/nonexistent", Role: Idle, Address: address, In: s.pair.Client}); err == nil {
		t.Errorf("started %v", p)
	}
	s.start(Respond, s.pair.Server, address)
	if p, err := Start(Spec{Program: s.program, Role: Respond, Core: 0, Address: address, In: s.pair.Server}); err == nil {
		t.Errorf("two listen at one address: %v", p)
	}
}
