package signals

import (
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestCallsAreCountedBySideAndLatency(t *testing.T) {
	r := newRig(t, 0)
	r.spans(reviews,
		call{name: "a", at: noon, took: 3 * time.Millisecond},
		call{name: "b", at: noon, took: 300 * time.Millisecond, failed: true, attrs: attributes{"http.response.status_code": 503}},
		call{name: "out", at: noon, took: time.Second, kind: ptrace.SpanKindClient},
		call{name: "inner", at: noon, took: time.Minute, kind: ptrace.SpanKindInternal})
	s := r.server(reviews)
	if s.Served.N != 2 || s.Served.Errors != 1 || s.Made.N != 1 || *s.Served.Max != .3 || *s.Served.P50 != .005 {
		t.Errorf("served %+v, made %+v", s.Served, s.Made)
	}
	if s.Served.Latency[3] != 1 || s.Served.Latency[9] != 1 {
		t.Errorf("latencies %v of %v", s.Served.Latency, bounds)
	}
	if len(s.Served.Failed) != 1 || s.Served.Failed[0].Code != "503" || s.Served.Slowest[0].Name != "b" {
		t.Errorf("failed %+v, slowest %+v", s.Served.Failed, s.Served.Slowest)
	}
	if total(s.Served.NBy) != 2 || total(s.Served.ErrorsBy) != 1 || !math.IsNaN(s.Served.MeanBy[0]) {
		t.Errorf("by step %v, %v, %v", s.Served.NBy, s.Served.ErrorsBy, s.Served.MeanBy)
	}
}

// A span that failed is kept, although slower ones have filled the list of the minute.
func TestFailedSpanIsKeptAmongSlowerOnes(t *testing.T) {
	r := newRig(t, 0)
	for i := range 2 * kept {
		r.spans(reviews, call{name: "slow", at: noon, took: time.Duration(i+1) * time.Second})
	}
	r.spans(reviews, call{name: "refused", at: noon, took: time.Millisecond, failed: true})
	s := r.server(reviews).Served
	if len(s.Failed) != 1 || s.Failed[0].Name != "refused" {
		t.Errorf("failed %+v", s.Failed)
	}
	if len(s.Slowest) != kept || s.Slowest[0].Duration != 2*kept || s.Slowest[kept-1].Duration != kept+1 {
		t.Errorf("slowest %+v", s.Slowest)
	}
}

func total(all []uint64) (n uint64) {
	for _, v := range all {
		n += v
	}
	return n
}

func TestSampledSpansSaySo(t *testing.T) {
	for state, want := range map[string]float64{
		"": 1, "ot=th:0": 1, "ot=th:8": 2, "ot=rv:1;th:c": 4, "x=1,ot=th:c": 4, "ot=th:": 1, "ot=th:xyz": 1,
		"ot=th:123456789012345": 1, "other=th:8": 1, "ot=th:ffffffffffffff": 1 << 56,
	} {
		r := newRig(t, 0)
		r.spans(reviews, call{at: noon, state: state})
		s := r.server(reviews).Served
		if s.Estimated != want || s.Sampled != map[bool]uint64{true: 1}[want > 1] {
			t.Errorf("%q: estimated %v, sampled %d; want %v", state, s.Estimated, s.Sampled, want)
		}
	}
}

// Spans come at 10,000 a second: a tenth of a core takes them in.
func BenchmarkSpans(b *testing.B) {
	r := newRig(b, 64<<20)
	var all []call
	for i := range 1000 {
		all = append(all, call{name: "GET", at: noon, took: time.Duration(i*7919%1000) * time.Millisecond})
	}
	traces := ptrace.NewTraces()
	rs := traces.ResourceSpans().AppendEmpty()
	reviews.put(rs.Resource().Attributes())
	to := rs.ScopeSpans().AppendEmpty().Spans()
	for _, c := range all {
		s := to.AppendEmpty()
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(c.at.Add(-c.took)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(c.at))
	}
	for b.Loop() {
		r.AddTraces(traces)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/span")
}

// Jaeger's clients say in an attribute with which probability a span was sampled.
func TestSamplerParam(t *testing.T) {
	for name, c := range map[string]struct {
		kind, param any
		want        float64
	}{
		"a number":            {"probabilistic", .25, 4},
		"a text":              {"probabilistic", "0.125", 8},
		"all":                 {"probabilistic", 1.0, 1},
		"none":                {"probabilistic", 0.0, 1},
		"an integer":          {"probabilistic", int64(1), 1},
		"no number":           {"probabilistic", "often", 1},
		"not a number":        {"probabilistic", "NaN", 1},
		"negative":            {"probabilistic", -.5, 1},
		"a limit of the rate": {"ratelimiting", .25, 1},
	} {
		r := newRig(t, 0)
		r.spans(reviews, call{at: noon, attrs: attributes{"sampler.type": c.kind, "sampler.param": c.param}})
		s := r.server(reviews).Served
		if s.Estimated != c.want || s.Slowest[0].Sampled != (c.want > 1) {
			t.Errorf("%s: estimated %v, want %v; %+v", name, s.Estimated, c.want, s.Slowest[0])
		}
	}
	r := newRig(t, 0)
	r.spans(reviews, call{at: noon, attrs: attributes{"sampler.param": .25}}, call{at: noon, attrs: attributes{"sampler.type": "probabilistic"}})
	if s := r.server(reviews).Served; s.Estimated != 2 || s.Sampled != 0 {
		t.Errorf("without one of both: %v, %d", s.Estimated, s.Sampled)
	}
}

// The trace state is OpenTelemetry's own word, so it counts before an attribute.
func TestTraceStateBeforeSamplerParam(t *testing.T) {
	r := newRig(t, 0)
	r.spans(reviews, call{at: noon, state: "ot=th:8", attrs: attributes{"sampler.type": "probabilistic", "sampler.param": .1}})
	if s := r.server(reviews).Served; s.Estimated != 2 {
		t.Errorf("estimated %v", s.Estimated)
	}
}

func TestCodeOfSpan(t *testing.T) {
	for want, attrs := range map[string]attributes{
		"503":     {"http.response.status_code": int64(503), "error.type": "503"},
		"504":     {"http.status_code": int64(504)},
		"14":      {"rpc.grpc.status_code": int64(14)},
		"ABORTED": {"rpc.response.status_code": "ABORTED"},
		"timeout": {"error.type": "timeout"},
		"":        {"http.request.method": "GET"},
	} {
		r := newRig(t, 0)
		r.spans(reviews, call{at: noon, failed: true, attrs: attrs})
		if got := r.server(reviews).Served.Failed[0].Code; got != want {
			t.Errorf("%v: %q, want %q", attrs, got, want)
		}
	}
}

func TestPeerOfSpan(t *testing.T) {
	for name, c := range map[string]struct {
		address, port any
		want          string
	}{
		"IPv4":             {"10.0.0.7", int64(40001), "10.0.0.7:40001"},
		"a text":           {"10.0.0.7", "40001", "10.0.0.7:40001"},
		"mapped":           {"::ffff:10.0.0.7", int64(1), "10.0.0.7:1"},
		"IPv6":             {"fd00::1", int64(1), "[fd00::1]:1"},
		"with a zone":      {"fe80::1%eth0", int64(1), "[fe80::1]:1"},
		"a name":           {"frontend", int64(1), ""},
		"a long text":      {strings.Repeat("1", 5000), int64(1), ""},
		"no port":          {"10.0.0.7", int64(0), ""},
		"a port too large": {"10.0.0.7", int64(65536), ""},
		"a negative port":  {"10.0.0.7", int64(-1), ""},
	} {
		r := newRig(t, 0)
		r.spans(reviews, call{at: noon, attrs: attributes{"network.peer.address": c.address, "network.peer.port": c.port}})
		if got := r.server(reviews).Served.Slowest[0].Peer; got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	r := newRig(t, 0)
	r.spans(reviews, call{at: noon, attrs: attributes{"network.peer.address": "10.0.0.7"}})
	if got := r.server(reviews).Served.Slowest[0].Peer; got != "" {
		t.Errorf("without a port: %q", got)
	}
}

// The kinds producer and consumer are calls too.
func TestKindsOfSpans(t *testing.T) {
	for kind, want := range map[ptrace.SpanKind][2]uint64{
		ptrace.SpanKindServer: {1, 0}, ptrace.SpanKindConsumer: {1, 0}, ptrace.SpanKindClient: {0, 1},
		ptrace.SpanKindProducer: {0, 1}, ptrace.SpanKindInternal: {0, 0},
	} {
		r := newRig(t, 0)
		r.spans(reviews, call{at: noon, kind: kind})
		if s := r.server(reviews); [2]uint64{s.Served.N, s.Made.N} != want {
			t.Errorf("%v: served %d, made %d", kind, s.Served.N, s.Made.N)
		}
	}
}

// Clocks differ: a span may seem to end before it begins, or in the future.
func TestTimesOfSpans(t *testing.T) {
	r := newRig(t, 0)
	r.spans(reviews, call{at: noon, took: -time.Second}, call{at: noon.Add(24 * time.Hour), took: time.Second})
	s := r.server(reviews).Served
	if s.N != 2 || s.Slowest[1].Duration != 0 || s.Slowest[0].At != float64(noon.Unix()) {
		t.Errorf("%d spans, slowest %+v", s.N, s.Slowest)
	}
}

func TestSpanIsDescribed(t *testing.T) {
	r := newRig(t, 0)
	resource := maps.Clone(reviews)
	resource["k8s.pod.name"] = "reviews-1"
	r.spans(resource, call{name: "GET /reviews", at: noon.Add(1500 * time.Millisecond), took: 250 * time.Millisecond,
		failed: true, trace: 0x4b, index: 1})
	want := Span{
		Name: "GET /reviews", Service: "reviews", Pod: "reviews-1", Kind: "server", At: float64(noon.Unix()) + 1.5,
		Duration: .25, Failed: true, Trace: "4b01" + strings.Repeat("0", 28),
	}
	s := r.server(reviews).Served
	if diff := cmp.Diff([]Span{want}, s.Failed); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// An ID of zeros is none: OTLP sends it where there is no trace.
func TestIDs(t *testing.T) {
	for want, id := range map[string][]byte{
		"": make([]byte, 8), "0000000000000001": {7: 1}, "ff00000000000000": {0xff, 7: 0},
	} {
		if got := hexOf(id); got != want {
			t.Errorf("%v: %q, want %q", id, got, want)
		}
	}
}
