package signals

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/netconn/netconn/netmap/internal/snap"
)

func TestAnswerIsJSON(t *testing.T) {
	r := newRig(t, 0)
	r.spans(reviews, call{name: "<script>", at: noon})
	b, err := json.Marshal(r.server(reviews))
	if err != nil || !strings.Contains(string(b), `null`) || strings.Contains(string(b), "<script>") {
		t.Errorf("%s, %v", b, err)
	}
}

// read answers a range of the server reviews.
func (r *rig) read(from, to time.Time, step int64) *Side {
	r.t.Helper()
	e := snap.Edge{Client: endOf(attributes{"container.id": "x"}), Server: endOf(reviews)}
	a, err := r.Read(r.t.Context(), []*snap.Edge{&e}, snap.Range{From: from.Unix(), To: to.Unix(), Step: step}, Sides{Server: true}, false)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.Server
}

// A range has what happened in it, to the step.
func TestRange(t *testing.T) {
	r := newRig(t, 0)
	r.now = noon.Add(2 * time.Minute)
	for i := range 12 {
		at := noon.Add(time.Duration(i) * 10 * time.Second)
		r.spans(reviews, call{name: fmt.Sprint(i), at: at, took: time.Second, failed: i%2 == 0})
		r.records(reviews, record{at: at, severity: plog.SeverityNumberError, body: fmt.Sprint(i)})
	}
	s := r.read(noon.Add(20*time.Second), noon.Add(50*time.Second), fineStep)
	if diff := cmp.Diff([]uint64{1, 1, 1}, s.Served.NBy); diff != "" || s.Served.Errors != 2 {
		t.Errorf("%d errors; -want +got:\n%s", s.Served.Errors, diff)
	}
	var names []string
	for _, span := range s.Served.Slowest {
		names = append(names, span.Name)
	}
	for _, line := range s.Errors {
		names = append(names, "line "+line.Body)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"2", "3", "4", "line 2", "line 3", "line 4"}, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if s = r.read(noon, noon.Add(2*time.Minute), coarseStep); s.Served.N != 12 || !slices.Equal(s.Served.NBy, []uint64{6, 6}) {
		t.Errorf("by the minute: %v", s.Served.NBy)
	}
	if s = r.read(noon.Add(-time.Hour), noon, coarseStep); s.Served.N != 0 || len(s.Served.Slowest)+len(s.Errors) != 0 {
		t.Errorf("before: %+v", s.Served)
	}
}

// What 10 s steps say adds up to what minutes say.
func TestStepsAgree(t *testing.T) {
	r := newRig(t, 0)
	random := rand.New(rand.NewPCG(3, 4))
	r.now = noon.Add(4 * time.Minute)
	for range 300 {
		r.spans(reviews, call{at: noon.Add(time.Duration(random.IntN(240)) * time.Second), failed: random.IntN(3) == 0,
			took: time.Duration(random.IntN(2000)) * time.Millisecond})
	}
	fine, coarse := r.read(noon, r.now, fineStep).Served, r.read(noon, r.now, coarseStep).Served
	if fine.N != 300 || total(fine.NBy) != 300 || fine.N != coarse.N || fine.Errors != coarse.Errors || *fine.P95 != *coarse.P95 {
		t.Errorf("%d and %d calls, %d and %d errors", fine.N, coarse.N, fine.Errors, coarse.Errors)
	}
	for minute, n := range coarse.NBy {
		if got := total(fine.NBy[minute*6 : minute*6+6]); got != n {
			t.Errorf("minute %d: %d and %d", minute, got, n)
		}
	}
}

func TestMeansAndMaximaOfSteps(t *testing.T) {
	r := newRig(t, 0)
	r.now = noon.Add(20 * time.Second)
	r.spans(reviews, call{at: noon, took: time.Second}, call{at: noon, took: 3 * time.Second})
	s := r.read(noon, r.now, fineStep).Served
	if s.MeanBy[0] != 2 || s.MaxBy[0] != 3 || !math.IsNaN(s.MeanBy[1]) || !math.IsNaN(s.MaxBy[1]) || *s.Mean != 2 {
		t.Errorf("means %v, maxima %v", s.MeanBy, s.MaxBy)
	}
}

// Lists are limited, and have the most important first.
func TestListsAreLimited(t *testing.T) {
	r := newRig(t, 0)
	var edges []*snap.Edge
	for i := range 2 * maxUsage {
		container := attributes{"container.id": fmt.Sprint(i)}
		r.gauges(container, noon, map[string]float64{"container.cpu.usage": float64(i)})
		for range 3 {
			r.spans(container, call{at: noon, took: time.Duration(i) * time.Second, failed: true})
		}
		edges = append(edges, &snap.Edge{Client: endOf(attributes{"container.id": "x"}), Server: endOf(container)})
	}
	to := noon.Unix() + fineStep
	a, err := r.Read(t.Context(), edges, snap.Range{From: to - fineSpan, To: to, Step: fineStep}, Sides{Server: true}, false)
	if err != nil {
		t.Fatal(err)
	}
	s := a.Server
	if len(s.Usage) != maxUsage || s.Usage[0].CPU[29] != 2*maxUsage-1 || s.Usage[maxUsage-1].CPU[29] != maxUsage {
		t.Errorf("%d resources: %+v", len(s.Usage), s.Usage[0])
	}
	if len(s.Served.Slowest) != maxList || s.Served.Slowest[0].Duration != 2*maxUsage-1 || s.Served.N != 6*maxUsage {
		t.Errorf("%d spans: %+v", len(s.Served.Slowest), s.Served.Slowest)
	}
}

// Without signals, an answer has empty lists instead of null, and says that nothing was received.
func TestNothingIsKnown(t *testing.T) {
	r := newRig(t, 0)
	b, err := json.Marshal(r.read(noon, noon.Add(time.Minute), fineStep))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"resources", "slowest", "failed", "errors", "events"} {
		if !strings.Contains(string(b), `"`+list+`":[]`) {
			t.Errorf("%s is no empty list: %s", list, b)
		}
	}
	a, err := r.Read(t.Context(), nil, snap.Range{From: 0, To: 60, Step: 60}, Sides{}, false)
	if err != nil || a.Received != (Received{}) || a.Client != nil || len(a.T) != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	r := newRig(t, 0)
	r.spans(reviews, call{at: noon})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := snap.Edge{Client: endOf(reviews), Server: endOf(reviews)}
	if a, err := r.Read(ctx, []*snap.Edge{&e}, snap.Range{From: 0, To: 60, Step: 60}, Sides{Client: true}, false); err == nil {
		t.Errorf("%+v", a)
	}
}
