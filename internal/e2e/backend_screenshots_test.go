//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testnet/mesh"
)

// screenshots is the variable with the folder that the pictures go to.
const screenshots = "NETCONN_SCREENSHOTS"

// tradeTime is how long there is traffic before the pictures are taken, and what the charts show of it.
const tradeTime = 120 * time.Second

// canaryRule is the shipped rule NetconnConnectionsReset by pod, and within seconds.
const canaryRule = `groups: [{name: canary, interval: 2s, rules: [
  {alert: ConnectionsReset, labels: {severity: critical},
   expr: 'sum by (k8s_namespace_name, k8s_pod_name) (rate(netconn_closed_total{netconn_role="server",error_type!=""}[30s]))
     / sum by (k8s_namespace_name, k8s_pod_name) (rate(netconn_closed_total{netconn_role="server"}[30s])) > 0.1',
   annotations: {summary: '{{ $value | humanizePercentage }} of the connections to {{ $labels.k8s_pod_name }} break.',
     runbook_url: 'https://runbooks.example.com/connections-reset'}}]}]`

// An exhibit is an application of the pictures, with the names that k8s_attributes gives its container on a cluster.
type exhibit struct {
	*traced
	in             *mesh.Container
	pod            *mesh.Pod
	service, tag   string
	deployment     string
	cpus, memoryMB float64 // limits
}

// The pictures of the README, of real connections, spans, logs, CPU and alerts: the panel of an edge with slow and
// failed calls, and a canary that resets connections.
func TestBackendScreenshots(t *testing.T) {
	folder := os.Getenv(screenshots)
	if folder == "" {
		t.Skip(screenshots + " is not set: make screenshots sets it")
	}
	s := &story{testbed: &testbed{t: t}, socket: filepath.Join(t.TempDir(), "otlp.sock")}
	program := backend(t, "traced")
	s.build()
	shop := s.newShop()
	page := s.launchShop(shop)
	for _, e := range shop {
		e.traced = s.startTraced(program, e.service, e.pod, e.in)
		e.do(tracedOrder{Listen: ":9080"})
	}
	s.trade(shop, page)
	described, err := json.Marshal(map[string]string{"page": "http://" + page, "folder": folder})
	s.check(err)
	npmStory(t, "story/screenshots.test.ts", "NETCONN_STORY="+string(described))
}

// newShop makes the pods and their containers: their names are in the configuration.
func (s *story) newShop() map[string]*exhibit {
	s.t.Helper()
	shop := map[string]*exhibit{
		"frontend": {service: "frontend", tag: "3.4.1", deployment: "frontend", cpus: .2, memoryMB: 64},
		"reviews":  {service: "reviews", tag: "1.20.3", deployment: "reviews", cpus: .1, memoryMB: 48},
		"canary":   {service: "reviews", tag: "1.21.0", deployment: "reviews-canary", cpus: .1, memoryMB: 48},
		"ratings":  {service: "ratings", tag: "2.0.7", deployment: "ratings", cpus: .1, memoryMB: 48},
	}
	for i, name := range []string{"frontend", "reviews", "canary", "ratings"} {
		e := shop[name]
		var err error
		e.pod, err = s.node[i%2].Pod(e.deployment+"-6d4cf56db"+strconv.Itoa(i), 41+i)
		s.check(err)
		e.in, err = e.pod.Container()
		s.check(err)
	}
	return shop
}

// launchShop starts a Prometheus with the rule, and the distribution with the map of the shop's connections only.
func (s *story) launchShop(shop map[string]*exhibit) (page string) {
	s.t.Helper()
	rules := filepath.Join(s.t.TempDir(), "rules.yml")
	s.check(os.WriteFile(rules, []byte(canaryRule), 0o600))
	p := startPrometheus(s.t, fmt.Sprintf("{global: {evaluation_interval: 2s}, rule_files: [%s], otlp: {promote_all_resource_attributes: true}}",
		rules), "--web.enable-otlp-receiver")
	var names []string
	for _, e := range shop {
		names = append(names, e.statements()...)
	}
	statements, err := json.Marshal(names)
	s.check(err)
	page = freeAddress(s.t)
	launch(s.t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + fmt.Sprintf(`
receivers:
  netconn:
    {collection_interval: 2s, initial_delay: 0s, events: {enabled: true, max_per_second: 1000}, attributes: {netconn.peer.container.id: true}}
  otlp: {protocols: {grpc: {endpoint: %s, transport: unix}}}
processors:
  transform: {error_mode: propagate, metric_statements: %[2]s, log_statements: %[2]s}
  filter: {metrics: {metric: ['resource.attributes["k8s.namespace.name"] == nil']}}
extensions:
  netmap:
    endpoint: %[3]s
    alerts: {endpoint: "http://%[4]s", poll_interval: 1s}
    links: [{name: Trace, kind: traces, url: "https://jaeger.example.com/trace/{trace_id}"}]
exporters: {netmap: {}, otlp_http: {endpoint: "http://%[4]s/api/v1/otlp", sending_queue: {num_consumers: 1}}}
service:
  extensions: [netmap]
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [netconn, otlp], processors: [transform, filter], exporters: [netmap, otlp_http]}
    logs: {receivers: [netconn, otlp], processors: [transform], exporters: [netmap]}
    traces: {receivers: [otlp], exporters: [netmap]}
`, s.socket, statements, page, p.address)}, "env:NETCONN_TEST_CONFIGURATION")
	until(s.t, "the receivers", func() bool {
		_, err := os.Stat(s.socket)
		return err == nil && answers("http://"+page+"/api/v1/status")
	})
	return page
}

// statements name the container as k8s_attributes does.
func (e *exhibit) statements() (all []string) {
	for key, value := range map[string]string{
		"k8s.namespace.name": "shop", "k8s.deployment.name": e.deployment, "k8s.pod.name": e.pod.Name,
		"k8s.container.name": e.service, "container.image.tag": e.tag, "service.name": e.service,
	} {
		all = append(all, fmt.Sprintf(`set(resource.attributes["%s"], "%s") where resource.attributes["container.id"] == "%s"`, key, value, e.in.ID))
	}
	return all
}

// trade has the shop's customers come for a while, and then until the alert fires.
func (s *story) trade(shop map[string]*exhibit, page string) {
	s.t.Helper()
	const cheap, dear = 3, 120 // milliseconds
	begun, used := time.Now(), time.Time{}
	for i := 0; ; i++ {
		wait, more := cheap+rand.IntN(9), ""
		if i%37 == 20 {
			wait = dear + rand.IntN(700)
		}
		if i%53 == 30 {
			more = "&fail=no+stock+for+item+" + strconv.Itoa(4000+rand.IntN(900))
		}
		shop["frontend"].get(shop["reviews"].pod.Addr4, fmt.Sprintf("/reviews/%d?wait=%dms%s", rand.IntN(40), wait, more), i%4 != 0)
		if i%3 == 0 {
			shop["reviews"].get(shop["ratings"].pod.Addr4, fmt.Sprintf("/ratings/%d?wait=2ms", rand.IntN(40)), true)
		}
		if i%5 == 0 {
			broken := ""
			if i%15 == 0 {
				broken = "&fail=store+is+locked&reset"
			}
			shop["frontend"].get(shop["canary"].pod.Addr4, fmt.Sprintf("/reviews/%d?wait=%dms%s", rand.IntN(40), wait, broken), false)
		}
		if time.Since(used) > 5*time.Second {
			used = time.Now()
			s.sendUsages(shop)
		}
		if i%20 == 0 && time.Since(begun) > tradeTime && firing(s.t, page) {
			return
		}
		if time.Since(begun) > tradeTime+2*deadline {
			s.t.Fatal("no alert fires")
		}
	}
}

// get sends a request, whatever becomes of it.
func (e *exhibit) get(server netip.Addr, target string, keep bool) {
	e.t.Helper()
	var answer tracedAnswer
	e.check(e.Call(tracedOrder{Get: fmt.Sprintf("http://%s%s", at(server, 9080), target), Keep: keep}, &answer))
}

func firing(t *testing.T, page string) bool {
	t.Helper()
	var alerts struct{ Firing int }
	askMap(t, page, "/api/v1/alerts", &alerts)
	return alerts.Firing > 0
}

// sendUsages sends CPU and memory of the applications as /proc has them, beside limits, by the names of kubelet_stats
// and k8s_cluster.
func (s *story) sendUsages(shop map[string]*exhibit) {
	s.t.Helper()
	client := newOTLPClient(s.t, "unix://"+s.socket)
	for _, e := range shop {
		cpu, memory := e.used()
		client.metrics(usageOf(values{
			"k8s.pod.uid": e.pod.UID, "k8s.container.name": e.service, "container.id": e.in.ID, "container.image.tag": e.tag,
		}, map[string]float64{
			"container.cpu.time": cpu, "k8s.container.cpu_limit": e.cpus,
			"container.memory.working_set": memory, "k8s.container.memory_limit": e.memoryMB * 1e6,
		}))
	}
}

// used returns the CPU time of the process in seconds, and its memory in bytes.
func (e *exhibit) used() (cpu, memory float64) {
	e.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", e.PID))
	e.check(err)
	fields := strings.Fields(string(stat[slices.Index(stat, ')')+2:])) // they begin with the third one, the state
	number := func(i int) float64 {
		n, err := strconv.ParseFloat(fields[i-3], 64)
		e.check(err)
		return n
	}
	return (number(14) + number(15)) / 100, number(24) * float64(os.Getpagesize())
}
