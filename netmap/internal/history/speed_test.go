package history

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/snap"
	"github.com/netconn/netconn/netmap/internal/view"
)

// A volumes is what a benchmark writes to a store: edges that both ends report, the points of a minute of the last
// hours, and those of an hour, which rules record, of some days.
type volumes struct {
	edges, hours, days int
	sparse             bool // edges that team-0 has no part in have ten minutes of one metric, and no hours of their own
	end                int64
	points             int
}

// perNamespace is how many edges there are to a namespace of clients.
const perNamespace = 400

// written are the series of each report: what the connector calls the metric, and the label besides those of the edge.
var written = []struct {
	metric
	name, label string
}{
	{volume, "netconn_edge_io_bytes_total", `,"network_io_direction":"transmit"`},
	{volume, "netconn_edge_io_bytes_total", `,"network_io_direction":"receive"`},
	{attempts, "netconn_edge_attempts_total", ""}, {closed, "netconn_edge_closed_total", ""},
	{retransmits, "netconn_edge_tcp_retransmits_total", ""}, {active, "netconn_edge_active", ""},
	{rttSum, "netconn_edge_tcp_rtt_seconds_sum", ""}, {rttCount, "netconn_edge_tcp_rtt_seconds_count", ""},
}

// namespaces returns the numbers of the namespaces of an edge, and of its workloads. A workload has four servers, and a
// server ten clients.
func (v *volumes) namespaces(i int) (client, server, from, to int) {
	workloads, namespaces := v.edges/4, max(1, v.edges/perNamespace)
	from, to = i%workloads, (i*7+i/workloads)%(workloads*2/5)
	return from % namespaces, to % namespaces, from, to
}

// report returns the labels of a report of an edge.
func (v *volumes) report(i int, reporter string) string {
	end := func(side string, namespace, n int) string {
		return fmt.Sprintf(`"%[1]s_type":"pod","%[1]s_namespace":"team-%[2]d","%[1]s_name":"workload-%[3]d","%[1]s_service":"workload-%[3]d",`+
			`"%[1]s_image_tag":"v1.%[4]d.0","%[1]s_zone":"eu-west-1%[5]c","%[1]s_region":"eu-west-1"`, side, namespace, n, n%9, 'a'+rune(n%3))
	}
	client, server, from, to := v.namespaces(i)
	return fmt.Sprintf(`%s,%s,"netconn_reporter":"%s","netconn_scope":"remote","server_port":"%d"`,
		end("client", client, from), end("server", server, to), reporter, 8000+i/(v.edges/4))
}

func (v *volumes) write(b testing.TB, endpoint string) {
	b.Helper()
	reader, writer := io.Pipe()
	go func() {
		to := bufio.NewWriterSize(writer, 1<<20)
		for i := range v.edges {
			for _, reporter := range []string{"client", "server"} {
				v.edge(to, i, reporter)
			}
		}
		if v.days > 0 {
			v.sums(to)
			v.line(to, `"__name__":"`+recordings+`"`, v.days*24, hour, func(at int64) int64 { return at })
		}
		_ = to.Flush()
		_ = writer.Close()
	}()
	answer, err := http.Post(endpoint+"/api/v1/import", "application/json", reader)
	if err != nil {
		b.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode >= 300 {
		b.Fatalf("%s, %v", answer.Status, err)
	}
}

// edge writes a report of an edge.
func (v *volumes) edge(to *bufio.Writer, i int, reporter string) {
	labels := v.report(i, reporter)
	client, server, _, _ := v.namespaces(i)
	whole := !v.sparse || client == 0 || server == 0
	for m, s := range written {
		minutes, step := v.hours*60, v.step(i, m)
		if !whole && s.metric != active {
			continue
		} else if !whole {
			minutes = 10
		}
		v.line(to, fmt.Sprintf(`"__name__":"%s","service_instance_id":"gateway-%d",%s%s`, s.name, i%3, labels, s.label),
			minutes, 60, func(at int64) int64 { return at % 1e8 / 60 * step })
		if v.days > 0 && whole && (reporter == names.RoleClient || s.metric == retransmits) {
			v.line(to, fmt.Sprintf(`"__name__":"%s",%s%s`, recorded[s.metric], labels, s.label),
				v.days*24, hour, func(at int64) int64 { return 60*step + at/hour%7 })
		}
	}
	if v.days > 0 && reporter == names.RoleClient {
		v.line(to, fmt.Sprintf(`"__name__":"%s",%s`, knownEdges, labels), v.days*24, hour, func(int64) int64 { return 1 })
	}
}

// step returns what a series of an edge counts in a minute.
func (*volumes) step(i, m int) int64 { return int64(i%97+m+1) * 10 }

// sums writes the hours by namespace.
func (v *volumes) sums(to *bufio.Writer) {
	type pair struct{ client, server int }
	for m, s := range written {
		steps, edges := make(map[pair]int64), make(map[pair]int64)
		for i := range v.edges {
			client, server, _, _ := v.namespaces(i)
			n := int64(1)
			if s.metric == retransmits { // of both reports
				n = 2
			}
			steps[pair{client, server}] += n * v.step(i, m)
			edges[pair{client, server}] += n
		}
		for p, step := range steps {
			labels := fmt.Sprintf(`"__name__":"%s","client_type":"pod","client_namespace":"team-%d","server_type":"pod",`+
				`"server_namespace":"team-%d","netconn_scope":"remote"%s`, byNamespace[s.metric], p.client, p.server, s.label)
			v.line(to, labels, v.days*24, hour, func(at int64) int64 { return 60*step + edges[p]*(at/hour%7) })
		}
	}
}

// line writes a series in VictoriaMetrics' format of imports.
func (v *volumes) line(to *bufio.Writer, labels string, points int, step int64, value func(at int64) int64) {
	last := v.end / step * step
	var values, times []byte
	for i := range points {
		at := last - int64(points-1-i)*step
		values = append(strconv.AppendInt(values, value(at), 10), ',')
		times = append(strconv.AppendInt(times, at*1000, 10), ',')
	}
	v.points += points
	fmt.Fprintf(to, `{"metric":{%s},"values":[%s],"timestamps":[%s]}`+"\n", labels, values[:len(values)-1], times[:len(times)-1])
}

// BenchmarkBackend measures graphs of a month from a VictoriaMetrics: of a cluster by namespace, and of the workloads
// of a namespace. Neither the map nor the store caches answers. NETCONN_EDGES says how many edges there are, 500 by
// default. NETCONN_STORE is a store that has edges already.
func BenchmarkBackend(b *testing.B) {
	v := &volumes{edges: 500, hours: 2, days: 31, sparse: true, end: time.Now().Unix() - 120}
	if n, err := strconv.Atoi(os.Getenv("NETCONN_EDGES")); err == nil {
		v.edges = n
	}
	store := &backend{t: b, endpoint: os.Getenv("NETCONN_STORE")}
	if store.endpoint == "" {
		store = startVictoria(b, "-search.disableCache", "-retentionPeriod=2y", "-search.maxUniqueTimeseries=2000000", "-search.maxQueryDuration=5m", "-memory.allowedBytes=2GB")
		start := time.Now()
		v.write(b, store.endpoint)
		b.Logf("%d points of %d edges, written in %v", v.points, v.edges, time.Since(start))
		time.Sleep(5 * time.Second) // until what was written can be found
	}
	team := snap.Want{Client: true, Server: true, Tag: names.TagNamespace, Holds: func(v edge.Value) bool { return v.String() == "team-0" }}
	for _, tt := range []struct {
		name, by, filter string
		get              func(*Source, context.Context, snap.Range) (*snap.Snapshot, error)
	}{
		{"cluster", "namespace", "", func(s *Source, ctx context.Context, r snap.Range) (*snap.Snapshot, error) {
			return s.Hours(ctx, r, true)
		}},
		{"namespace", "name", "namespace=team-0", func(s *Source, ctx context.Context, r snap.Range) (*snap.Snapshot, error) {
			return s.Hours(ctx, r, false, team)
		}},
	} {
		b.Run(tt.name, func(b *testing.B) { store.measure(b, tt.by, tt.filter, tt.get) })
	}
}

// measure draws graphs of a month.
func (b *backend) measure(
	to *testing.B, by, text string, get func(*Source, context.Context, snap.Range) (*snap.Snapshot, error),
) {
	s := New(Config{
		Client: http.DefaultClient, Endpoint: b.endpoint, Timeout: 5 * time.Minute, Cache: time.Nanosecond,
		MaxSeries: 1e6, MaxBytes: 1 << 30, Queries: 4,
	})
	defer s.Close()
	terms, err := filter.Parse(text)
	if err != nil {
		to.Fatal(err)
	}
	q := view.GraphQuery{Query: view.Query{Filter: terms}, Group: view.None, Nodes: 1000, Edges: 5000}
	q.By, _ = view.ParseBy(by)
	q.Rank, _ = view.ParseMetric("volume")
	var took []time.Duration
	var g *view.Graph
	all, ofStore := b.cpu()
	for to.Loop() {
		start := time.Now()
		answer, err := get(s, to.Context(), s.Range(30*day, 0))
		if err != nil || answer.Partial != nil {
			to.Fatalf("%v, %+v", err, answer.Partial)
		}
		if g, err = view.NewGraph(to.Context(), answer, q); err != nil {
			to.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	after, ofStoreAfter := b.cpu()
	to.ReportMetric((after-all).Seconds()/float64(len(took)), "cpu-s/op")
	to.ReportMetric((ofStoreAfter-ofStore).Seconds()/float64(len(took)), "store-cpu-s/op")
	slices.Sort(took)
	to.ReportMetric(took[len(took)/2].Seconds(), "p50-s")
	to.ReportMetric(took[len(took)*95/100].Seconds(), "p95-s")
	to.ReportMetric(float64(g.Totals.Edges), "edges")
	to.ReportMetric(float64(len(g.Edges.Client)), "drawn")
	load, err := os.ReadFile("/proc/loadavg")
	to.Logf("%.0f days, load average %s (%v)", g.Seconds/day, strings.TrimSpace(string(load)), err)
}

// cpu returns the CPU time that the store and this process have used, and that of the store.
func (b *backend) cpu() (all, store time.Duration) {
	b.t.Helper()
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		b.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ")
	used := b.metric("process_cpu_seconds_total")
	store = time.Duration(used * float64(time.Second))
	for _, ticks := range strings.Fields(after)[11:13] { // utime and stime, proc_pid_stat(5), in hundredths of a second
		n, err := strconv.Atoi(ticks)
		if err != nil {
			b.t.Fatal(err)
		}
		used += float64(n) / 100
	}
	return time.Duration(used * float64(time.Second)), store
}

// metric returns one of the store's own metrics.
func (b *backend) metric(name string) float64 {
	b.t.Helper()
	answer, err := http.Get(b.endpoint + "/metrics")
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				b.t.Fatal(err)
			}
			return n
		}
	}
	b.t.Fatalf("the store has no metric %s", name)
	return 0
}
