package history

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// What no counter counts is not counted, and a snapshot has no number that JSON has not.
func TestCountsThatAreNone(t *testing.T) {
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -5} {
		f := everything(t)
		for name := range f.rows {
			if name != "before" && !strings.Contains(name, "io_bytes") {
				f.rows[name] = []toldRow{counted(value, tagged("client", "web>api", "error_type", "reset"))}
			}
		}
		got := snapshot(t, f.source(), 300).Edges[0].Figures
		if diff := cmp.Diff(snap.Figures{Tx: 1000, Rx: 5000}, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", value, diff)
		}
	}
}

// A link is what the labels say. What they do not say is unknown.
func TestLinks(t *testing.T) {
	n := newNaming([]string{"netconn_edge_io"})
	for name, tt := range map[string]struct {
		labels map[string]string
		want   edge.Link
	}{
		"client":          {tagged("client", "a>b"), edge.Link{Role: edge.Client, Scope: edge.ScopeRemote, Port: 80, Transport: edge.Text("tcp")}},
		"server":          {tagged("server", "a>b"), edge.Link{Role: edge.Server, Scope: edge.ScopeRemote, Port: 80, Transport: edge.Text("tcp")}},
		"UDP":             {tagged("client", "a>b", "network_transport", "udp"), edge.Link{Role: edge.Client, Scope: edge.ScopeRemote, Port: 80, Transport: edge.Text("udp")}},
		"unknown":         {tagged("server", "a>b", "netconn_role", "unknown"), edge.Link{Role: edge.Unknown, Scope: edge.ScopeRemote, Port: 80, Transport: edge.Text("tcp")}},
		"nothing":         {nil, edge.Link{Role: edge.Client, Transport: edge.Text("tcp")}},
		"a port too high": {tagged("client", "a>b", "server_port", "70000"), edge.Link{Role: edge.Client, Scope: edge.ScopeRemote, Transport: edge.Text("tcp")}},
		"no port":         {tagged("client", "a>b", "server_port", "-1"), edge.Link{Role: edge.Client, Scope: edge.ScopeRemote, Transport: edge.Text("tcp")}},
	} {
		text, err := json.Marshal(tt.labels)
		if err != nil {
			t.Fatal(err)
		}
		r := newLabels(&n).of(text)
		if diff := cmp.Diff(tt.want, r.link(), cmp.Comparer(func(a, b edge.Value) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Edges of which only servers report are theirs; reports of several servers are several edges.
func TestServersAlone(t *testing.T) {
	f := newFake(t)
	f.rows["netconn_edge_io_bytes_total"] = []toldRow{
		counted(10, tagged("server", "web>api", "server_zone", "x")), counted(20, tagged("server", "web>api", "server_zone", "y")),
		counted(0, tagged("client", "web>api", "server_zone", "x")), // it has nothing to say
	}
	f.rows["netconn_edge_tcp_retransmits_total"] = []toldRow{counted(2, tagged("server", "web>api", "server_zone", "y"))}
	f.rows["netconn_edge_active"] = nil
	f.rows["before"] = []toldRow{counted(1, tagged("", "else>api"))}
	s := snapshot(t, f.source(), 300)
	want := []string{"web>api:80 tx=10 rx=0 by server fresh", "web>api:80 tx=20 rx=0 by server fresh"}
	if diff := cmp.Diff(want, told(s)); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	if s.Edges[1].Retransmits != 2 || s.Shared != nil {
		t.Errorf("retransmits: %+v, %+v", s.Edges[1].Figures, s.Shared)
	}
}

// An edge that stands for the other ones is never new.
func TestTheOtherEdgesAreNotNew(t *testing.T) {
	f := everything(t)
	f.rows["netconn_edge_io_bytes_total"] = []toldRow{counted(1, tagged("client", ">", "client_type", "other", "server_type", "other"))}
	for _, e := range snapshot(t, f.source(), 300).Edges {
		if e.Client.Kind() == edge.Other && e.Fresh {
			t.Errorf("%+v is new", e)
		}
	}
}

// A figure that has too many series is missing as a whole: what was read of it is not shown, and nothing is new then.
func TestAFigureWithTooManySeries(t *testing.T) {
	for metric, missing := range map[string][]string{
		"netconn_edge_attempts_total": {"attempts", "failures"}, "before": {"new"},
	} {
		f := everything(t)
		for i := range 101 {
			f.rows[metric] = append(f.rows[metric], counted(1, tagged("client", fmt.Sprintf("c%d>api", i), "error_type", "lost")))
		}
		if metric == "before" {
			f.rows[metric] = f.rows[metric][1:] // web>api is not in what was read
			f.rows[metric] = append(f.rows[metric], f.rows[metric][0])
		}
		s := snapshot(t, f.source(), 300)
		want := &snap.Partial{Missing: missing, Reason: "an answer has more than 100 series (max_series)"}
		if diff := cmp.Diff(want, s.Partial); diff != "" {
			t.Errorf("%s (-want +got):\n%s", metric, diff)
		}
		for _, e := range s.Edges {
			if e.Fresh && metric == "before" || e.Attempts > 0 && metric != "before" || len(s.Edges) != 2 {
				t.Errorf("%s: %q: %+v", metric, told(s), e.Figures)
			}
		}
	}
}

// Errors beyond a limit are one, for attempts and for closed connections.
func TestErrorsBeyondALimit(t *testing.T) {
	f := everything(t)
	for i := range maxKinds + 10 {
		f.rows["netconn_edge_attempts_total"] = append(f.rows["netconn_edge_attempts_total"],
			counted(1, tagged("client", "web>api", "error_type", fmt.Sprintf("e%d", i))))
	}
	s := snapshot(t, f.source(), 300)
	sum := make(map[snap.Kind]uint64)
	for _, o := range s.Edges[0].Outcomes {
		sum[s.Kinds[o.Kind]] += o.N
	}
	// Two kinds are no error, one is refused; the other errors are 61 names, and 13 beyond them.
	other, reset := sum[snap.Kind{Of: snap.Attempts, Error: names.OtherError}], sum[snap.Kind{Of: snap.Closed, Error: names.OtherError}]
	if other != 13 || reset != 1 || len(s.Kinds) != maxKinds+2 || s.Edges[0].Attempts != 84 {
		t.Errorf("%d and %d others, %d kinds, %d attempts", other, reset, len(s.Kinds), s.Edges[0].Attempts)
	}
}

// The page always has a word for the store, and keeps the time of its last answer.
func TestStates(t *testing.T) {
	f := everything(t)
	at := time.Unix(now, 0)
	s := f.source(func(c *Config) { c.Now = func() time.Time { return at } })
	timeout := `{"status":"error","errorType":"timeout","error":"too slow"}`
	var got []snap.Remote
	for _, fault := range []struct {
		part, body string
		status     int
	}{
		{"attempts", timeout, 503}, {"io_bytes", timeout, 503}, {"__name__=~", "", 500}, {"\x00", "", 0},
		{"__name__=~", `{"status":"success","data":[]}`, http.StatusOK},
		{"__name__=~", `{"status":"success","data":[],"warnings":["store 2 is away"]}`, http.StatusOK},
		{"__name__=~", `{"status":"success","data":["netconn_edge_active"],"isPartial":true}`, http.StatusOK},
	} {
		f.fail(fault.part, fault.status, fault.body)
		_, _ = s.Snapshot(t.Context(), s.Range(300, 0))
		got = append(got, s.Status().Remote)
		at = at.Add(2 * time.Minute)
	}
	want := []snap.Remote{
		{State: snap.Slow, Reason: "too slow", At: now}, {State: snap.Slow, Reason: "too slow", At: now},
		{State: snap.Away, Reason: "the store answers 500 Internal Server Error", At: now},
		{State: snap.Reached, At: now + 360}, {State: snap.Void, Reason: noEdges, At: now + 480},
		{State: snap.Slow, Reason: "store 2 is away", At: now + 600},
		{State: snap.Slow, Reason: "a part of the store did not answer", At: now + 720},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}
