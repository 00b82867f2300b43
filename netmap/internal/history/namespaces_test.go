package history

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/snap"
	"github.com/netconn/netconn/netmap/internal/view"
)

// A crowd is random edges of the same few namespaces.
type crowd struct{ *rand.Rand }

func (c crowd) of(all ...string) string { return all[c.IntN(len(all))] }

// edge returns the labels of an edge that both reports have.
func (c crowd) edge() map[string]string {
	l := map[string]string{"netconn_scope": c.of("remote", "node", "pod", ""), "server_port": c.of("80", "443"), "netconn_role": c.of("", "", "unknown")}
	for _, side := range []string{"client", "server"} {
		l[side+"_type"] = c.of("pod", "pod", "pod", "host", "private", "public", "unknown", "other", "")
		l[side+"_namespace"], l[side+"_name"] = c.of("a", "b", "c/d", ""), c.of("x", "y", "")
	}
	maps.DeleteFunc(l, func(_, v string) bool { return v == "" })
	return l
}

// tags returns the labels that a report has besides.
func (c crowd) tags(edge map[string]string, reporter string) map[string]string {
	l := with(edge, "netconn_reporter", reporter, "client_zone", c.of("1", "2"), "server_zone", c.of("1", "2"))
	return with(l, reporter+"_image_tag", c.of("v1", "v2"))
}

func with(labels map[string]string, more ...string) map[string]string {
	l := maps.Clone(labels)
	for i := 0; i < len(more); i += 2 {
		l[more[i]] = more[i+1]
	}
	return l
}

// pairingLabels returns the labels of an edge in the sums by namespace.
func pairingLabels(edge map[string]string) map[string]string {
	l := map[string]string{"netconn_scope": edge["netconn_scope"]}
	for _, side := range []string{"client", "server"} {
		l[side+"_type"], l[side+"_namespace"] = edge[side+"_type"], edge[side+"_namespace"]
		if l[side+"_namespace"] == "" || slices.Contains([]string{"private", "unknown", ""}, l[side+"_type"]) {
			l[side+"_alone"] = edge[side+"_name"]
		}
	}
	return l
}

// countedSeries are the series of a report: the metric, and the label besides those of the report.
var countedSeries = []struct {
	m     metric
	label []string
}{
	{volume, []string{"network_io_direction", "transmit"}}, {volume, []string{"network_io_direction", "receive"}}, {attempts, nil},
	{attempts, []string{"error_type", "refused"}}, {closed, nil}, {closed, []string{"error_type", "reset"}}, {retransmits, nil},
	{active, nil}, {rttSum, nil}, {rttCount, nil},
}

// fill has a store say what random edges have counted, one by one and by namespace.
func (c crowd) fill(f *fake) {
	seen := make(map[string]bool)
	for range 1 + c.IntN(40) {
		edge := c.edge()
		if seen[fmt.Sprint(edge)] {
			continue
		}
		seen[fmt.Sprint(edge)] = true
		reporters := [][]string{{"client"}, {"server"}, {"client", "server"}, {"client", "client", "server"}}[c.IntN(4)]
		if c.IntN(2) == 0 {
			f.rows["before"] = append(f.rows["before"], counted(1, edge))
		}
		for _, reporter := range reporters {
			report := c.tags(edge, reporter)
			if reporter == reporters[0] && !seen[fmt.Sprint(report)] {
				seen[fmt.Sprint(report)] = true
				f.rows[knownEdges] = append(f.rows[knownEdges], counted(1, report))
			}
			for _, s := range countedSeries {
				n := float64(c.IntN(1000) + 1)
				f.rows[ruled[s.m]] = append(f.rows[ruled[s.m]], counted(n, with(report, s.label...)))
				if reporter == reporters[0] || s.m == retransmits {
					f.rows[byNamespace[s.m]] = append(f.rows[byNamespace[s.m]], counted(n, with(pairingLabels(edge), s.label...)))
					f.rows[recorded[s.m]] = append(f.rows[recorded[s.m]], counted(n, with(report, s.label...)))
				}
			}
		}
	}
	hours := toldRow{}
	for at := int64(now - 7*day); at <= now; at += hour {
		hours.Values = append(hours.Values, sample{float64(at), float64(at - recordDelay)})
	}
	f.rows[recordings] = []toldRow{hours}
}

// graphs draws a snapshot in all ways that may be made of sums by namespace.
func graphs(t *testing.T, s *snap.Snapshot) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, by := range []string{"namespace", "type"} {
		for _, group := range []string{"", "namespace", "type"} {
			for _, text := range []string{"", "namespace=a", "client.namespace=b", "server.type!=pod", "kind=external,unresolved"} {
				terms, err := filter.Parse(text)
				if err != nil {
					t.Fatal(err)
				}
				q := view.GraphQuery{Query: view.Query{Filter: terms}, Group: view.None, Nodes: 100, Edges: 1000}
				q.By, _ = view.ParseBy(by)
				if group != "" {
					q.Group, _ = view.ParseBy(group)
				}
				for _, name := range strings.Split("tx,rx,retransmits,rtt,attempts,failures,closed,breaks,active", ",") {
					m, _ := view.ParseMetric(name)
					q.Metrics = append(q.Metrics, m)
				}
				q.Rank, _ = view.ParseMetric("volume")
				if !q.ByNamespace() {
					t.Fatalf("%s, %s, %s is not drawn by namespace", by, group, text)
				}
				g, err := view.NewGraph(t.Context(), s, q)
				if err != nil {
					t.Fatal(err)
				}
				g.From, g.To, g.Seconds, g.Generation = 0, 0, 0, 0
				drawn, err := json.MarshalIndent(g, "", " ")
				if err != nil {
					t.Fatal(err)
				}
				all[by+"/"+group+"/"+text] = string(drawn)
			}
		}
	}
	return all
}

// A graph by namespace is the same from the sums by namespace, from the hours of each edge and from the metrics, whatever
// the edges are.
func TestByNamespace(t *testing.T) {
	for seed := range uint64(40) {
		f := newFake(t)
		crowd{rand.New(rand.NewPCG(seed, 0))}.fill(f)
		r := f.source().Range(7*day, 0)
		hours := f.rows[recordings]
		delete(f.rows, recordings)
		exact, err := f.source(func(c *Config) { c.MaxSeries = 10000 }).Snapshot(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		f.rows[recordings] = hours
		for _, sums := range []bool{true, false} {
			before := f.received(byNamespace[volume])
			of, err := f.source(func(c *Config) { c.MaxSeries = 10000 }).Hours(t.Context(), r, sums)
			if asked := f.received(byNamespace[volume]) > before; err != nil || of.Partial != nil || asked != sums {
				t.Fatalf("%v, %+v, sums are asked for: %t", err, of, asked)
			}
			if diff := cmp.Diff(graphs(t, exact), graphs(t, of)); diff != "" {
				t.Fatalf("seed %d, sums: %t (-metrics +hours):\n%s", seed, sums, diff)
			}
		}
		if n := f.received("/api/v1/label/__name__/values"); n != 1 {
			t.Fatalf("names of metrics are asked for %d times", n)
		}
	}
}

// Each edge is asked for if hours are missing, at the end too, if a window is short, and if a proxy may hide an edge.
func TestNotByNamespace(t *testing.T) {
	for name, tt := range map[string]struct {
		window int64
		change func(f *fake)
		asked  int // queries of the sums
	}{
		"all hours":     {7 * day, func(*fake) {}, 1},
		"a day":         {day, func(*fake) {}, 0},
		"no hours":      {7 * day, func(f *fake) { delete(f.rows, recordings) }, 0},
		"a gap":         {7 * day, func(f *fake) { f.hours(func(v []sample) []sample { return slices.Delete(v, 9, 10) }) }, 0},
		"no last hours": {7 * day, func(f *fake) { f.hours(func(v []sample) []sample { return v[:len(v)-3] }) }, 0},
		"no first ones": {7 * day, func(f *fake) { f.hours(func(v []sample) []sample { return v[9:] }) }, 0},
		"a proxy": {7 * day, func(f *fake) {
			f.rows[knownEdges] = append(f.rows[knownEdges], counted(1, tagged("client", "a>b", "server_proxy", "ztunnel")))
		}, 1},
		"no figures": {7 * day, func(f *fake) { f.fail(byNamespace[volume], 500, "") }, 1},
	} {
		f := newFake(t)
		crowd{rand.New(rand.NewPCG(1, 0))}.fill(f)
		tt.change(f)
		s := f.source(func(c *Config) { c.MaxSeries = 10000 })
		got, err := s.Hours(t.Context(), s.Range(tt.window, 0), true)
		exact := f.received(`/query sum by`) > 0 && f.received("max_over_time({__name__=\"netconn_edge_io") > 0
		if err != nil || exact == (name == "all hours") || f.received(byNamespace[volume]) != tt.asked || len(got.Edges) == 0 {
			t.Errorf("%s: %v, each edge: %t, %d queries of sums", name, err, exact, f.received(byNamespace[volume]))
		}
	}
}

// hours changes which hours are recorded.
func (f *fake) hours(change func([]sample) []sample) {
	f.rows[recordings][0].Values = change(f.rows[recordings][0].Values)
}

// Figures of edges that are in no list are there all the same.
func TestFiguresWithoutAnEdge(t *testing.T) {
	f := newFake(t)
	crowd{rand.New(rand.NewPCG(3, 0))}.fill(f)
	s := f.source(func(c *Config) { c.MaxSeries = 10000 })
	want, err := s.Hours(t.Context(), s.Range(7*day, 0), true)
	if err != nil {
		t.Fatal(err)
	}
	f.rows[knownEdges] = nil
	s = f.source(func(c *Config) { c.MaxSeries = 10000 })
	got, err := s.Hours(t.Context(), s.Range(7*day, 0), true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(volumeOf(want), volumeOf(got)); diff != "" || len(got.Edges) == 0 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func volumeOf(s *snap.Snapshot) (sum [2]uint64) {
	for i := range s.Edges {
		sum[0], sum[1] = sum[0]+s.Edges[i].Tx, sum[1]+s.Edges[i].Rx
	}
	return sum
}

// A stored is what a test writes to a store.
type stored struct {
	labels map[string]string
	points []sample
}

// store writes series over OTLP, under the names and labels that they have, once for a name, and waits until each point
// can be read: VictoriaMetrics shows the points of one request in parts, up to seconds apart.
func (b *backend) store(all map[string][]stored) {
	b.t.Helper()
	m := pmetric.NewMetrics()
	metrics := m.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics()
	wrote := make(map[string]int)
	for name, series := range all {
		metric := metrics.AppendEmpty()
		metric.SetName(name)
		points := metric.SetEmptyGauge().DataPoints()
		for _, s := range series {
			for _, v := range s.points {
				p := points.AppendEmpty()
				for label, value := range s.labels {
					p.Attributes().PutStr(label, value)
				}
				p.SetTimestamp(pcommon.NewTimestampFromTime(time.UnixMilli(int64(v.At * 1000))))
				p.SetDoubleValue(v.Value)
			}
		}
		wrote[name] = points.Len()
	}
	b.send(m, "test")
	for name, points := range wrote {
		b.until(name, func() bool {
			return b.number(fmt.Sprintf("sum(count_over_time({__name__=%q}[2d]))", name)) == points
		})
	}
}

// counters returns ten hours of points, every 5 minutes, of edges that began before or in them. Some move to another
// gateway.
func (c crowd) counters(end int64) map[string][]stored {
	all := make(map[string][]stored)
	seen := make(map[string]bool)
	for len(seen) < 16 {
		edge := c.edge()
		if seen[fmt.Sprint(edge)] {
			continue
		}
		seen[fmt.Sprint(edge)] = true
		begin, moves := end-10*hour, end-3*hour-300*c.Int64N(12)
		if c.IntN(3) == 0 {
			begin = end - 5*hour
		}
		for _, reporter := range [][]string{{"client"}, {"server"}, {"client", "server"}}[c.IntN(3)] {
			report := c.tags(edge, reporter)
			for _, s := range countedSeries {
				one := stored{labels: with(with(report, s.label...), "service_instance_id", "a")}
				value := 0.0
				for at := begin; at <= end; at += 300 {
					if at == moves && c.IntN(2) == 0 {
						all[ruled[s.m]] = append(all[ruled[s.m]], one)
						one, value = stored{labels: with(one.labels, "service_instance_id", "b")}, 0
					}
					one.points = append(one.points, sample{float64(at), value})
					value += float64(c.IntN(9) + 1)
					if s.m == active {
						value = float64(c.IntN(4))
					}
				}
				all[ruled[s.m]] = append(all[ruled[s.m]], one)
			}
		}
	}
	return all
}

// Rules record what each edge has counted, and the same by namespace: a graph is the same from the points, from the
// recorded hours of each edge, and from the sums by namespace.
func TestBackendByNamespace(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *backend{
		"Prometheus": func(t *testing.T) *backend { return startPrometheus(t, "otlp: {translation_strategy: NoTranslation}") },
		"VictoriaMetrics": func(t *testing.T) *backend {
			return startVictoria(t, "-search.latencyOffset=0s", "-search.disableCache")
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, end := start(t), time.Now().Unix()/300*300
			b.store(crowd{rand.New(rand.NewPCG(5, 0))}.counters(end))
			source := New(Config{
				Client: http.DefaultClient, Endpoint: b.endpoint, Timeout: time.Minute, Cache: time.Nanosecond, MaxSeries: 10000,
				MaxBytes: 1 << 26, Queries: 4,
			})
			defer source.Close()
			source.minOfHours = 8 * hour
			r := snap.Range{From: end - recordDelay - 8*hour, To: end - recordDelay, Step: 300}
			ask := func(get func() (*snap.Snapshot, error)) map[string]string {
				s, err := get()
				if err != nil || s.Partial != nil || len(s.Edges) < 16 {
					t.Fatalf("%v, %+v", err, s)
				}
				return graphs(t, s)
			}
			each := func() (*snap.Snapshot, error) { return source.Snapshot(t.Context(), r) }
			points := ask(each)
			all := make(map[string][]stored)
			for at := end - 7*hour; at <= end; at += hour {
				b.evaluate(at, all)
			}
			b.store(all)
			if hours := b.number(fmt.Sprintf("count_over_time({__name__=%q}[1d])", recordings)); hours != 8 {
				t.Fatalf("%d hours are recorded, want 8", hours)
			}
			if diff := cmp.Diff(points, ask(each)); diff != "" {
				t.Errorf("(-points +hours):\n%s", diff)
			}
			ofHours := func() (*snap.Snapshot, error) { return source.Hours(t.Context(), r, false) }
			if diff := cmp.Diff(points, ask(ofHours)); diff != "" {
				t.Errorf("(-points +hours only):\n%s", diff)
			}
			grouped := func() (*snap.Snapshot, error) { return source.Hours(t.Context(), r, true) }
			if diff := cmp.Diff(points, ask(grouped)); diff != "" {
				t.Errorf("(-points +by namespace):\n%s", diff)
			}
			if s, err := grouped(); err != nil || s.Range != r || s.Seconds != 8*hour {
				t.Errorf("%v, %+v, want %+v", err, s.Range, r)
			}
		})
	}
}

// evaluate adds what a recorder of rules records 0.4 s after a time.
func (b *backend) evaluate(at int64, all map[string][]stored) {
	b.t.Helper()
	c := &client{http: http.DefaultClient, endpoint: b.endpoint, timeout: time.Minute, maxSeries: 1e6, maxBytes: 1 << 30,
		slots: make(chan struct{}, 1)}
	for _, r := range rules() {
		if _, err := c.instant(b.t.Context(), r.expr, at, func(found row) {
			labels := make(map[string]string)
			if err := json.Unmarshal(found.labels, &labels); err != nil {
				b.t.Fatal(err)
			}
			all[r.record] = append(all[r.record], stored{labels, []sample{{float64(at) + 0.4, found.Value.Value}}})
		}); err != nil {
			b.t.Fatalf("%s: %v", r.record, err)
		}
	}
}
