package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/series"
)

var bounds = []float64{0.001, 0.01, 0.1}

// A world is a ledger, its clock, and the totals that a store has of it.
type world struct {
	*Ledger
	t     *testing.T
	now   time.Time
	start time.Time // of the agents
}

func newWorld(t *testing.T, change func(*Config)) *world {
	w := &world{t: t, now: time.Unix(1_800_000_000, 0)}
	c := Config{
		Tags: []names.Tag{names.TagImageTag}, Bounds: bounds, MaxEdges: 100, MaxFlows: 100, Expiry: 10 * time.Minute,
		Now: func() time.Time { return w.now },
	}
	if change != nil {
		change(&c)
	}
	w.Ledger = New(c)
	w.start = w.now
	return w
}

// collect adds one collection of an agent, ten seconds later.
func (w *world) collect(temporality feedtest.Temporality, flows ...feedtest.Flow) {
	w.now = w.now.Add(10 * time.Second)
	for i := range flows {
		if flows[i].Start.IsZero() {
			flows[i].Start = w.start
		}
		flows[i].At = w.now
	}
	w.Add(feedtest.Metrics(temporality, flows...))
}

// A shown is a message as text: "io web:v1 -> db:v1 port 5432 by client, transmit" and its value.
type shown map[string]string

func (w *world) flush() (zeros, totals shown) {
	w.t.Helper()
	z, t := w.Flush()
	return w.read(z), w.read(t)
}

func (w *world) read(m pmetric.Metrics) shown {
	w.t.Helper()
	all := shown{}
	put := func(name string, attrs pcommon.Map, value string) {
		key := strings.TrimPrefix(name, "netconn.edge.") + " " + text(attrs)
		if before, twice := all[key]; twice {
			w.t.Errorf("%s is there twice: %s and %s", key, before, value)
		}
		all[key] = value
	}
	for _, metric := range m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Type() == pmetric.MetricTypeHistogram {
			for _, p := range metric.Histogram().DataPoints().All() {
				put(metric.Name(), p.Attributes(), fmt.Sprint(p.BucketCounts().AsRaw(), p.Count(), p.Sum()))
			}
			continue
		}
		for _, p := range metric.Sum().DataPoints().All() {
			put(metric.Name(), p.Attributes(), fmt.Sprint(p.IntValue()))
		}
	}
	return all
}

func text(m pcommon.Map) string {
	get := func(key string) string {
		text, _ := series.Read(m)(key)
		return text
	}
	end := func(prefix string) (s string) {
		for _, tag := range []string{"name", "container", "image.tag"} {
			if v := get(prefix + tag); v != "" {
				s += ":" + v
			}
		}
		return cmp.Or(strings.TrimPrefix(s, ":"), get(prefix+"type"))
	}
	s := end("client.") + " -> " + end("server.")
	for _, word := range [][2]string{
		{" port ", "server.port"}, {" by ", "netconn.reporter"}, {", ", "network.io.direction"}, {", ", "error.type"},
		{", role ", "netconn.role"}, {" in one ", "netconn.scope"},
	} {
		if v := get(word[1]); v != "" && v != "remote" {
			s += word[0] + v
		}
	}
	return s
}

// pod is the resource of a pod of a deployment.
func pod(workload string, n int) feedtest.Attributes {
	return feedtest.Attributes{
		"host.id": "h", "host.name": "h", "k8s.node.name": "node", "container.id": fmt.Sprint(workload, n),
		"k8s.namespace.name": "shop", "k8s.deployment.name": workload, "k8s.pod.name": fmt.Sprintf("%s-%d", workload, n),
		"k8s.pod.uid": fmt.Sprint(workload, n), "k8s.container.name": "app", "container.image.tags": []string{"v1"},
	}
}

// sees is what a point says of a pod elsewhere.
func sees(role, workload string, port int) feedtest.Attributes {
	return feedtest.Attributes{
		"netconn.role": role, "netconn.peer.type": "pod", "netconn.peer.scope": "remote", "server.port": port,
		"netconn.peer.name": workload, "netconn.peer.k8s.workload.name": workload,
		"netconn.peer.k8s.namespace.name": "shop", "netconn.peer.container.image.tag": "v1",
	}
}

const (
	cumulative = feedtest.Cumulative
	delta      = feedtest.Delta
)

// The pods of two workloads are one edge as the client reports it, and one as the server does. Each has what its end has
// counted, in the directions of the edge.
func TestWorkloadsAreTheEnds(t *testing.T) {
	w := newWorld(t, nil)
	w.collect(cumulative,
		feedtest.Flow{
			Resource: pod("web", 1), Point: sees("client", "db", 5432), Tx: 10, Rx: 100, Retransmits: 1, Active: 2,
			Attempts: map[string]int64{"": 3, "refused": 1}, RTTs: []float64{0.0005, 0.02},
		},
		feedtest.Flow{
			Resource: pod("web", 2), Point: sees("client", "db", 5432), Tx: 5, Rx: 50, Active: 1,
			Attempts: map[string]int64{"": 4}, Closed: map[string]int64{"reset": 2}, RTTs: []float64{5},
		},
		feedtest.Flow{Resource: pod("db", 1), Point: sees("server", "web", 5432), Tx: 150, Rx: 15, Active: 3},
	)
	_, got := w.flush()
	if diff := gocmp.Diff(shown{
		"io web:v1 -> db:v1 port 5432 by client, transmit":      "15",
		"io web:v1 -> db:v1 port 5432 by client, receive":       "150",
		"io web:v1 -> db:v1 port 5432 by server, transmit":      "15",
		"io web:v1 -> db:v1 port 5432 by server, receive":       "150",
		"tcp.retransmits web:v1 -> db:v1 port 5432 by client":   "1",
		"attempts web:v1 -> db:v1 port 5432 by client":          "7",
		"attempts web:v1 -> db:v1 port 5432 by client, refused": "1",
		"closed web:v1 -> db:v1 port 5432 by client, reset":     "2",
		"active web:v1 -> db:v1 port 5432 by client":            "3",
		"active web:v1 -> db:v1 port 5432 by server":            "3",
		"tcp.rtt web:v1 -> db:v1 port 5432 by client":           "[1 0 1 1] 3 5.0205",
	}, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
}

// A total begins with a zero at the flush before, once: also that of a new error.
func TestTotalsBeginAtZero(t *testing.T) {
	w := newWorld(t, nil)
	began := w.now
	f := feedtest.Flow{Resource: pod("web", 1), Point: sees("client", "db", 5432), Tx: 10, Attempts: map[string]int64{"": 3}}
	w.collect(cumulative, f)
	z, totals := w.Flush()
	for _, m := range []pmetric.Metrics{z, totals} {
		p := m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0)
		if at := p.StartTimestamp().AsTime(); !at.Equal(began) {
			t.Errorf("%d began at %v, want %v", p.IntValue(), at, began)
		}
	}
	if at := z.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).Timestamp(); !at.AsTime().Equal(began) {
		t.Errorf("the zero is of %v, want %v", at.AsTime(), began)
	}
	if diff := gocmp.Diff(shown{
		"io web:v1 -> db:v1 port 5432 by client, transmit": "0", "attempts web:v1 -> db:v1 port 5432 by client": "0",
	}, w.read(z)); diff != "" {
		t.Errorf("zeros (-want +got):\n%s", diff)
	}
	f.Attempts = map[string]int64{"": 3, "timeout": 1}
	w.collect(cumulative, f)
	zeros, again := w.flush()
	if diff := gocmp.Diff(shown{"attempts web:v1 -> db:v1 port 5432 by client, timeout": "0"}, zeros); diff != "" {
		t.Errorf("zeros of the second flush (-want +got):\n%s", diff)
	}
	if got := again["io web:v1 -> db:v1 port 5432 by client, transmit"]; got != "10" {
		t.Errorf("%s bytes, want 10, as nothing was added", got)
	}
	if zeros, _ := w.flush(); len(zeros) != 0 {
		t.Errorf("zeros of the third flush: %v", zeros)
	}
}

// What an agent counts is added up whatever the temporality, across its restart, and in spite of points that come twice
// or too late. What it counted before the ledger was made is not.
func TestSeriesAreAddedUp(t *testing.T) {
	for name, tt := range map[string]struct {
		temporality feedtest.Temporality
		sent        []int64 // at each collection
		restart     int     // of the agent, before this collection
		old         bool    // the agent began before the ledger
		want        string
	}{
		"cumulative":               {cumulative, []int64{10, 10, 25}, 0, false, "25"},
		"deltas":                   {delta, []int64{10, 0, 15}, 0, false, "25"},
		"a restart":                {cumulative, []int64{10, 4, 6}, 1, false, "16"},
		"a restart that is higher": {cumulative, []int64{10, 40}, 1, false, "50"},
		"older than the ledger":    {cumulative, []int64{1000, 1010, 1025}, 0, true, "25"},
		"old deltas":               {delta, []int64{10, 15}, 0, true, "25"},
	} {
		w := newWorld(t, nil)
		start := w.now
		if tt.old {
			start = start.Add(-time.Hour)
		}
		for i, sent := range tt.sent {
			if tt.restart > 0 && i == tt.restart {
				start = w.now.Add(time.Second)
			}
			f := feedtest.Flow{Resource: pod("web", 1), Point: sees("client", "db", 5432), Start: start, Tx: sent}
			w.collect(tt.temporality, f)
			f.At = w.now
			w.Add(feedtest.Metrics(tt.temporality, f)) // once more
		}
		_, got := w.flush()
		if got := got["io web:v1 -> db:v1 port 5432 by client, transmit"]; got != tt.want {
			t.Errorf("%s: %s bytes, want %s", name, got, tt.want)
		}
		if w.Stats().OutOfOrder == 0 {
			t.Errorf("%s: points that came twice are not noted", name)
		}
	}
}

// Round-trip times of histograms with other bounds are counted where they belong, and those of which no bucket is known
// are counted all the same.
func TestBucketsOfOtherAgents(t *testing.T) {
	w := newWorld(t, nil)
	w.now = w.now.Add(time.Second)
	f := feedtest.Flow{
		Resource: pod("web", 1), Point: sees("client", "db", 5432), Start: w.start, At: w.now, RTTs: []float64{0.0004, 0.02, 5},
	}
	m := feedtest.Metrics(cumulative, f)
	each := func(change func(pmetric.HistogramDataPoint)) {
		for _, metric := range m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if metric.Name() == names.RTT {
				change(metric.Histogram().DataPoints().At(0))
			}
		}
	}
	each(func(p pmetric.HistogramDataPoint) { // up to 0.0007, to 0.05, and beyond
		p.ExplicitBounds().FromRaw([]float64{0.0007, 0.05})
		p.BucketCounts().FromRaw([]uint64{1, 1, 1})
	})
	w.Add(m)
	const rtt = "tcp.rtt web:v1 -> db:v1 port 5432 by client"
	if _, got := w.flush(); got[rtt] != "[1 0 1 1] 3 5.0204" {
		t.Errorf("round-trip times %s", got[rtt])
	}
	each(func(p pmetric.HistogramDataPoint) {
		p.SetTimestamp(p.Timestamp() + 1)
		p.ExplicitBounds().FromRaw(nil)
		p.BucketCounts().FromRaw(nil)
		p.SetCount(5)
	})
	w.Add(m)
	if _, got := w.flush(); got[rtt] != "[1 0 1 3] 5 5.0204" {
		t.Errorf("round-trip times %s, want two more beyond the bounds", got[rtt])
	}
}

// Names that a processor adds later move what is open, and leave what was counted.
func TestNamesThatComeLater(t *testing.T) {
	w := newWorld(t, nil)
	bare := feedtest.Attributes{"host.id": "h", "host.name": "h", "container.id": "web1", "process.executable.name": "web"}
	f := feedtest.Flow{Resource: bare, Point: sees("client", "db", 5432), Tx: 10, Active: 2}
	w.collect(cumulative, f)
	f.Resource, f.Tx = pod("web", 1).With(feedtest.Attributes{"process.executable.name": "web"}), 25
	w.collect(cumulative, f)
	_, got := w.flush()
	if diff := gocmp.Diff(shown{
		"io web -> db:v1 port 5432 by client, transmit":    "10",
		"active web -> db:v1 port 5432 by client":          "0",
		"io web:v1 -> db:v1 port 5432 by client, transmit": "15",
		"active web:v1 -> db:v1 port 5432 by client":       "2",
	}, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
}

// If no role is known the names decide, for both reports alike. What pods of one workload send to each other counts
// once.
func TestWithoutARole(t *testing.T) {
	w := newWorld(t, nil)
	w.collect(cumulative,
		feedtest.Flow{Resource: pod("web", 1), Point: sees("unknown", "db", 0), Tx: 10, Rx: 100},
		feedtest.Flow{Resource: pod("db", 1), Point: sees("unknown", "web", 0), Tx: 100, Rx: 10},
		feedtest.Flow{Resource: pod("peer", 1), Point: sees("unknown", "peer", 0), Tx: 7, Rx: 4},
		feedtest.Flow{Resource: pod("peer", 2), Point: sees("unknown", "peer", 0), Tx: 4, Rx: 7},
	)
	_, got := w.flush()
	maps.DeleteFunc(got, func(k, _ string) bool { return strings.HasPrefix(k, "active") })
	if diff := gocmp.Diff(shown{
		"io db:v1 -> web:v1 by client, transmit, role unknown":    "100",
		"io db:v1 -> web:v1 by client, receive, role unknown":     "10",
		"io db:v1 -> web:v1 by server, transmit, role unknown":    "100",
		"io db:v1 -> web:v1 by server, receive, role unknown":     "10",
		"io peer:v1 -> peer:v1 by client, transmit, role unknown": "11",
	}, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
}

// Metrics of others are nobody's edge, and what cannot be counted is refused.
func TestWhatIsNotCounted(t *testing.T) {
	w := newWorld(t, nil)
	m := feedtest.Metrics(cumulative, feedtest.Flow{Resource: pod("web", 1), Point: sees("client", "db", 5432), Start: w.now, At: w.now, Tx: 10})
	for _, metric := range m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		switch metric.Name() {
		case names.IO:
			metric.Sum().DataPoints().At(0).SetIntValue(-1)
			metric.Sum().DataPoints().At(1).SetDoubleValue(math.NaN())
		case names.Active:
			metric.SetEmptyHistogram()
		default:
			metric.SetName("http.server.request.duration")
		}
	}
	w.Add(m)
	if _, got := w.flush(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := w.Stats().Refused; got != (series.Refused{Values: 2, Points: 1}) {
		t.Errorf("refused %+v", got)
	}
}
