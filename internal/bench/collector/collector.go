//go:build linux

// Package collector runs the distribution that is measured, as a child process, and reads from outside what it costs:
// its processor time, its memory, its goroutines, and what it has loaded into the kernel. It needs root.
package collector

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/netconn/netconn/internal/harness"
)

// Options of a collector.
type Options struct {
	Program  string        // path of the distribution
	Dir      string        // of its log
	Interval time.Duration // of collections
	OTLP     string        // address that it exports to; empty: to its log, one line a collection
	Health   bool          // it serves its own metrics, see Collector.Health
}

// Collections arrive in their order and once, so that the collector does the same work in each run.
var configuration = template.Must(template.New("configuration").Parse(`
receivers:
  netconn: {initial_delay: 0s, collection_interval: {{.Interval}}}
exporters:
{{- if .OTLP}}
  otlp_grpc:
    endpoint: {{.OTLP}}
    tls: {insecure: true}
    compression: none
    sending_queue: {enabled: false}
    retry_on_failure: {enabled: false}
{{- else}}
  debug: {}
{{- end}}
extensions:
  pprof: {endpoint: "{{.Profiles}}"}
service:
  extensions: [pprof]
{{- if .Health}}
  telemetry:
    metrics: {readers: [{pull: {exporter: {prometheus: {host: {{.Telemetry.Addr}}, port: {{.Telemetry.Port}}}}}}]}
{{- else}}
  telemetry: {metrics: {level: none}}
{{- end}}
  pipelines:
    metrics: {receivers: [netconn], exporters: [{{if .OTLP}}otlp_grpc{{else}}debug{{end}}]}
`))

// A Collector is a distribution that runs.
type Collector struct {
	*harness.Collector
	profiles  string // address
	telemetry string // address, if it serves its own metrics
}

// Start starts the distribution, and waits until it runs. It ends with this program.
func Start(o Options) (*Collector, error) {
	profiles, err := harness.FreeAddress()
	if err != nil {
		return nil, err
	}
	telemetry, err := harness.FreeAddress()
	if err != nil {
		return nil, err
	}
	text, err := configure(o, profiles, telemetry)
	if err != nil {
		return nil, err
	}
	command := exec.Command(o.Program, "--config", "env:NETCONN_BENCH_CONFIGURATION")
	command.Env = append(os.Environ(), "NETCONN_BENCH_CONFIGURATION="+text)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt of the terminal is for the benchmark
	c, err := harness.StartCollector(command, filepath.Join(o.Dir, "collector-"+profiles+".log"))
	if err != nil {
		return nil, err
	}
	if err := c.AwaitReady(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return &Collector{Collector: c, profiles: profiles, telemetry: telemetry}, nil
}

// configure writes the configuration.
func configure(o Options, profiles, telemetry string) (string, error) {
	at, err := netip.ParseAddrPort(telemetry)
	if err != nil {
		return "", fmt.Errorf("read address: %w", err)
	}
	var text strings.Builder
	err = configuration.Execute(&text, struct {
		Options
		Profiles  string
		Telemetry netip.AddrPort
	}{o, profiles, at})
	if err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}
	return text.String(), nil
}
