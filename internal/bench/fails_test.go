//go:build linux

package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/testnet"
)

// A part that fails says what it measured, ends its load, and adds no figure: a table with half of its rows would be
// read as the whole.
func TestPartsThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(*bench) error
		want string
	}{
		"churn": {func(b *bench) error { return b.dataPath(churn)() }, "measure with netconn: start the collector: "},
		"bpf":   {(*bench).bpf, "measure BPF of churn: start the collector: "},
		"cost":  {(*bench).cost, "churn at 200 a second: start the collector: "},
		"nat":   {func(b *bench) error { _, err := b.translated(); return err }, "resolve connections to 10.97.0.2: start the collector: "},
		"idle":  {func(b *bench) error { _, err := b.idleNamespaces(); return err }, "watch 0 namespaces: start the collector: "},
		"live":  {(*bench).live, "collect no sockets: start the collector: "},
	} {
		b := newBench(t)
		s := withScript(t, b)
		b.program = "/nonexistent"
		if err := c.run(b); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if len(s.starts()) > 0 {
			s.checkEnded()
		}
		for _, table := range b.tables {
			if len(table.Rows) > 0 {
				t.Errorf("%s: rows %v", name, table.Rows)
			}
		}
		if len(b.goals) > 0 {
			t.Errorf("%s: goals %v", name, b.goals)
		}
	}
}

// After a part that fails, the others run.
func TestPartsAfterOneThatFails(t *testing.T) {
	b := newBench(t)
	withScript(t, b)
	b.program = "/nonexistent"
	err := b.measureParts("live,cost")
	for _, part := range []string{"live: collect no sockets: ", "cost: churn at 200 a second: "} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v, want %s", err, part)
		}
	}
}

// A load that cannot start is the error of each part, with what was to be measured.
func TestPartsWithoutLoad(t *testing.T) {
	for name, c := range map[string]struct {
		run  func(*bench) error
		want string
	}{
		"bulk": {func(b *bench) error { return b.dataPath(bulk)() }, "start discard: no room"},
		"bpf":  {(*bench).bpf, "measure BPF of churn: start respond: no room"},
		"cost": {(*bench).cost, "churn at 200 a second: start respond: no room"},
		"ring": {(*bench).ring, "churn with a ring of 4194304 bytes: start respond: no room"},
		"nat":  {func(b *bench) error { _, err := b.translated(); return err }, "resolve connections to 10.97.0.2: start respond: no room"},
	} {
		b := newBench(t)
		s := withScript(t, b)
		for _, role := range []string{"respond", "discard"} {
			s.refuse(role)
		}
		if err := c.run(b); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		s.checkEnded()
	}
}

// A variant that cannot end is an error even if its samples were taken.
func TestVariantThatDoesNotEnd(t *testing.T) {
	b := newBench(t)
	withScript(t, b)
	g := newLoad(t, b, churn)
	failure := errors.New("end: failed")
	v := variant{"x", func() (*running, error) { return &running{stop: func() error { return failure }}, nil }}
	samples, err := b.measureWith(g, v)
	if !errors.Is(err, failure) || len(samples) != 2 {
		t.Errorf("%d samples, %v", len(samples), err)
	}
}

// A snapshot that does not have all sockets is an error: its time would be that of a smaller one.
func TestPassesThatMissSockets(t *testing.T) {
	r, err := newReader()
	if err != nil {
		testnet.Require(t, err)
	}
	defer r.Close()
	const more = 10_000_000 // than any machine of a test has
	failure := errors.New("touch: failed")
	times, err := r.timePasses(more, func() error { return failure })
	if len(times) != 6 || !errors.Is(err, failure) || strings.Count(err.Error(), "of 10000000 sockets") != 4 {
		t.Errorf("%d times, %v", len(times), err)
	}
}

// The ring is emptied until every end of the load is there. What others close, and what is still open, does not count.
func TestDrainCountsTheLoad(t *testing.T) {
	s, err := kernel.Open(kernel.Options{})
	if err != nil {
		testnet.Require(t, err)
	}
	defer s.Close()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ran := make(chan error, 1)
	ran <- nil
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Base(program)
	var ends []net.Conn
	for range 3 {
		client, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write(make([]byte, 7)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, client, server)
	}
	for _, c := range ends[:4] { // two connections close, one stays
		c.Close()
	}
	defer ends[4].Close()
	defer ends[5].Close()
	var got drained
	if err := got.drain(s, own, ran, func() uint64 { return 4 }); err != nil {
		t.Fatal(err)
	}
	if got.ends != 4 || got.sent != 14 {
		t.Errorf("%d ends that sent %d bytes, want 4 and 14", got.ends, got.sent)
	}
	var other drained
	failure := errors.New("run: failed")
	ran <- failure
	if err := other.drain(s, "another", ran, func() uint64 { return 0 }); !errors.Is(err, failure) || other.ends != 0 {
		t.Errorf("%d ends of another program, %v", other.ends, err)
	}
}

// If iptables refuses a translation, the error has its words. If it does not, the entries of connection tracking expire
// soon.
func TestTranslationThatIsRefused(t *testing.T) {
	p := newPair(t)
	if err := translate(p, "nonsense"); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("no address: %v", err)
	}
	if err := translate(p, serviceAddress); err != nil {
		t.Fatal(err)
	}
	for _, state := range []string{"time_wait", "close", "last_ack"} {
		name := "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_" + state
		if err := p.Client.Command("grep", "-qx", "5", name); err != nil {
			t.Errorf("%s: %v", state, err)
		}
	}
}

// The goals of short connections are fixed; others are compared with the noise, and never more strictly than the aim.
func TestGoalsShowTheNoise(t *testing.T) {
	noise := &comparison{rate: []float64{0.9, 1, 1.1}, cpu: []float64{0.8, 1, 1.2}}
	goals := dataPathGoals(request, &comparison{rate: []float64{1}, cpu: []float64{1}}, noise)
	want := []report.Goal{
		{What: "request/response: operations, ratio", Limit: 0.9, Aim: 0.995, Measured: 1, AtLeast: true,
			Remark: "noise 1.000 (0.900 to 1.100)"},
		{What: "request/response: CPU per operation, ratio", Limit: 1.2, Aim: 1.005, Measured: 1,
			Remark: "noise 1.000 (0.800 to 1.200)"},
	}
	if diff := cmp.Diff(want, goals); diff != "" {
		t.Errorf("goals (-want +got):\n%s", diff)
	}
}
