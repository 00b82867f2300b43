package signals

import (
	"sync"
	"testing"
	"time"

	"github.com/netconn/netconn/netmap/internal/snap"
)

// Answers are cached by the generation: it changes with everything that they show, and only then.
func TestGeneration(t *testing.T) {
	for name, c := range map[string]struct {
		send    func(*rig)
		changes bool
	}{
		"a span":              {func(r *rig) { r.spans(reviews, call{at: noon}) }, true},
		"a log record":        {func(r *rig) { r.records(reviews, record{at: noon}) }, true},
		"an event":            {func(r *rig) { r.records(reviews, record{at: noon, event: "netconn.connection.closed"}) }, true},
		"a point":             {func(r *rig) { r.gauges(reviews, noon, map[string]float64{"container.cpu.usage": 1}) }, true},
		"an unknown metric":   {func(r *rig) { r.gauges(reviews, noon, map[string]float64{"x": 1}) }, false},
		"without an identity": {func(r *rig) { r.spans(attributes{}, call{at: noon}) }, false},
		"too old":             {func(r *rig) { r.spans(reviews, call{at: noon.Add(-2 * time.Hour)}) }, false},
	} {
		r := newRig(t, 0)
		before := r.Generation()
		c.send(r)
		if got := r.Generation() != before; got != c.changes {
			t.Errorf("%s: the generation changed: %t", name, got)
		}
	}
}

func TestLeastMemory(t *testing.T) {
	for given, want := range map[int]int{0: 1 << 20, -1: 1 << 20, 64 << 20: 64 << 20} {
		s := New(Config{MaxBytes: given}).Status()
		if s.MaxBytes != want || s.MaxHeld != want/leastShare {
			t.Errorf("%d: %d bytes, %d sources", given, s.MaxBytes, s.MaxHeld)
		}
	}
}

// The clock of a store without one is that of the machine.
func TestPresent(t *testing.T) {
	r := newRig(t, 0)
	r.Store = New(Config{})
	r.now = time.Now()
	r.spans(reviews, call{at: r.now})
	if got := r.server(reviews).Served.N; got != 1 {
		t.Errorf("%d spans", got)
	}
}

// Signals come from several connections while answers are made.
func TestConcurrentUse(t *testing.T) {
	r := newRig(t, 1<<20)
	e := &snap.Edge{Client: endOf(reviews), Server: endOf(reviews)}
	span := snap.Range{From: noon.Unix() - fineSpan, To: noon.Unix() + fineStep, Step: fineStep}
	var all sync.WaitGroup
	for _, f := range []func(){
		func() { r.spans(reviews, call{at: noon, failed: true}) },
		func() { r.records(reviews, record{at: noon, event: "netconn.connection.closed"}) },
		func() { r.gauges(reviews, noon, map[string]float64{"container.cpu.usage": 1}) },
		func() { r.Status() },
		func() {
			if _, err := r.Read(t.Context(), []*snap.Edge{e}, span, Sides{true, true}, false); err != nil {
				t.Error(err)
			}
		},
	} {
		all.Go(func() {
			for range 50 {
				f()
			}
		})
	}
	all.Wait()
	if c := r.Status().Counts; c.Spans != 50 || c.Events != 50 || c.Points != 50 {
		t.Errorf("%+v", c)
	}
}
