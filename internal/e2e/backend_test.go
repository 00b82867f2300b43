//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

const (
	scraped  = "scrape_configs: [{job_name: netconn, scrape_interval: 1s, static_configs: [{targets: ['%s']}]}]"
	promoted = "otlp: {promote_all_resource_attributes: true}"
	anyOrder = promoted + "\nstorage: {tsdb: {out_of_order_time_window: 10m}}"
)

// Containers that live for a moment count in a Prometheus with all that they did, on each way into it. A series that
// appears with its first value would count as nothing, because increase() compares samples of one series. So would one
// whose zero arrives late: the exporter sends several messages at once, and Prometheus refuses what is out of order.
func TestBackendCountsShortLives(t *testing.T) {
	page := freeAddress(t)
	ways := map[string]*prometheus{
		"scrape":            startPrometheus(t, fmt.Sprintf(scraped, page), "--enable-feature=created-timestamp-zero-ingestion"),
		"OTLP in any order": startPrometheus(t, anyOrder, "--web.enable-otlp-receiver"),
		"OTLP in order":     startPrometheus(t, promoted, "--web.enable-otlp-receiver"),
	}
	exportTo(t, page, reorder(t, ways["OTLP in any order"].address, time.Second/2), ways["OTLP in order"].address)
	until(t, "the page", func() bool { return len(readPage(t, page).values) > 0 })

	of := shortLives(t)
	for name, p := range ways {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.want(lives*lifeBytes, `sum(increase(netconn_io_bytes_total{%s,network_io_direction="transmit"}[5m]))`, of)
			p.want(lives, `sum(increase(netconn_attempts_total{%s,error_type=""}[5m]))`, of)
			p.want(lives, `sum(increase(netconn_attempts_total{%s,error_type="refused"}[5m]))`, of)
			p.want(lives, `sum(increase(netconn_tcp_handshake_duration_seconds_count{%s}[5m]))`, of)
			p.wantDocumented()
			p.wantRules()
		})
	}
}

// What containers that live for a moment do, all of them: each sends its bytes on a connection, and is refused another.
const lives, lifeBytes = 5, 1000

// shortLives runs the containers, and returns the labels of their series.
func shortLives(t *testing.T) string {
	t.Helper()
	clients, server := testnet.New(t), testnet.New(t)
	testnet.Link(clients, server, "nc0", "10.78.0.1/24", "10.78.0.2/24")
	base := startIn(t, "base", cgroup.Docker(cgroup.NewID()), server.Namespace)
	base.do("listen %s", baseAddress)
	program := fmt.Sprintf("job%x", randomBytes(4))
	for i := range lives {
		job := startIn(t, program, cgroup.Docker(cgroup.NewID()), clients.Namespace)
		name := strconv.Itoa(i)
		connect(name, job, base, baseAddress)
		transfer(name, job, base, lifeBytes)
		finish(name, job, base)
		job.fail("refused", "dial x 10.78.0.2:5433")
		job.end()
	}
	return fmt.Sprintf(`process_executable_name="%s",netconn_role="client"`, program)
}

// exportTo starts the distribution with the ways into Prometheus: a page to scrape, and OTLP in any order, and in order.
func exportTo(t *testing.T, page, anyOrder, inOrder string) {
	t.Helper()
	launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + fmt.Sprintf(`
receivers: {netconn: {collection_interval: 1s, initial_delay: 0s}}
exporters:
  prometheus:
    endpoint: %s
    resource_to_telemetry_conversion: {enabled: true}
    enable_open_metrics: true
    send_timestamps: true
  otlp_http: {endpoint: "http://%s/api/v1/otlp"}
  otlp_http/order: {endpoint: "http://%s/api/v1/otlp", sending_queue: {num_consumers: 1}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {metrics: {receivers: [netconn], exporters: [prometheus, otlp_http, otlp_http/order]}}
`, page, anyOrder, inOrder)}, "env:NETCONN_TEST_CONFIGURATION")
}

// A prometheus is a Prometheus of the test's own, with the flags that docs/backends.md names.
type prometheus struct {
	t       *testing.T
	address string
}

// startPrometheus starts the Prometheus that `make test-backends` built.
func startPrometheus(t *testing.T, configuration string, flags ...string) *prometheus {
	t.Helper()
	data := t.TempDir()
	file := filepath.Join(data, "prometheus.yml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{t, freeAddress(t)}
	startBackend(t, "prometheus", append(flags, "--config.file="+file, "--storage.tsdb.path="+data,
		"--web.listen-address="+p.address)...)
	until(t, "Prometheus", func() bool { return answers("http://" + p.address + "/-/ready") })
	return p
}

// backend returns the path of a program that `make test-backends` built.
func backend(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("NETCONN_BACKENDS")
	if dir == "" {
		t.Skip("NETCONN_BACKENDS is not set: make test-backends builds the backends, and sets it")
	}
	return filepath.Join(dir, name)
}

// startBackend starts a backend, which ends with the test.
func startBackend(t *testing.T, name string, arguments ...string) {
	t.Helper()
	command := exec.Command(backend(t, name), arguments...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	process, err := harness.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Kill)
}

// answers reports whether a page answers with success.
func answers(page string) bool {
	answer, err := http.Get(page)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// want waits for the result of a query, within one percent. It asks at the time of the newest sample, as increase()
// extrapolates to the time of the question.
func (p *prometheus) want(want float64, query, labels string) {
	p.t.Helper()
	got := math.NaN()
	if !poll(func() bool {
		newest := p.query(fmt.Sprintf(`max(timestamp(netconn_active{%s}))`, labels), "")
		if len(newest) != 1 {
			return false
		}
		if v := p.query(fmt.Sprintf(query, labels), strconv.FormatFloat(newest[0], 'f', 3, 64)); len(v) == 1 {
			got = v[0]
		}
		return math.Abs(got-want) <= want/100
	}) {
		p.t.Errorf("%s is %v, want %v", fmt.Sprintf(query, labels), got, want)
	}
}

// query returns the values of an instant query at a time, or now.
func (p *prometheus) query(query, at string) (values []float64) {
	p.t.Helper()
	form := url.Values{"query": {query}}
	if at != "" {
		form.Set("time", at)
	}
	var result []struct{ Value [2]any }
	p.ask(form, &result)
	for _, r := range result {
		v, err := strconv.ParseFloat(r.Value[1].(string), 64)
		if err != nil {
			p.t.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}

// ask sends an instant query, and decodes its result.
func (p *prometheus) ask(form url.Values, result any) {
	p.t.Helper()
	answer, err := http.PostForm("http://"+p.address+"/api/v1/query", form)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	var found struct {
		Error string
		Data  struct{ Result json.RawMessage }
	}
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil || found.Error != "" {
		p.t.Fatalf("%s: %s (%v)", form.Get("query"), found.Error, err)
	}
	if err := json.Unmarshal(found.Data.Result, result); err != nil {
		p.t.Fatalf("%s: %s: %v", form.Get("query"), found.Data.Result, err)
	}
}
