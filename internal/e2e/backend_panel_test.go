//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hostile is what an attacker would have a page run. The application names a span and writes a log record like that.
const hostile = `<img src=x onerror="document.title='owned'">`

// A panelStory is what was sent, and so what a reader finds in the panel. netmap/web/story reads it.
type panelStory struct {
	Page    string `json:"page"`
	Links   string `json:"links"`  // the URL of a trace, without its ID
	Server  string `json:"server"` // the name of the node
	Calls   int    `json:"calls"`
	Slow    string `json:"slow"`   // the trace of the slow call
	Failed  string `json:"failed"` // the trace of the failed call
	Hostile string `json:"hostile"`
}

// A real application of which one call is slow and one fails, behind a service: both calls are found in the panel of the
// edge, in a browser, with the trace and the connection of each. Its log and the CPU of its container are beside them.
func TestBackendPanel(t *testing.T) {
	s, page := newPanelStory(t)
	vip := at(serviceAddr, 80)
	service(vip, at(stockAddr, 9080), 0)(s.testbed)
	want := panelStory{
		Page: "http://" + page, Links: "https://jaeger.example.com/trace/", Server: panelServer(), Calls: visits + 1,
		Slow: s.frontend.visit(vip, false), Failed: s.frontend.fail(vip), Hostile: hostile,
	}
	s.sendUsage()
	s.awaitPanel(page, want)
	readPanel(t, want)
}

// panelServer is a name that no other mesh of this machine has, as the map has them all.
func panelServer() string { return fmt.Sprint("reviews", os.Getpid()) }

// newPanelStory is newStory with the network map in place of Jaeger. It returns the address of the page.
func newPanelStory(t *testing.T) (s *story, page string) {
	t.Helper()
	program := backend(t, "traced")
	s = &story{testbed: &testbed{t: t}, socket: filepath.Join(t.TempDir(), "otlp.sock")}
	s.build()
	page = freeAddress(t)
	launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + fmt.Sprintf(`
receivers:
  netconn: {collection_interval: 1s, initial_delay: 0s, events: {enabled: true, max_per_second: 100000}}
  otlp: {protocols: {grpc: {endpoint: %s, transport: unix}}}
extensions:
  netmap:
    endpoint: %s
    links: [{name: Trace, kind: traces, url: "https://jaeger.example.com/trace/{trace_id}"}]
exporters: {netmap: {}}
service:
  extensions: [netmap]
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [netconn, otlp], exporters: [netmap]}
    logs: {receivers: [netconn, otlp], exporters: [netmap]}
    traces: {receivers: [otlp], exporters: [netmap]}
`, s.socket, page)}, "env:NETCONN_TEST_CONFIGURATION")
	var status struct{ Hosts struct{ Total int } }
	until(t, "the first collection", func() bool {
		if answers("http://" + page + "/api/v1/status") {
			askMap(t, page, "/api/v1/status", &status)
		}
		return status.Hosts.Total > 0
	})
	s.frontend = s.addTraced(program, "frontend", s.pod[0])
	s.reviews = s.addTraced(program, panelServer(), s.pod[1])
	s.reviews.do(tracedOrder{Listen: ":9080"})
	return s, page
}

// fail sends a request that the server fails, with a hostile path and text, and returns its trace.
func (a *traced) fail(server netip.AddrPort) string {
	a.t.Helper()
	target := url.URL{
		Scheme: "http", Host: server.String(), Path: "/" + hostile,
		RawQuery: url.Values{"wait": {"1ms"}, "fail": {"no stock " + hostile}}.Encode(),
	}
	var answer tracedAnswer
	a.check(a.Call(tracedOrder{Get: target.String()}, &answer))
	if !strings.Contains(answer.Error, "500") {
		a.t.Fatalf("the call that should fail: %+v", answer)
	}
	return answer.Trace
}

func (a *traced) check(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// sendUsage sends what kubelet_stats and k8s_attributes make of the container of reviews: shares of limits, no limits.
func (s *story) sendUsage() {
	s.t.Helper()
	newOTLPClient(s.t, "unix://"+s.socket).metrics(usageOf(values{
		"k8s.pod.uid": s.reviews.pod.UID, "k8s.container.name": panelServer(), "container.id": s.reviews.id,
	}, map[string]float64{
		"container.cpu.usage": 0.45, "k8s.container.cpu_limit_utilization": 0.9,
		"container.memory.working_set": 64e6, "container.memory.usage": 64e6, "k8s.container.memory_limit_utilization": 0.5,
	}))
}

// awaitPanel waits until the map has all calls, the edge, and the connections of the two that are looked for.
func (s *story) awaitPanel(page string, want panelStory) {
	s.t.Helper()
	filter := url.Values{"filter": {`server.container.id="` + s.reviews.id + `"`}}.Encode()
	until(s.t, "the calls, and the connections that carried them", func() bool {
		var all struct {
			Server struct {
				Served struct {
					N, Errors       int
					Slowest, Failed []struct {
						Trace      string `json:"trace_id"`
						Connection any
					}
				}
			}
		}
		askMap(s.t, page, "/api/v1/signals?"+filter, &all)
		served := all.Server.Served
		return served.N >= want.Calls && served.Errors == 1 && len(served.Failed) == 1 && served.Failed[0].Connection != nil &&
			served.Slowest[0].Connection != nil
	})
}

// readPanel runs the test of the page in a browser.
func readPanel(t *testing.T, want panelStory) {
	t.Helper()
	described, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	npmStory(t, "story/panel.test.ts", "NETCONN_STORY="+string(described))
}

// npmStory runs a test of the page, with more in its environment.
func npmStory(t *testing.T, file string, environment ...string) {
	t.Helper()
	if _, err := os.Stat(root + "/netmap/web/node_modules"); err != nil {
		t.Skip("the tests of the page are not installed: make test-backends installs them")
	}
	command := exec.CommandContext(t.Context(), "npm", "run", "--silent", "story", "--", file)
	command.Dir = root + "/netmap/web"
	command.Env = append(os.Environ(), environment...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	var failed *exec.ExitError
	if err := command.Run(); errors.As(err, &failed) {
		t.Errorf("the page:\n%s", out.String())
	} else if err != nil {
		t.Fatal(err)
	}
}
