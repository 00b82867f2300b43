//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// alertsWithin is how soon an alert is on the map once its source has it.
const alertsWithin = 30 * time.Second

const (
	downRule = `groups: [{name: test, interval: 1s, rules: [
  {alert: Down, expr: 'vector(1) %s', labels: {namespace: prod, pod: web-1, severity: critical},
   annotations: {summary: web-1 is down, runbook_url: 'https://runbooks.example/down'}},
  {alert: Slow, expr: 'vector(1) %s', for: 1h, labels: {k8s_node_name: n2}}]}]`
	alerting = `
global: {evaluation_interval: 1s}
rule_files: [%s]
alerting: {alertmanagers: [{static_configs: [{targets: ['%s']}]}]}`
	receiverOfNone = "route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\nglobal: {resolve_timeout: 5s}\n"
)

// A rule of a real Prometheus fires, the map says so of the right nodes, and it ends with the alert. A map that asks
// the Alertmanager of that Prometheus shows the same, without what is pending.
func TestBackendAlerts(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "rules.yml")
	evaluate := func(condition string) {
		if err := os.WriteFile(rules, fmt.Appendf(nil, downRule, condition, condition), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	evaluate("> 5")
	manager := startAlertmanager(t)
	p := startPrometheus(t, fmt.Sprintf(alerting, rules, manager), "--web.enable-lifecycle", "--rules.alert.resend-delay=1s")
	otlp, byPrometheus, byManager := freeAddress(t), freeAddress(t), freeAddress(t)
	c := launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + fmt.Sprintf(`
receivers: {otlp: {protocols: {http: {endpoint: %s}}}}
extensions:
  netmap: {endpoint: %s, alerts: {endpoint: "http://%s", poll_interval: 1s}}
  netmap/manager: {endpoint: %s, alerts: {endpoint: "http://%s", poll_interval: 1s}}
exporters: {netmap: {}, netmap/manager: {extension: netmap/manager}}
service:
  extensions: [netmap, netmap/manager]
  telemetry: {metrics: {level: none}}
  pipelines: {metrics: {receivers: [otlp], exporters: [netmap, netmap/manager]}}
`, otlp, byPrometheus, p.address, byManager, manager)}, "env:NETCONN_TEST_CONFIGURATION")
	c.awaitReady()
	for _, pod := range [][2]string{{"web-1", "n1"}, {"web-2", "n2"}, {"api-1", "n2"}} {
		postEdge(t, otlp, pod[0], pod[1])
	}

	quiet := map[string][2]int{"web-1": {}, "web-2": {}, "api-1": {}}
	wantAlerts(t, byPrometheus, quiet)
	for _, step := range []struct {
		condition           string
		prometheus, manager map[string][2]int
	}{
		{"> 0", map[string][2]int{"web-1": {1, 0}, "web-2": {0, 1}, "api-1": {0, 1}},
			map[string][2]int{"web-1": {1, 0}, "web-2": {}, "api-1": {}}},
		{"> 5", quiet, quiet},
	} {
		evaluate(step.condition)
		reload, err := http.Post("http://"+p.address+"/-/reload", "", nil)
		if err != nil || reload.StatusCode != http.StatusOK {
			t.Fatalf("reload the rules: %v", err)
		}
		_ = reload.Body.Close()
		wantAlerts(t, byPrometheus, step.prometheus)
		wantAlerts(t, byManager, step.manager)
	}
	var list struct{ State, Kind string }
	askMap(t, byManager, "/api/v1/alerts", &list)
	if list.State != "ok" || list.Kind != "alertmanager" {
		t.Errorf("%+v", list)
	}
}

func startAlertmanager(t *testing.T) (address string) {
	t.Helper()
	data := t.TempDir()
	file := filepath.Join(data, "alertmanager.yml")
	if err := os.WriteFile(file, []byte(receiverOfNone), 0o600); err != nil {
		t.Fatal(err)
	}
	address = freeAddress(t)
	startBackend(t, "alertmanager", "--config.file="+file, "--storage.path="+data, "--web.listen-address="+address,
		"--cluster.listen-address=")
	until(t, "Alertmanager", func() bool { return answers("http://" + address + "/-/ready") })
	return address
}

// postEdge sends what a pod reports of one edge to the internet.
func postEdge(t *testing.T, otlp, pod, node string) {
	t.Helper()
	now := time.Now().UnixNano()
	body := fmt.Appendf(nil, `{"resourceMetrics":[{"resource":{"attributes":[
{"key":"k8s.pod.name","value":{"stringValue":%[1]q}},{"key":"k8s.namespace.name","value":{"stringValue":"prod"}},
{"key":"k8s.node.name","value":{"stringValue":%[2]q}},{"key":"host.id","value":{"stringValue":%[2]q}}]},
"scopeMetrics":[{"metrics":[{"name":"netconn.io","unit":"By","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[
{"startTimeUnixNano":"%[3]d","timeUnixNano":"%[4]d","asInt":"5","attributes":[
{"key":"netconn.role","value":{"stringValue":"client"}},{"key":"netconn.peer.type","value":{"stringValue":"public"}},
{"key":"netconn.peer.scope","value":{"stringValue":"remote"}},{"key":"server.port","value":{"intValue":"443"}},
{"key":"network.io.direction","value":{"stringValue":"transmit"}}]}]}}]}]}]}`, pod, node, now-1e9, now)
	answer, err := http.Post("http://"+otlp+"/v1/metrics", "application/json", bytes.NewReader(body))
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("send metrics: %v", err)
	}
	_ = answer.Body.Close()
}

// wantAlerts waits until the pods on a map have so many firing and pending alerts.
func wantAlerts(t *testing.T, address string, want map[string][2]int) {
	t.Helper()
	deadline := time.Now().Add(alertsWithin)
	for {
		var g struct {
			Nodes struct {
				Name, Tag       []string
				Firing, Pending []int
			}
		}
		askMap(t, address, "/api/v1/graph?by=pod", &g)
		got := make(map[string][2]int)
		for i, name := range g.Nodes.Name {
			if g.Nodes.Tag[i] == "pod" {
				got[name] = [2]int{g.Nodes.Firing[i], g.Nodes.Pending[i]}
			}
		}
		diff := cmp.Diff(want, got)
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("alerts of the pods after %v (-want +got):\n%s", alertsWithin, diff)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
