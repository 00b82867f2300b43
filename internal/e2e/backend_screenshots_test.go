//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
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

// The pictures show what happened in tradeTime. A release comes at releaseAt, and is slow.
const (
	tradeTime = 120 * time.Second
	releaseAt = 65 * time.Second
)

// resetRule is the rule NetconnConnectionsReset of deploy/observe, with a short memory.
const resetRule = `groups: [{name: netconn, interval: 2s, rules: [
  {alert: NetconnConnectionsReset, labels: {severity: critical}, expr: '
   sum by (k8s_namespace_name, service_name, netconn_peer_name)
     (rate(netconn_closed_total{netconn_role="client",error_type=~"reset|timed_out|aborted"}[40s]))
   / sum by (k8s_namespace_name, service_name, netconn_peer_name)
     (rate(netconn_closed_total{netconn_role="client"}[40s])) > 0.1', annotations: {
   summary: '{{ $value | humanizePercentage }} of the connections from {{ $labels.service_name }} to {{ $labels.netconn_peer_name }} break.',
   runbook_url: 'https://runbooks.example.com/connections-reset'}}]}]`

// An exhibit is an application of the pictures, with the names that the Kubernetes API has for its pod.
type exhibit struct {
	*traced
	in                       *mesh.Container
	pod                      *mesh.Pod
	service, deployment, tag string
}

// A storefront is the applications of the pictures, by a short name.
type storefront struct {
	*story
	program string // that they run
	page    string // address of the map
	of      map[string]*exhibit
	begun   time.Time
	reviews string // the exhibit that has the current release

	customers int // so far
}

// The pictures of the README, of real connections, spans, logs, CPU and alerts: an edge to a release that is slower than
// the one before, and a canary that resets connections.
func TestBackendScreenshots(t *testing.T) {
	folder := os.Getenv(screenshots)
	if folder == "" {
		t.Skip(screenshots + " is not set: make screenshots sets it")
	}
	s := newStorefront(t)
	s.launch()
	for name := range s.of {
		if name != "released" {
			s.open(name)
		}
	}
	s.trade(func() bool { return time.Since(s.begun) > tradeTime && s.firing() })
	described, err := json.Marshal(map[string]any{"page": "http://" + s.page, "folder": folder, "begun": s.begun.Unix()})
	s.check(err)
	drawn := make(chan struct{})
	go func() {
		defer close(drawn)
		npmStory(t, "story/screenshots.test.ts", "NETCONN_STORY="+string(described))
	}()
	s.trade(func() bool { // or the alert would end
		select {
		case <-drawn:
			return true
		default:
			return false
		}
	})
}

// newStorefront makes the pods and their containers: their names are in the configuration.
func newStorefront(t *testing.T) *storefront {
	t.Helper()
	s := &storefront{
		story:   &story{testbed: &testbed{t: t}, socket: filepath.Join(t.TempDir(), "otlp.sock")},
		program: backend(t, "traced"), page: freeAddress(t), of: make(map[string]*exhibit), begun: time.Now(), reviews: "reviews",
	}
	s.build()
	for i, e := range []struct{ name, service, deployment, tag string }{
		{"frontend", "frontend", "frontend", "3.4.1"},
		{"catalog", "catalog", "catalog", "5.0.2"},
		{"cart", "cart", "cart", "2.7.0"},
		{"checkout", "checkout", "checkout", "4.1.9"},
		{"payments", "payments", "payments", "1.3.0"},
		{"inventory", "inventory", "inventory", "2.2.5"},
		{"ratings", "ratings", "ratings", "2.0.7"},
		{"reviews", "reviews", "reviews", "1.20.3"},
		{"released", "reviews", "reviews", "1.20.4"},
		{"canary", "reviews", "reviews-canary", "2.0.0-rc1"},
	} {
		x := &exhibit{service: e.service, deployment: e.deployment, tag: e.tag}
		var err error
		x.pod, err = s.node[i%2].Pod(e.deployment+"-6d4cf56db"+strconv.Itoa(i), 41+i)
		s.check(err)
		x.in, err = x.pod.Container()
		s.check(err)
		s.of[e.name] = x
	}
	return s
}

// open starts an application.
func (s *storefront) open(name string) {
	s.t.Helper()
	e := s.of[name]
	e.traced = s.startTraced(s.program, e.service, e.pod, e.in)
	e.do(tracedOrder{Listen: ":9080"})
}

// launch starts a Prometheus with the rule, and the distribution with the map of the shop's connections only.
func (s *storefront) launch() {
	s.t.Helper()
	rules := filepath.Join(s.t.TempDir(), "rules.yml")
	s.check(os.WriteFile(rules, []byte(resetRule), 0o600))
	p := startPrometheus(s.t, fmt.Sprintf("{global: {evaluation_interval: 2s}, rule_files: [%s], otlp: {promote_all_resource_attributes: true}}",
		rules), "--web.enable-otlp-receiver")
	resources, err := json.Marshal(s.names("resource", "container.id", "k8s.namespace.name", "k8s.deployment.name", "service.name"))
	s.check(err)
	points, err := json.Marshal(s.names("datapoint", "netconn.peer.container.id", "netconn.peer.k8s.namespace.name",
		"netconn.peer.k8s.workload.name", "service.peer.name"))
	s.check(err)
	launch(s.t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + fmt.Sprintf(`
receivers:
  netconn:
    {collection_interval: 2s, initial_delay: 0s, events: {enabled: true, max_per_second: 1000}, attributes: {netconn.peer.container.id: true}}
  otlp: {protocols: {grpc: {endpoint: %s, transport: unix}}}
processors:
  transform: {error_mode: propagate, metric_statements: %[2]s, log_statements: %[2]s}
  transform/peers: {error_mode: propagate, metric_statements: %[3]s}
  filter: {metrics: {metric: ['resource.attributes["k8s.namespace.name"] == nil']}}
extensions:
  netmap:
    endpoint: %[4]s
    alerts: {endpoint: "http://%[5]s", poll_interval: 1s, labels: {workload: [netconn_peer_name]}}
    links: [{name: Trace, kind: traces, url: "https://jaeger.example.com/trace/{trace_id}"}]
exporters: {netmap: {}, otlp_http: {endpoint: "http://%[5]s/api/v1/otlp", sending_queue: {num_consumers: 1}}}
service:
  extensions: [netmap]
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [netconn, otlp], processors: [transform, transform/peers, filter], exporters: [netmap, otlp_http]}
    logs: {receivers: [netconn, otlp], processors: [transform], exporters: [netmap]}
    traces: {receivers: [otlp], exporters: [netmap]}
`, s.socket, resources, points, s.page, p.address)}, "env:NETCONN_TEST_CONFIGURATION")
	until(s.t, "the receivers", func() bool {
		_, err := os.Stat(s.socket)
		return err == nil && answers("http://"+s.page+"/api/v1/status")
	})
}

// names are the statements that give each container its namespace, deployment and service, and to a resource its pod,
// container and image, as k8s_attributes and the receiver do on a cluster.
func (s *storefront) names(of, id, namespace, deployment, service string) (all []string) {
	for _, e := range s.of {
		named := map[string]string{namespace: "shop", deployment: e.deployment, service: e.service}
		if of == "resource" {
			named["k8s.pod.name"], named["k8s.container.name"], named["container.image.tag"] = e.pod.Name, e.service, e.tag
		} else {
			named["netconn.peer.name"], named["netconn.peer.container.name"] = e.deployment, e.service
			named["netconn.peer.container.image.tag"] = e.tag
		}
		for key, value := range named {
			all = append(all, fmt.Sprintf(`set(%s.attributes["%s"], "%s") where %[1]s.attributes["%[4]s"] == "%[5]s"`, of, key, value, id, e.in.ID))
		}
	}
	return all
}

// trade has customers come until it is enough.
func (s *storefront) trade(enough func() bool) {
	s.t.Helper()
	sent := time.Time{}
	for ; s.customers%20 != 0 || !enough(); s.customers++ {
		if s.of["released"].traced == nil && time.Since(s.begun) > releaseAt {
			s.open("released")
			s.reviews = "released"
		}
		s.serve(s.customers)
		if time.Since(sent) > 5*time.Second {
			sent = time.Now()
			s.sendUsages()
		}
	}
}

// serve has a customer look at a product, and sometimes buy it. The release of reviews computes longer, is slow now and
// then, and fails sometimes. One in three connections to the canary is reset.
func (s *storefront) serve(i int) {
	s.t.Helper()
	product := strconv.Itoa(1000 + rand.IntN(40))
	s.get("frontend", "catalog", "/products/"+product+"?wait=2ms&work=1ms", true)
	s.get("catalog", "inventory", "/stock/"+product+"?wait=1ms", true)
	opinion := "/reviews/" + product + "?wait=" + strconv.Itoa(3+rand.IntN(9)) + "ms&work=1ms"
	if s.reviews == "released" {
		opinion = "/reviews/" + product + "?work=6ms&wait=" + strconv.Itoa(20+rand.IntN(60)) + "ms"
		if i%9 == 5 {
			opinion = "/reviews/" + product + "?work=10ms&wait=" + strconv.Itoa(250+rand.IntN(600)) + "ms"
		}
		if i%17 == 10 {
			opinion += "&fail=no+rating+for+product+" + product + ":+time-out+after+50+ms"
		}
	}
	s.get("frontend", s.reviews, opinion, i%3 != 0)
	if i%2 == 0 {
		s.get(s.reviews, "ratings", "/ratings/"+product+"?wait=2ms", true)
		s.get("frontend", "cart", "/cart?wait=1ms", i%4 != 0)
	}
	if i%5 == 0 {
		s.get("frontend", "checkout", "/orders?wait=4ms&work=2ms", false)
		s.get("checkout", "cart", "/cart?wait=1ms", true)
		s.get("checkout", "payments", "/charges?wait=9ms", true)
	}
	if i%4 == 0 {
		broken := ""
		if i%12 == 0 {
			broken = "&fail=panic:+nil+map+in+render&reset"
		}
		s.get("frontend", "canary", "/reviews/"+product+"?wait=4ms"+broken, false)
		s.get("canary", "ratings", "/ratings/"+product+"?wait=2ms", true)
	}
}

// get sends a request, whatever becomes of it.
func (s *storefront) get(client, server, target string, keep bool) {
	s.t.Helper()
	var answer tracedAnswer
	s.check(s.of[client].Call(tracedOrder{Get: fmt.Sprintf("http://%s%s", at(s.of[server].pod.Addr4, 9080), target), Keep: keep}, &answer))
}

func (s *storefront) firing() bool {
	s.t.Helper()
	var alerts struct{ Firing int }
	askMap(s.t, s.page, "/api/v1/alerts", &alerts)
	return alerts.Firing > 0
}

// sendUsages sends CPU and memory of the applications as /proc has them, by the names of kubelet_stats.
func (s *storefront) sendUsages() {
	s.t.Helper()
	client := newOTLPClient(s.t, "unix://"+s.socket)
	for _, e := range s.of {
		if e.traced == nil {
			continue
		}
		cpu, memory := e.used()
		client.metrics(usageOf(values{
			"k8s.pod.uid": e.pod.UID, "k8s.container.name": e.service, "container.id": e.in.ID, "container.image.tag": e.tag,
		}, map[string]float64{"container.cpu.time": cpu, "container.memory.working_set": memory}))
	}
}

// used returns the CPU time of the process in seconds, and its memory in bytes.
func (e *exhibit) used() (cpu, memory float64) {
	e.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", e.PID))
	if err != nil {
		e.t.Fatal(err)
	}
	fields := strings.Fields(string(stat[slices.Index(stat, ')')+2:])) // they begin with the third one, the state
	number := func(i int) float64 {
		n, err := strconv.ParseFloat(fields[i-3], 64)
		if err != nil {
			e.t.Fatal(err)
		}
		return n
	}
	return (number(14) + number(15)) / 100, number(24) * float64(os.Getpagesize())
}
