package signals

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// The load of several ends is the sum of their containers' last samples, each container once, and the share of the
// container that is nearest to its limit.
func TestLoadsOfSeveralEnds(t *testing.T) {
	r := newRig(t, 0)
	proxy := attributes{"container.id": "c-proxy", "k8s.pod.uid": "u-reviews", "k8s.container.name": "istio-proxy"}
	other := attributes{"container.id": "c-other", "k8s.container.name": "other"}
	r.gauges(reviews, noon.Add(-time.Minute), map[string]float64{"container.cpu.usage": 3, "k8s.container.cpu_limit": 1})
	r.gauges(reviews, noon, map[string]float64{"container.cpu.usage": .5, "container.memory.working_set": 100,
		"k8s.container.memory_limit": 400})
	r.gauges(proxy, noon, map[string]float64{"container.cpu.usage": .25, "k8s.container.cpu_limit": .25})
	r.gauges(other, noon, map[string]float64{"container.memory.working_set": 7})
	r.spans(attributes{"container.id": "c-idle"}, call{at: noon})

	got := r.loads(
		[]*edge.End{endOf(reviews), endOf(proxy)}, // both are of one pod
		[]*edge.End{endOf(other)},
		[]*edge.End{endOf(attributes{"container.id": "c-idle"}), endOf(attributes{"container.id": "c-unknown"})},
		nil,
	)
	want := []*snap.Load{
		{Resources: 2, CPU: new(.75), CPUShare: new(1.), Memory: new(100.), MemoryShare: new(.25)},
		{Resources: 1, Memory: new(7.)},
		nil, nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("loads (-want +got):\n%s", diff)
	}
}

// A sample outside of the range is not the load.
func TestLoadOfARange(t *testing.T) {
	r := newRig(t, 0)
	r.gauges(reviews, noon, map[string]float64{"container.cpu.usage": .5})
	r.now = noon.Add(10 * time.Minute)
	if got := r.loads([]*edge.End{endOf(reviews)}); got[0] != nil {
		t.Errorf("ten minutes later: %+v", got[0])
	}
}

// A long range has long steps: the load is the last minute's mean of the processors, and its last sample of the memory.
func TestLoadOfALongRange(t *testing.T) {
	r := newRig(t, 0)
	for i, cpu := range []float64{.5, .25, .75} {
		at := noon.Add(time.Duration(i) * time.Second)
		r.gauges(reviews, at, map[string]float64{"container.cpu.usage": cpu, "container.memory.working_set": 100 * cpu})
	}
	to := noon.Add(time.Minute).Unix()
	to += coarseStep - to%coarseStep
	for name, from := range map[string]int64{"half an hour": to - 30*coarseStep, "only the last minute": to - coarseStep} {
		got, err := r.Loads(t.Context(), [][]*edge.End{{endOf(reviews)}}, snap.Range{From: from, To: to, Step: coarseStep}, false)
		if err != nil {
			t.Fatal(err)
		}
		want := []*snap.Load{{Resources: 1, CPU: new(.5), Memory: new(75.)}}
		if to-from == coarseStep {
			want = []*snap.Load{nil} // the samples are of the minute before
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A request that has ended ends the work.
func TestLoadsEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newRig(t, 0).Loads(ctx, [][]*edge.End{{endOf(reviews)}}, snap.Range{To: fineStep, Step: fineStep}, false)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// loads answers the loads of the last five minutes.
func (r *rig) loads(sets ...[]*edge.End) []*snap.Load {
	r.t.Helper()
	to := r.now.Unix()
	to += fineStep - to%fineStep
	all, err := r.Loads(r.t.Context(), sets, snap.Range{From: to - fineSpan, To: to, Step: fineStep}, false)
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// Sets that share an end have its load each, as rows with one client do.
func TestLoadsOfSetsThatShareAnEnd(t *testing.T) {
	r := newRig(t, 0)
	r.gauges(reviews, noon, map[string]float64{"container.cpu.usage": .5})
	end := endOf(reviews)
	want := &snap.Load{Resources: 1, CPU: new(.5)}
	if diff := cmp.Diff([]*snap.Load{want, want}, r.loads([]*edge.End{end, end}, []*edge.End{end})); diff != "" {
		t.Errorf("loads (-want +got):\n%s", diff)
	}
}

// The share is that of the container nearest to its limit, in whatever order they come; a container without a limit
// has none.
func TestShareOfTheNearestLimit(t *testing.T) {
	r := newRig(t, 0)
	var ends []*edge.End
	for id, c := range map[string]struct{ used, limit float64 }{"c-1": {.4, 1}, "c-2": {.3, .5}, "c-3": {9, 0}, "c-4": {.1, 1}} {
		container := attributes{"container.id": id}
		gauges := map[string]float64{"container.cpu.usage": c.used}
		if c.limit > 0 {
			gauges["k8s.container.cpu_limit"] = c.limit
		}
		r.gauges(container, noon, gauges)
		ends = append(ends, endOf(container))
	}
	got := r.loads(ends)[0]
	if got.Resources != 4 || *got.CPUShare != .6 || *got.CPU < 9.79 || *got.CPU > 9.81 {
		t.Errorf("%+v, share %v of %v CPU; want 0.6 of 9.8", got, *got.CPUShare, *got.CPU)
	}
}

// Over an hour, the last sample is that of the last minute that has one.
func TestLoadInMinutes(t *testing.T) {
	r := newRig(t, 0)
	r.gauges(reviews, noon.Add(-3*time.Minute), map[string]float64{"container.cpu.usage": .5, "container.memory.working_set": 8})
	r.gauges(reviews, noon.Add(-2*time.Minute), map[string]float64{"container.cpu.usage": .25})
	to := noon.Unix() + coarseStep
	got, err := r.Loads(t.Context(), [][]*edge.End{{endOf(reviews)}}, snap.Range{From: to - 3600, To: to, Step: coarseStep}, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*snap.Load{{Resources: 1, CPU: new(.25), Memory: new(8.)}}, got); diff != "" {
		t.Errorf("the load (-want +got):\n%s", diff)
	}
}
