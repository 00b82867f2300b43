package history

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// everything has one edge that both ends report, one that only the server reports, and all metrics.
func everything(t *testing.T) *fake {
	f := newFake(t)
	sent, received := []string{"network_io_direction", "transmit"}, []string{"network_io_direction", "receive"}
	f.rows = map[string][]toldRow{
		"netconn_edge_io_bytes_total": {
			counted(1000, tagged("client", "web>api", sent...)), counted(5000, tagged("client", "web>api", received...)),
			counted(900, tagged("server", "web>api", sent...)), counted(70, tagged("server", "job>api", sent...)),
		},
		"netconn_edge_attempts_total": {
			counted(8, tagged("client", "web>api")), counted(2, tagged("client", "web>api", "error_type", "refused")),
		},
		"netconn_edge_closed_total": {
			counted(6, tagged("client", "web>api")), counted(1, tagged("client", "web>api", "error_type", "reset")),
		},
		"netconn_edge_tcp_retransmits_total": {counted(3, tagged("client", "web>api")), counted(4, tagged("server", "web>api"))},
		"netconn_edge_active":                {counted(5, tagged("client", "web>api")), counted(1, tagged("server", "job>api"))},
		"netconn_edge_tcp_rtt_seconds_sum":   {counted(0.25, tagged("client", "web>api"))},
		"netconn_edge_tcp_rtt_seconds_count": {counted(10, tagged("client", "web>api"))},
		"before":                             {counted(1, tagged("", "web>api"))},
	}
	return f
}

// The client's report counts, the server's where there is none, and both ends' retransmits.
func TestSnapshot(t *testing.T) {
	s := snapshot(t, everything(t).source(), 3600)
	if len(s.Edges) != 2 || s.Partial != nil || s.Void || !s.Remote {
		t.Fatalf("%q, partial: %+v", told(s), s.Partial)
	}
	one := s.Edges[0]
	want := snap.Figures{
		Tx: 1000, Rx: 5000, Retransmits: 7, RTTs: 10, RTTSum: 0.25, Attempts: 10, Closed: 7, Active: 5,
		Outcomes: []snap.Outcome{{Kind: 2, N: 2}, {Kind: 3, N: 1}},
	}
	if diff := cmp.Diff(want, one.Figures); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]snap.Kind{{Of: snap.Attempts}, {Of: snap.Closed}, {Of: snap.Attempts, Error: "refused"}, {Of: snap.Closed, Error: "reset"}}, s.Kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	client := edge.End{
		names.TagName: edge.Text("web"), names.TagNamespace: edge.Text("prod"), names.TagType: edge.Text("pod"),
		names.TagWorkload: edge.Text("web"),
	}
	link := edge.Link{Role: edge.Client, Scope: edge.ScopeRemote, Port: 80, Transport: edge.Text("tcp")}
	if *one.Client != client || one.Link != link {
		t.Errorf("client %v, link %+v", one.Client, one.Link)
	}
	if s.Edges[1].Server != one.Server || s.Edges[1].Link.Role != edge.Server {
		t.Error("equal ends are not one, or the server's report is not of a server")
	}
	if diff := cmp.Diff([]string{"job>api:80 tx=70 rx=0 by server fresh", "web>api:80 tx=1000 rx=5000 by client by server"},
		told(s)); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	if s.Seconds != 3570 { // of the step that has begun, 30 s are over
		t.Errorf("%v s", s.Seconds)
	}
}

// Where nothing is known of the day before, nothing is new.
func TestAStoreThatIsNew(t *testing.T) {
	f := everything(t)
	delete(f.rows, "before")
	for _, e := range snapshot(t, f.source(), 300).Edges {
		if e.Fresh {
			t.Errorf("%v is new", e.Client)
		}
	}
}

// Reports that differ in their tags are one edge: that of a server does not count if a client reports any of them.
func TestTagsAreNotPartOfTheEdge(t *testing.T) {
	f := newFake(t)
	f.rows["netconn_edge_io_bytes_total"] = []toldRow{
		counted(10, tagged("client", "web>api", "client_zone", "a", "server_zone", "x")),
		counted(20, tagged("client", "web>api", "client_zone", "b", "server_zone", "x")),
		counted(30, tagged("server", "web>api", "client_zone", "a", "server_zone", "x")),
	}
	f.rows["netconn_edge_tcp_retransmits_total"] = []toldRow{
		counted(2, tagged("server", "web>api", "client_zone", "a", "server_zone", "x")),
		counted(3, tagged("server", "web>api", "server_zone", "x")),
	}
	s := snapshot(t, f.source(), 300)
	if diff := cmp.Diff([]string{"web>api:80 tx=10 rx=0 by client by server", "web>api:80 tx=20 rx=0 by client by server"}, told(s)); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	var found uint64
	for _, e := range s.Edges {
		found += e.Retransmits
	}
	if found != 2 || len(s.Shared) != 1 || s.Shared[0].Retransmits != 3 {
		t.Errorf("%d retransmits of edges, and %+v", found, s.Shared)
	}
}

// Whatever the store calls metrics and labels: with and without units, with underscores and with dots.
func TestTranslations(t *testing.T) {
	for _, name := range []string{"netconn_edge_io_bytes_total", "netconn_edge_io", "netconn.edge.io_bytes_total", "netconn.edge.io"} {
		f := newFake(t)
		dots := strings.Contains(name, ".")
		l := make(map[string]string)
		for key, v := range tagged("client", "web>api", "network_io_direction", "receive") {
			if dots {
				key = strings.ReplaceAll(key, "_", ".")
			}
			l[key] = v
		}
		f.rows[name] = []toldRow{counted(9, l)}
		if diff := cmp.Diff([]string{"web>api:80 tx=0 rx=9 by client"}, told(snapshot(t, f.source(), 300))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if want := `"server.port"`; dots != (f.received(want) > 0) {
			t.Errorf("%s: %q", name, f.queries)
		}
	}
}

// Names come from workloads: none of them ends its string.
func TestQuotes(t *testing.T) {
	q := queries{naming: newNaming([]string{"netconn_edge_io"})}
	q = q.about("client.name", []string{`a"b`, `c\d`, "e\nf", "x.y|z", "x.y|z"})
	want := `{__name__="netconn_edge_io",client_name=~"a\"b|c\\\\d|e\nf|x\\.y\\|z"}`
	if diff := cmp.Diff(want, q.selector(volume)); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
	if q := q.about("client.name", []string{strings.Repeat("x", maxMatcher)}); len(q.matchers) != 1 {
		t.Errorf("a matcher of %d bytes", len(q.matchers[1]))
	}
	for exact, want := range map[bool]string{false: `"a.b"="c"`, true: `a\.b="c"`} {
		q := queries{exact: exact}
		if got := q.restrict(map[string]string{"a.b": "c"}); got[0] != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	f := everything(t)
	snapshot(t, f.source(func(c *Config) { c.Labels = map[string]string{"cluster": `a"} or vector(1)`} }), 300)
	if n := f.received(`cluster="a\"} or vector(1)"`); n != len(f.queries)-1 { // not the probe
		t.Errorf("%d of %d queries have the label: %q", n, len(f.queries), f.queries)
	}
}

// Both engines are asked in a way in which their answer is exact.
func TestIncrease(t *testing.T) {
	for _, exact := range []bool{false, true} {
		f := everything(t)
		f.exact = exact
		snapshot(t, f.source(), 3600)
		plain := f.received(`(increase({__name__="netconn_edge_io_bytes_total"}[3570s]))`)
		careful := f.received(`max_over_time({__name__="netconn_edge_io_bytes_total"}[3570s])`)
		if exact && (plain != 1 || careful != 0) || !exact && (plain != 0 || careful != 1) {
			t.Errorf("exact: %v, %q", exact, f.queries)
		}
	}
}

// A history is what the rows of edges counted step by step; retransmits also of the other end.
func TestSteps(t *testing.T) {
	f := everything(t)
	s := f.source()
	held := snapshot(t, s, 300)
	end := float64(held.From + held.Step)
	course := func(l map[string]string, values ...float64) toldRow {
		r := toldRow{Metric: l}
		for i, v := range values {
			r.Values = append(r.Values, sample{end + float64(i*60), v})
		}
		return r
	}
	sent := []string{"network_io_direction", "transmit"}
	f.rows["netconn_edge_io_bytes_total"] = []toldRow{
		course(tagged("client", "web>api", sent...), 10, 20), course(tagged("server", "web>api", sent...), 500),
		course(tagged("server", "job>api", sent...), 1), course(tagged("client", "else>api", sent...), 7),
	}
	f.rows["netconn_edge_tcp_retransmits_total"] = []toldRow{
		course(tagged("client", "web>api"), 1), course(tagged("server", "web>api"), 2),
	}
	f.rows["netconn_edge_attempts_total"] = []toldRow{course(tagged("client", "web>api", "error_type", "unheard of"), 4)}
	var got []snap.Step
	read := func(what snap.What) {
		got = nil
		err := held.History.Read(t.Context(), [][]int{{0}, {1}}, what, func(row int, step snap.Step) {
			if row == 0 && step.Tx+step.Retransmits > 0 || row == 1 && step.Tx > 0 {
				step.Reported = false
				got = append(got, step)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read(snap.Volume)
	want := []snap.Step{
		{At: held.From, Figures: snap.Figures{Tx: 10}}, {At: held.From, Figures: snap.Figures{Tx: 1}},
		{At: held.From + 60, Figures: snap.Figures{Tx: 20}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("volume (-want +got):\n%s", diff)
	}
	if n := f.received("query_range"); n != 1 || f.received(`client_name=~"job|web"`) != 1 {
		t.Errorf("%d range queries, %q", n, f.queries)
	}
	read(snap.Volume | snap.Retransmits | snap.Attempts)
	want[0].Retransmits, want[0].Attempts = 3, 4
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("more (-want +got):\n%s", diff)
	}
	if n := f.received("query_range"); n != 3 { // that of the volume is kept
		t.Errorf("%d range queries", n)
	}
}

func TestRanges(t *testing.T) {
	s := newFake(t).source()
	for _, tt := range []struct{ window, end, step, steps int64 }{
		{300, 0, 60, 5}, {60, 0, 60, 1}, {3600, 0, 60, 60}, {3601, 0, 300, 13}, {day, 0, 900, 96},
		{7 * day, 0, 7200, 84}, {30 * day, 0, 8 * 3600, 90}, {300, now - 20*day, 60, 5}, {3600, now + 9999, 60, 60},
	} {
		r := s.Range(tt.window, tt.end)
		if r.Step != tt.step || int64(r.Len()) != tt.steps || r.To > now+r.Step || tt.end > 0 && tt.end < now && r.To > tt.end+r.Step {
			t.Errorf("%d s up to %d: %+v", tt.window, tt.end, r)
		}
	}
	if longest := s.Spans().Longest(); longest != 30*day {
		t.Errorf("%d s", longest)
	}
}

// Requests for one snapshot share it, for a while.
func TestSnapshotsAreShared(t *testing.T) {
	f := everything(t)
	at := time.Unix(now, 0)
	s := f.source(func(c *Config) { c.Now = func() time.Time { return at } })
	first := snapshot(t, s, 300)
	if snapshot(t, s, 300) != first || f.received("/values") != 1 {
		t.Error("a snapshot is made twice")
	}
	before := s.Version()
	r := s.Range(300, 0)
	at = at.Add(61 * time.Second)
	if second, err := s.Snapshot(t.Context(), r); err != nil || second == first || s.Version() == before {
		t.Errorf("a minute later it is the same (%v)", err)
	}
}

// A request that is given up does not stop the snapshot.
func TestARequestThatIsGivenUp(t *testing.T) {
	f := everything(t)
	entered, release := make(chan struct{}), make(chan struct{})
	f.fault = func(_ http.ResponseWriter, query string) bool {
		if strings.Contains(query, "1 default 2") {
			close(entered)
			<-release
		}
		return false
	}
	s := f.source()
	r := s.Range(300, 0)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Snapshot(ctx, r)
		done <- err
	}()
	<-entered
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	if answer, err := s.Snapshot(t.Context(), r); err != nil || len(answer.Edges) != 2 {
		t.Errorf("the next request: %v", err)
	}
	if n := f.received("1 default 2"); n != 1 {
		t.Errorf("the store was asked %d times", n)
	}
}
