//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// setting returns a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// The agents of a cluster report to gateways of deploy/scale, which write to a VictoriaMetrics. No edge that any end
// reported is missing there, and none has more than was counted, also after one gateway was killed: it lacks at most what
// that one was sent and had not written.
//
// NETCONN_NODES (10) is the size of the cluster. The agents of NETCONN_AGENTS (all) of them report, NETCONN_ROUNDS (6)
// times, as fast as the gateways take it, each over connections of its own. The log has what that took; docs/scale.md
// extrapolates.
func TestBackendFleet(t *testing.T) {
	nodes := setting(t, "NETCONN_NODES", 10)
	r := newFleetRun(t, newFleet(nodes, setting(t, "NETCONN_AGENTS", nodes)))
	rounds := setting(t, "NETCONN_ROUNDS", 6)
	began := time.Now()
	for range rounds / 2 {
		r.send(nil)
	}
	r.settle()
	r.log(began)

	r.send(r.kill)
	for range rounds/2 - 1 {
		r.send(nil)
	}
	r.settle()
	r.log(began)
}

// A sentKey is one end's report of an edge, in one direction.
type sentKey struct{ client, server, reporter, direction string }

type fleetRun struct {
	t        *testing.T
	fleet    *fleet
	store    *prometheus
	address  []string
	gateways []*collector
	clients  map[shipment]pmetricotlp.GRPCClient // each agent has a connection to each gateway
	backend  string

	sent   map[sentKey]int64
	atRisk map[sentKey]int64 // what the killed gateway may have taken and not written
	killed time.Duration     // CPU of killed gateways
	failed atomic.Int64      // attempts

	mu            sync.Mutex
	points, bytes int
}

const fleetGateways = 3

func newFleetRun(t *testing.T, f *fleet) *fleetRun {
	t.Helper()
	r := &fleetRun{
		t: t, fleet: f, sent: make(map[sentKey]int64), atRisk: make(map[sentKey]int64), backend: newSignals(t).address,
		clients: make(map[shipment]pmetricotlp.GRPCClient),
	}
	r.store = startVictoria(t, "-opentelemetry.usePrometheusNaming", "-search.maxUniqueTimeseries=2000000", "-search.maxQueryDuration=5m")
	t.Setenv("STORE_ENDPOINT", "http://"+r.store.address+"/opentelemetry/v1/metrics")
	for range fleetGateways {
		address := freeAddress(t)
		r.address = append(r.address, address)
		r.gateways = append(r.gateways, r.gateway(address))
	}
	for node := range f.agents {
		for shard, address := range r.address {
			r.clients[shipment{node, shard}] = pmetricotlp.NewGRPCClient(dialOTLP(t, address))
		}
	}
	t.Logf("%d nodes, %d agents, %d pods, %d workloads, %d edges", len(f.workloads)*podsPerWorkload/podsPerNode, f.agents, f.started,
		len(f.workloads), len(f.edges))
	return r
}

func (r *fleetRun) gateway(address string) *collector {
	return scaleGateway(r.t, address, r.backend, fmt.Sprintf("yaml:connectors::netmap::interval: %ds", setting(r.t, "NETCONN_INTERVAL", 5)))
}

// shard is the gateway of a service, as the ring of load_balancing would have one for each.
func (r *fleetRun) shard(service string) int {
	return int(crc32.ChecksumIEEE([]byte(service))) % fleetGateways
}

// send sends a round. Once half of it is sent, it kills a gateway by halfway; nil: it does not.
func (r *fleetRun) send(halfway func()) {
	flows := r.fleet.round()
	messages := r.fleet.metrics(flows, time.Now(), r.shard)
	all := slices.Collect(maps.Keys(messages))
	var sending sync.WaitGroup
	slots := make(chan struct{}, 8)
	var failed atomic.Int64
	for i, key := range all {
		if i == len(all)/2 && halfway != nil {
			sending.Go(halfway)
		}
		slots <- struct{}{}
		sending.Go(func() {
			defer func() { <-slots }()
			if !r.export(key, messages[key]) {
				failed.Add(1)
			}
		})
	}
	sending.Wait()
	if failed.Load() > 0 {
		r.t.Fatalf("%d messages were not taken", failed.Load())
	}
	r.count(flows, halfway != nil)
}

// export sends a message until it is taken, as an agent does.
func (r *fleetRun) export(of shipment, all pmetric.Metrics) bool {
	request := pmetricotlp.NewExportRequestFromMetrics(all)
	taken := poll(func() bool {
		_, err := r.clients[of].Export(r.t.Context(), request)
		if err != nil {
			r.failed.Add(1)
		}
		return err == nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.points += all.DataPointCount()
	r.bytes += new(pmetric.ProtoMarshaler).MetricsSize(all)
	return taken
}

// count adds what the ends have counted to the ledger. With killed, all that the first gateway took is at risk.
func (r *fleetRun) count(flows map[endKey]*fleetFlow, killed bool) {
	for k, l := range flows {
		if l.node >= r.fleet.agents {
			continue
		}
		e := r.fleet.edges[k.edge]
		client, server := r.fleet.workloads[e.client].name, r.fleet.workloads[e.server].name
		reporter, own, there, back := "client", client, l.sent, l.received
		if k.byServer {
			reporter, own, there, back = "server", server, l.received, l.sent
		}
		for direction, n := range map[string]int64{"transmit": there, "receive": back} {
			key := sentKey{client, server, reporter, direction}
			r.sent[key] += n
			if killed && r.shard(own) == 0 {
				r.atRisk[key] += n
			}
		}
	}
}

// kill kills a gateway, and starts it again at its address, as a kubelet does.
func (r *fleetRun) kill() {
	r.killed += cpuOf(r.t, r.gateways[0].PID)
	r.gateways[0].Kill()
	r.gateways[0] = r.gateway(r.address[0])
}

// settle waits until the store has what was sent, and fails if an edge has more, or lacks more than was at risk.
func (r *fleetRun) settle() {
	r.t.Helper()
	var wrong []string
	lost, lostOf := int64(0), 0
	if !pollFor(5*deadline, func() bool {
		time.Sleep(time.Second) // the store has other work than to answer
		wrong, lost, lostOf = nil, 0, 0
		got := r.stored()
		for key, want := range r.sent {
			n := got[key]
			delete(got, key)
			if n > want || n < want-r.atRisk[key] {
				wrong = append(wrong, fmt.Sprintf("%v: %d, want %d, of which %d are at risk", key, n, want, r.atRisk[key]))
			}
			if n < want {
				lost += want - n
				lostOf++
			}
		}
		for key, n := range got {
			wrong = append(wrong, fmt.Sprintf("%v: %d in the store, and no agent has sent it", key, n))
		}
		return len(wrong) == 0
	}) {
		slices.Sort(wrong)
		r.t.Fatalf("%d of %d are wrong:\n%s", len(wrong), len(r.sent), strings.Join(wrong[:min(20, len(wrong))], "\n"))
	}
	r.t.Logf("%d sums of both ends are as they were sent; %d of them lack %d bytes, which a killed gateway had not written", len(r.sent), lostOf, lost)
}

// stored returns what the edges in the store add up to.
func (r *fleetRun) stored() map[sentKey]int64 {
	r.t.Helper()
	var rows []struct {
		Metric map[string]string
		Value  [2]any
	}
	r.store.ask(url.Values{"query": {
		"sum by (client_name,server_name,netconn_reporter,network_io_direction) (increase(netconn_edge_io_bytes_total[1h]))"}}, &rows)
	got := make(map[sentKey]int64)
	for _, row := range rows {
		n, err := strconv.ParseFloat(row.Value[1].(string), 64)
		if err != nil {
			r.t.Fatal(err)
		}
		got[sentKey{row.Metric["client_name"], row.Metric["server_name"], row.Metric["netconn_reporter"], row.Metric["network_io_direction"]}] = int64(n)
	}
	return got
}

// log logs what the run has taken so far.
func (r *fleetRun) log(began time.Time) {
	used, most := r.killed, 0
	for _, g := range r.gateways {
		used += cpuOf(r.t, g.PID)
		most = max(most, peakOf(r.t, g.PID))
	}
	metrics := r.storeMetrics()
	r.t.Logf("%v: %d points in messages of %d bytes together; the gateways used %v of CPU, %.2f us a point, and %d MB at most; %d attempts failed",
		time.Since(began).Round(time.Second), r.points, r.bytes, used, float64(used.Microseconds())/float64(r.points), most>>10, r.failed.Load())
	rows := metrics["vm_rows_inserted_total"]
	r.t.Logf("the store used %.1f s of CPU and %.0f MB, for %.0f points of %.0f series, in %.2f bytes a point on disk; load average %s",
		metrics["process_cpu_seconds_total"], metrics["process_resident_memory_bytes"]/1e6, rows, metrics["vm_new_timeseries_created_total"],
		metrics["vm_data_size_bytes"]/max(1, metrics["vm_rows"]), strings.TrimSpace(readText(r.t, "/proc/loadavg")))
}

// storeMetrics returns the sums of VictoriaMetrics' own metrics.
func (r *fleetRun) storeMetrics() map[string]float64 {
	r.t.Helper()
	if answer, err := http.Get("http://" + r.store.address + "/internal/force_flush"); err != nil || answer.Body.Close() != nil {
		r.t.Fatal(err)
	}
	answer, err := http.Get("http://" + r.store.address + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	sums := make(map[string]float64)
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		name, labels, _ := strings.Cut(name, "{")
		if n, err := strconv.ParseFloat(value, 64); err == nil && !strings.Contains(labels, "indexdb") {
			sums[name] += n
		}
	}
	return sums
}

// cpuOf returns the CPU time of a process: utime and stime of proc_pid_stat(5), in hundredths of a second.
func cpuOf(t *testing.T, pid int) (used time.Duration) {
	t.Helper()
	_, after, _ := strings.Cut(readText(t, fmt.Sprintf("/proc/%d/stat", pid)), ") ")
	for _, ticks := range strings.Fields(after)[11:13] {
		n, err := strconv.Atoi(ticks)
		if err != nil {
			t.Fatal(err)
		}
		used += time.Duration(n) * 10 * time.Millisecond
	}
	return used
}

// peakOf returns the most memory that a process has had resident, in KiB.
func peakOf(t *testing.T, pid int) int {
	t.Helper()
	_, after, _ := strings.Cut(readText(t, fmt.Sprintf("/proc/%d/status", pid)), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
