//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	pastDays = 9   // seven, the day before them, and one more
	pastStep = 300 // seconds between the points of a series
	pastDay  = 86400 / pastStep
	// blocksOf has promtool make a block of all days instead of one for each two hours.
	blocksOf = "--max-block-duration=486h"
)

// Edges of which recordedFleet has its reports.
const (
	webToAPI = iota
	webToDB
	serverOnly
	newEdge // it begins with the last day
)

// A graph of seven days has exactly what was sent: Prometheus has the points of nine days, with the labels that gateways
// of deploy/scale write, and what the shipped rules make of them. One gateway was started anew twice, the ends of an edge
// are reported by two gateways, and one edge by its server only.
func TestBackendHours(t *testing.T) {
	p := &past{begin: time.Now().Unix()/pastStep*pastStep - pastDays*86400}
	for _, labels := range gatewaySeries(t) {
		p.add(labels)
	}
	raw, recorded := t.TempDir(), t.TempDir()
	promtool(t, "openmetrics", blocksOf, "--quiet", p.write(t), raw)
	source := prometheusOf(t, raw)
	promtool(t, "rules", blocksOf, "--url=http://"+source.address, fmt.Sprintf("--start=%d", p.begin+2*3600),
		fmt.Sprintf("--end=%d", time.Now().Unix()), "--output-dir="+recorded, rulesDirectory+"edges.yaml")
	copyBlocks(t, raw, recorded)
	store := prometheusOf(t, recorded)
	page := "ann:open%20sesame@" + historyPage(t, store.address)

	last := store.query("last_over_time(netconn:hour:recorded[2h])", "")
	if len(last) != 1 {
		t.Fatalf("recorded hours: %v", last)
	}
	for _, by := range []string{"name", "namespace"} {
		// What is asked for begins with a step of two hours, and the graph with the first whole hour of that.
		asked := time.Now().Unix() - 7*86400
		g := hoursGraphOf(t, page, by)
		if late := g.From - asked; g.To != int64(math.Round(last[0])) || late < 0 || late > 3*3600 {
			t.Errorf("by %s: the graph is from %d to %d, and the last recorded hour ends at %v", by, g.From, g.To, last)
		}
		if diff := cmp.Diff(p.want(by, g.From, g.To), g.rows()); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", by, diff)
		}
	}
}

// recordedFleet is four edges between workloads of three namespaces.
func recordedFleet() *fleet {
	f := &fleet{dice: rand.New(rand.NewPCG(1, 2)), agents: 1}
	for _, w := range [][2]string{{"shop", "web"}, {"shop", "api"}, {"data", "db"}, {"batch", "job"}} {
		one := fleetWorkload{namespace: w[0], name: w[1]}
		for range 12 { // enough for each edge to have traffic in each round
			one.pods = append(one.pods, f.start(&one, 0))
		}
		f.workloads = append(f.workloads, one)
	}
	f.edges = []fleetEdge{webToAPI: {0, 1, 8080}, webToDB: {0, 2, 5432}, serverOnly: {3, 2, 5432}, newEdge: {3, 1, 8080}}
	return f
}

// gatewaySeries returns the labels of the series that two gateways write of the edges.
func gatewaySeries(t *testing.T) (all []map[string]string) {
	t.Helper()
	store := startPrometheus(t, promoted, "--web.enable-otlp-receiver")
	t.Setenv("STORE_ENDPOINT", "http://"+store.address+"/api/v1/otlp/v1/metrics")
	backend := newSignals(t)
	gateways := [...]string{freeAddress(t), freeAddress(t)}
	for _, address := range gateways {
		scaleGateway(t, address, backend.address)
	}
	f := recordedFleet()
	flows := f.round()
	for k, l := range flows {
		l.resends = 1
		if k.edge == serverOnly && !k.byServer {
			delete(flows, k)
		}
	}
	shard := func(service string) int { return map[string]int{"api": 1, "db": 1}[service] }
	for to, metrics := range f.metrics(flows, time.Now(), shard) {
		if err := exportMetrics(t, gateways[to.shard], metrics); err != nil {
			t.Fatal(err)
		}
	}
	const reports, perReport = 7, 8 // bytes in two directions, attempts, closed, open, retransmits, sum and number of round trips
	var rows []struct{ Metric map[string]string }
	if !poll(func() bool {
		store.ask(url.Values{"query": {`{__name__=~"netconn_edge_.+",__name__!~".+_bucket"}`}}, &rows)
		return len(rows) == reports*perReport
	}) {
		t.Fatalf("%d series, want %d", len(rows), reports*perReport)
	}
	for _, r := range rows {
		all = append(all, r.Metric)
	}
	return all
}

// A past is what some series have counted since a time.
type past struct {
	begin  int64
	series []pastSeries
}

type pastSeries struct {
	labels map[string]string
	first  int   // its first step
	weight int64 // of what it counts, which differs from that of all others
}

func (p *past) add(labels map[string]string) {
	s := pastSeries{labels: labels, weight: int64(len(p.series) + 1)}
	if labels["client_name"] == "job" && labels["server_name"] == "api" {
		s.first = (pastDays - 1) * pastDay
	}
	p.series = append(p.series, s)
}

func (s *pastSeries) is(metric string) bool { return s.labels["__name__"] == "netconn_edge_"+metric }

// restarts are the steps in which the gateway of the clients' reports begins anew with zero: as the same instance, and
// as another one.
var restarts = [...]int{4 * pastDay, 6*pastDay + 7}

// begins reports whether a series has its zero in a step.
func (s *pastSeries) begins(step int) bool {
	return step == s.first || step > s.first && s.labels["netconn_reporter"] == "client" && slices.Contains(restarts[:], step)
}

// counts is what a series has counted in a step.
func (s *pastSeries) counts(step int) int64 {
	if step < s.first || s.begins(step) {
		return 0
	}
	return s.weight * int64(1+step%5)
}

// write writes the points as OpenMetrics, and returns the file.
func (p *past) write(t *testing.T) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "openmetrics"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	to := bufio.NewWriter(file)
	for _, s := range p.series {
		labels, value := s.text(""), int64(0)
		for step := s.first; step <= pastDays*pastDay; step++ {
			if step == restarts[1] && s.begins(step) {
				labels = s.text("-2")
			}
			if value += s.counts(step); s.begins(step) {
				value = 0
			}
			shown := value
			if s.is("active") {
				shown = s.weight
			}
			fmt.Fprintf(to, "%s %d %d\n", labels, shown, p.begin+int64(step)*pastStep)
		}
	}
	fmt.Fprintln(to, "# EOF")
	if err := to.Flush(); err != nil {
		t.Fatal(err)
	}
	return file.Name()
}

// text returns the name and the labels, with a suffix of the instance.
func (s *pastSeries) text(suffix string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.labels)) {
		value := s.labels[name]
		if name == "instance" || name == "service_instance_id" {
			value += suffix
		}
		if name != "__name__" {
			all = append(all, name+"="+strconv.Quote(value))
		}
	}
	return s.labels["__name__"] + "{" + strings.Join(all, ",") + "}"
}

// A hoursRow is what a graph has of the edges between two nodes.
type hoursRow struct {
	Edges                                       int
	Tx, Rx, Retransmits, Attempts, Closed, Open float64
	RTT                                         float64
	New                                         bool
}

// want returns the rows of a graph: what the clients report, and the servers where no client does. Each end reports its
// own retransmits.
func (p *past) want(by string, from, to int64) map[string]hoursRow {
	all, rtt := make(map[string]hoursRow), make(map[string][2]float64)
	for _, s := range p.series {
		ofServer := s.labels["netconn_reporter"] == "server"
		counts := !ofServer || s.labels["client_name"] == "job" && s.labels["server_name"] == "db"
		if !counts && !s.is("tcp_retransmits_total") {
			continue
		}
		sum := float64(0)
		for step := range pastDays*pastDay + 1 {
			if at := p.begin + int64(step)*pastStep; at > from && at <= to {
				sum += float64(s.counts(step))
			}
		}
		key := s.labels["client_"+by] + " " + s.labels["server_"+by]
		row, trips := all[key], rtt[key]
		switch {
		case s.is("io_bytes_total") && s.labels["network_io_direction"] == "transmit":
			row.Tx += sum
		case s.is("io_bytes_total"):
			row.Rx += sum
		case s.is("tcp_retransmits_total"):
			row.Retransmits += sum
		case s.is("attempts_total"):
			row.Attempts += sum
		case s.is("closed_total"):
			row.Closed += sum
		case s.is("active"):
			row.Open += float64(s.weight)
			row.New = (row.New || row.Edges == 0) && s.first > 0
			row.Edges++
		case s.is("tcp_rtt_seconds_sum"):
			trips[0] += sum
		case s.is("tcp_rtt_seconds_count"):
			trips[1] += sum
		}
		row.RTT = math.Round(trips[0]/trips[1]*1000) / 1000 // as the API has it
		all[key], rtt[key] = row, trips
	}
	return all
}

// A hoursGraph is an answer of the map.
type hoursGraph struct {
	From, To int64
	Nodes    struct{ Name []string }
	Edges    struct {
		Client, Server, Flags, Count                       []int
		Tx, Rx, Retransmits, Attempts, Closed, Active, RTT []float64
	}
}

func hoursGraphOf(t *testing.T, page, by string) (g hoursGraph) {
	t.Helper()
	askMap(t, page, "/api/v1/graph?"+url.Values{
		"window": {strconv.Itoa(7 * 86400)}, "by": {by}, "metrics": {"tx,rx,retransmits,attempts,closed,active,rtt"},
	}.Encode(), &g)
	return g
}

func (g *hoursGraph) rows() map[string]hoursRow {
	all := make(map[string]hoursRow)
	for i, client := range g.Edges.Client {
		e := &g.Edges
		all[g.Nodes.Name[client]+" "+g.Nodes.Name[e.Server[i]]] = hoursRow{
			e.Count[i], e.Tx[i], e.Rx[i], e.Retransmits[i], e.Attempts[i], e.Closed[i], e.Active[i], e.RTT[i], e.Flags[i]&1 != 0,
		}
	}
	return all
}

// prometheusOf starts a Prometheus that has the blocks of a folder.
func prometheusOf(t *testing.T, data string) *prometheus {
	t.Helper()
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	writeFile(t, file, "")
	p := &prometheus{t, freeAddress(t)}
	startBackend(t, "prometheus", "--config.file="+file, "--storage.tsdb.path="+data, "--web.listen-address="+p.address)
	until(t, "Prometheus", func() bool { return answers("http://" + p.address + "/-/ready") })
	return p
}

// promtool makes blocks.
func promtool(t *testing.T, what, flag string, arguments ...string) {
	t.Helper()
	command := exec.Command(backend(t, "promtool"), append([]string{"tsdb", "create-blocks-from", flag, what}, arguments...)...)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("promtool %s: %v\n%s", arguments, err, output)
	}
}

// copyBlocks copies the blocks of a folder that a Prometheus uses.
func copyBlocks(t *testing.T, from, to string) {
	t.Helper()
	all, err := filepath.Glob(from + "/*/meta.json")
	if err != nil || len(all) == 0 {
		t.Fatalf("no blocks (%v)", err)
	}
	for _, meta := range all {
		block := filepath.Dir(meta)
		if err := os.CopyFS(filepath.Join(to, filepath.Base(block)), os.DirFS(block)); err != nil {
			t.Fatal(err)
		}
	}
}
