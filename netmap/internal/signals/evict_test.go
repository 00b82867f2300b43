package signals

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// held adds up the memory anew.
func (s *Store) held() int {
	n := 0
	for _, src := range s.sources {
		n += src.bytes
		details := 0
		for _, m := range src.minutes {
			details += minuteBytes + m.bytes()
		}
		for _, of := range []map[int64]*bucket{src.fine, src.coarse} {
			for _, k := range of {
				details += bucketBytes + k.bytes()
			}
		}
		if details > src.bytes {
			panic(fmt.Sprintf("a source counts %d bytes, and has %d", src.bytes, details))
		}
	}
	return n
}

// Whatever sources send, the memory is bounded, and counted exactly.
func TestMemoryIsBounded(t *testing.T) {
	r := newRig(t, 1<<20)
	long := strings.Repeat("\xffx\u202e", 5000)
	for i := range 400 {
		r.now = r.now.Add(5 * time.Second)
		resource := attributes{
			"container.id": fmt.Sprint(i%90, long), "k8s.pod.uid": long, "service.name": long, "k8s.container.name": long,
		}
		r.spans(resource, call{name: long, at: r.now, took: time.Duration(i) * time.Second, failed: true,
			attrs: attributes{"error.type": long, "network.peer.address": "10.0.0.1", "network.peer.port": 1}})
		r.records(resource, record{at: r.now, body: long, severity: plog.SeverityNumberError},
			record{at: r.now, event: "netconn.connection.closed" + long, body: long, attrs: attributes{
				"netconn.role": "server", "netconn.peer.name": long, "network.peer.address": "10.0.0.1",
				"network.peer.port": 1}})
		r.gauges(resource, r.now, map[string]float64{"container.cpu.usage": 1})
		if s := r.Status(); s.Bytes > 1<<20 || s.Held > s.MaxHeld {
			t.Fatalf("after %d: %+v", i, s)
		}
	}
	if s := r.Status(); s.Bytes != r.held() || s.Evicted+s.Sources == 0 {
		t.Errorf("%+v, want %d bytes", s, r.held())
	}
}

// A source that sends a thousand times as much takes nothing of what another one keeps.
func TestLoudSourceEvictsOnlyItself(t *testing.T) {
	r := newRig(t, 1<<20)
	r.spans(reviews, call{name: "quiet", at: noon, took: time.Second, failed: true})
	long := strings.Repeat("x", 128)
	for i := range 3000 {
		r.now = noon.Add(time.Duration(i) * time.Second / 20)
		loud := attributes{"container.id": fmt.Sprint("loud", i%40)}
		var all []call
		for j := range 20 {
			all = append(all, call{name: long, at: r.now.Add(-time.Duration(i*j%3000) * time.Second), took: time.Hour, failed: true})
		}
		r.spans(loud, all...)
	}
	if s := r.Status(); s.Evicted == 0 || s.Bytes > 1<<20 {
		t.Fatalf("nothing was evicted: %+v", s)
	}
	s := r.server(reviews).Served
	if s.N != 1 || len(s.Slowest) != 1 || s.Slowest[0].Name != "quiet" || len(s.Failed) != 1 {
		t.Errorf("the quiet source has %+v", s)
	}
}

func TestSourcesAreBounded(t *testing.T) {
	r := newRig(t, 1<<20)
	for i := range 100 {
		r.spans(attributes{"container.id": fmt.Sprint(i)}, call{at: noon})
	}
	if s := r.Status(); s.Held != 64 || s.Sources != 36 {
		t.Errorf("%d sources are kept, and %d spans were refused", s.Held, s.Sources)
	}
	r.now = noon.Add(2 * time.Minute)
	r.spans(reviews, call{at: r.now})
	if got := r.server(reviews).Served.N; got != 1 {
		t.Errorf("with idle sources there is no room: %d", got)
	}
	r.spans(attributes{"host.name": "h"}, call{at: r.now})
	if s := r.Status(); s.Unidentified != 1 {
		t.Errorf("a resource without an identity: %+v", s.Counts)
	}
}

func TestOlderThanAnHour(t *testing.T) {
	r := newRig(t, 0)
	r.spans(reviews, call{at: noon.Add(-time.Hour)}, call{at: noon})
	if s := r.Status(); s.Late != 1 || s.Spans != 1 {
		t.Errorf("%+v", s.Counts)
	}
	r.now = noon.Add(2 * time.Hour)
	r.spans(attributes{"container.id": "another"}, call{at: r.now})
	if s := r.Status(); s.Held != 1 || s.Bytes != r.held() {
		t.Errorf("after two hours: %+v", s)
	}
}

// Details go first, the oldest before newer ones; figures stay as long as they can.
func TestOldestDetailsAreEvictedFirst(t *testing.T) {
	r := newRig(t, 0)
	for minute := range 5 {
		r.now = noon.Add(time.Duration(minute) * time.Minute)
		r.spans(reviews, call{name: fmt.Sprint(minute), at: r.now, failed: true})
	}
	src := r.sources[identity{container: "c-reviews"}]
	r.trim(src, src.bytes-1)
	s := r.server(reviews).Served
	if s.N != 5 || len(s.Failed) != 4 || s.Failed[3].Name != "1" || r.Status().Evicted != 2 {
		t.Errorf("%d spans, failed %+v, %d evicted: the span is in two lists", s.N, s.Failed, r.Status().Evicted)
	}
	r.trim(src, 0)
	if len(src.minutes)+len(src.fine)+len(src.coarse) != 0 || r.bytes != r.held() || r.bytes <= 0 {
		t.Errorf("%d minutes stay; %d bytes, %d held", len(src.minutes), r.bytes, r.held())
	}
}

// A source that is idle for a minute gives its place to a new one; the oldest first.
func TestIdleSourcesAreEvictedInOrder(t *testing.T) {
	r := newRig(t, 1<<20)
	for i := range 64 {
		r.now = noon.Add(time.Duration(i) * time.Second)
		r.spans(attributes{"container.id": fmt.Sprint(i)}, call{at: r.now})
	}
	r.now = noon.Add(70 * time.Second)
	r.spans(reviews, call{at: r.now})
	for i := range 64 {
		_, held := r.sources[identity{container: fmt.Sprint(i)}]
		if want := i >= 5; held != want { // 5 are a sixteenth and the one that is needed
			t.Errorf("source %d is held: %t", i, held)
		}
	}
	if s := r.Status(); s.Evicted != 5 || s.Bytes != r.held() {
		t.Errorf("%+v, %d bytes are held", s, r.held())
	}
}

// While all sources send, a search for an idle one is made once in ten seconds, and not for each that is refused.
func TestRefusedSourcesAreCheap(t *testing.T) {
	r := newRig(t, 1<<20)
	for i := range 64 {
		r.spans(attributes{"container.id": fmt.Sprint(i)}, call{at: r.now})
	}
	r.spans(reviews, call{at: r.now})
	if r.full != noon.Unix()+fineStep {
		t.Errorf("the next search is at %d", r.full-noon.Unix())
	}
	r.now = noon.Add(5 * time.Minute)
	r.spans(reviews, call{at: r.now})
	if got := r.server(reviews).Served.N; got != 1 {
		t.Errorf("%d spans of the new source", got)
	}
}

// Steps leave when no window has them any more, and their memory with them.
func TestStepsExpire(t *testing.T) {
	r := newRig(t, 0)
	r.spans(reviews, call{at: noon, failed: true})
	src := r.sources[identity{container: "c-reviews"}]
	for _, c := range []struct {
		after                 time.Duration
		fine, coarse, minutes int
	}{{4 * time.Minute, 1, 1, 1}, {7 * time.Minute, 0, 1, 1}, {59 * time.Minute, 0, 1, 1}, {62 * time.Minute, 0, 0, 0}} {
		src.seen = noon.Add(c.after).Unix() // it sends something else
		r.now = noon.Add(c.after)
		r.AddTraces(ptrace.NewTraces())
		if len(src.fine) != c.fine || len(src.coarse) != c.coarse || len(src.minutes) != c.minutes || r.bytes != r.held() {
			t.Errorf("after %v: %d fine, %d coarse, %d minutes; %d bytes, %d held", c.after, len(src.fine), len(src.coarse),
				len(src.minutes), r.bytes, r.held())
		}
	}
}

// Ten thousand spans in each of ten seconds, with texts that are too long: memory holds, each loss is counted, and the
// figures of the window are exact.
func TestTenThousandSpansASecond(t *testing.T) {
	const limit, seconds, containers, each = 1 << 20, 10, 50, 200
	r := newRig(t, limit)
	long := strings.Repeat("x", 1000)
	for second := range seconds {
		r.now = noon.Add(time.Duration(second) * 25 * time.Second)
		for c := range containers {
			all := make([]call, each)
			for i := range all {
				all[i] = call{name: long, at: r.now, took: time.Duration(i+second) * time.Millisecond, failed: i%20 == 0,
					attrs: attributes{"error.type": long}}
			}
			r.spans(attributes{"container.id": fmt.Sprint(c), "k8s.pod.uid": fmt.Sprint("pod", c)}, all...)
		}
		if s := r.Status(); s.Bytes > limit {
			t.Fatalf("second %d: %d bytes", second, s.Bytes)
		}
	}
	s := r.Status()
	if s.Spans != seconds*containers*each || s.Evicted == 0 || s.Sources != 0 || s.Bytes != r.held() {
		t.Errorf("%+v", s)
	}
	one := r.server(attributes{"container.id": "7"}).Served
	if one.N != seconds*each || one.Errors != seconds*each/20 {
		t.Errorf("%d spans with %d errors of one container", one.N, one.Errors)
	}
}
