package history

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/snap"
)

// Whatever the store answers, the error and the state say what is wrong, and neither shows the address.
func TestFaults(t *testing.T) {
	const volume = "io_bytes_total"
	for name, tt := range map[string]struct {
		part   string
		status int
		body   string
		state  string
		reason string
	}{
		"another program":   {"", 200, "<html>", snap.Away, "this is not the answer of a Prometheus-compatible store"},
		"another API":       {"", 200, `{"id": 1}`, snap.Away, "this is not the answer of a Prometheus-compatible store"},
		"no object":         {"", 200, `[]`, snap.Away, "this is not the answer of a Prometheus-compatible store"},
		"no list":           {volume, 200, `{"status":"success","data":{"result":{}}}`, snap.Away, "this is not the answer of a Prometheus-compatible store"},
		"no sample":         {volume, 200, `{"status":"success","data":{"result":[{"metric":{},"value":[1,"x"]}]}}`, snap.Away, "this is not the answer of a Prometheus-compatible store"},
		"an answer cut off": {volume, 200, `{"status":"success","data":{"result":[{"metric":{}`, snap.Away, "the answer ends too early"},
		"no answer":         {volume, 200, "", snap.Away, "the answer ends too early"},
		"not allowed":       {"", 401, "no", snap.Away, "the store answers 401 Unauthorized"},
		"elsewhere":         {"", 302, "", snap.Away, "the store answers 302 Found"},
		"a proxy":           {volume, 504, "<html>", snap.Slow, "the store answers 504 Gateway Timeout"},
		"too slow":          {volume, 503, `{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}`, snap.Slow, "query timed out in expression evaluation"},
		"too much":          {volume, 422, `{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory"}`, snap.Slow, "query processing would load too many samples into memory"},
		"a limit":           {volume, 422, `{"status":"error","errorType":"422","error":"timeout exceeded"}`, snap.Slow, "timeout exceeded"},
		"long words":        {volume, 400, `{"status":"error","errorType":"bad_data","error":"` + strings.Repeat("x", 500) + `"}`, snap.Away, strings.Repeat("x", maxText) + "…"},
		"too many series":   {volume, 200, `{"status":"success","data":{"result":[` + strings.Repeat(`{"metric":{},"value":[1,"1"]},`, 100) + `{}]}}`, snap.Slow, "an answer has more than 100 series (max_series)"},
		"too many bytes":    {volume, 200, `{"status":"success","warnings":["` + strings.Repeat("x", 1<<20) + `"]}`, snap.Slow, "an answer has more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			f := everything(t)
			f.fail(tt.part, tt.status, tt.body)
			s := f.source()
			if s.Status().Remote.State != snap.Starting {
				t.Errorf("before the first query: %+v", s.Status().Remote)
			}
			_, err := s.Snapshot(t.Context(), s.Range(300, 0))
			if err == nil || err.Error() != tt.reason {
				t.Errorf("got %v, want %s", err, tt.reason)
			}
			if diff := cmp.Diff(snap.Remote{State: tt.state, Reason: tt.reason}, s.Status().Remote); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAStoreThatIsAway(t *testing.T) {
	f := everything(t)
	s := f.source(func(c *Config) { c.Endpoint = strings.Replace(c.Endpoint, "http://", "http://user:secret@", 1) })
	snapshot(t, s, 300)
	if state := s.Status().Remote; state.State != snap.Reached || state.At != now {
		t.Errorf("%+v", state)
	}
	f.Close()
	_, err := s.Snapshot(t.Context(), s.Range(3600, 0))
	state := s.Status().Remote
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	if state.State != snap.Away || state.At != now || state.Reason != err.Error() {
		t.Errorf("%+v", state)
	}
}

// A store that does not answer in time is slow.
func TestATimeout(t *testing.T) {
	f := everything(t)
	release := make(chan struct{})
	f.fault = func(http.ResponseWriter, string) bool { <-release; return false }
	s := f.source(func(c *Config) { c.Timeout = 10 * time.Millisecond })
	_, err := s.Snapshot(t.Context(), s.Range(300, 0))
	close(release)
	if want := "no answer within 10ms"; err == nil || err.Error() != want || s.Status().Remote.State != snap.Slow {
		t.Errorf("got %v, %+v", err, s.Status().Remote)
	}
}

func TestAStoreWithoutEdges(t *testing.T) {
	s := newFake(t).source()
	answer := snapshot(t, s, 300)
	if len(answer.Edges) != 0 || !answer.Void || s.Status().Remote.State != snap.Void || s.Status().Remote.Reason != noEdges {
		t.Errorf("%+v, %+v", answer, s.Status().Remote)
	}
	if err := answer.History.Read(t.Context(), nil, snap.All, nil); err != nil {
		t.Error(err)
	}
}

// Each figure but the volume may be missing: the others are there, and the snapshot says which is not.
func TestPartialSnapshots(t *testing.T) {
	for part, want := range map[string][]string{
		"attempts_total": {"attempts", "failures"}, "closed_total": {"closed", "breaks"}, "rtt_seconds_sum": {"rtt"},
		"rtt_seconds_count": {"rtt"}, "retransmits": {"retransmits"}, "[86400s]": {"new"},
	} {
		f := everything(t)
		f.fail(part, 503, `{"status":"error","errorType":"timeout","error":"too slow"}`)
		s := f.source()
		got := snapshot(t, s, 3600)
		slow := snap.Remote{State: snap.Slow, Reason: "too slow", At: now}
		if got.Partial == nil || got.Partial.Reason != "too slow" || s.Status().Remote != slow {
			t.Errorf("%s: %+v, %+v", part, got.Partial, s.Status().Remote)
			continue
		}
		if diff := cmp.Diff(sorted(want), got.Partial.Missing); diff != "" {
			t.Errorf("%s (-want +got):\n%s", part, diff)
		}
		e := got.Edges[0]
		if e.Tx != 1000 || e.Fresh {
			t.Errorf("%s: %+v", part, e)
		}
		if want[0] == "rtt" && (e.RTTs != 0 || e.RTTSum != 0) {
			t.Errorf("%s: half of the round trips: %+v", part, e.Figures)
		}
	}
}

func sorted(s []string) []string {
	if len(s) == 2 && s[0] > s[1] {
		return []string{s[1], s[0]}
	}
	return s
}

// What the store itself says is missing is said, too.
func TestWarnings(t *testing.T) {
	for body, reason := range map[string]string{
		`{"status":"success","warnings":["store 2 is away"],"data":{"result":[]}}`: "store 2 is away",
		`{"status":"success","isPartial":true,"data":{"result":[]}}`:               "a part of the store did not answer",
	} {
		f := everything(t)
		f.fail("netconn_edge_active", 200, body)
		if p := snapshot(t, f.source(), 300).Partial; p == nil || p.Reason != reason || len(p.Missing) != 0 {
			t.Errorf("%s: %+v", body, p)
		}
	}
}

// A course over time that cannot be had is missing; the rest of an answer is not.
func TestAHistoryThatIsMissing(t *testing.T) {
	f := everything(t)
	held := snapshot(t, f.source(), 300)
	f.fail("io_bytes", 503, `{"status":"error","errorType":"timeout","error":"too slow"}`)
	err := held.History.Read(t.Context(), [][]int{{0}}, snap.All, func(int, snap.Step) {})
	var p *snap.Partial
	if !errors.As(err, &p) || p.Reason != "too slow" || fmt.Sprint(p.Missing) != "[series]" {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	f.fault = nil
	err = held.History.Read(ctx, [][]int{{1}}, snap.Closed, func(int, snap.Step) {})
	if err != nil && !errors.As(err, &p) {
		t.Errorf("too late: %v", err)
	}
}

// A store that is away is not asked by every request.
func TestFailuresAreKept(t *testing.T) {
	f := everything(t)
	f.fail("", 500, "")
	s := f.source()
	for range 3 {
		if _, err := s.Snapshot(t.Context(), s.Range(300, 0)); err == nil {
			t.Error("no error")
		}
	}
	if n := f.received(""); n != 1 {
		t.Errorf("%d queries", n)
	}
}

// Only so many queries run at a time.
func TestQueriesAtATime(t *testing.T) {
	f := everything(t)
	running, most := make(chan struct{}, 100), 0
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running <- struct{}{}
		most = max(most, len(running))
		f.ServeHTTP(w, r)
		<-running
	})
	f.Config.Handler = handler
	snapshot(t, f.source(func(c *Config) { c.Queries = 1 }), 300)
	if most != 1 {
		t.Errorf("%d queries at a time", most)
	}
}
