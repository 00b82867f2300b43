//go:build linux

// Package subject runs what is measured: the distribution that `make build` makes, as a child process, and reads from outside what it
// costs: its processor time, its memory, its goroutines, and what it has loaded into the kernel. It needs root.
package subject

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/netconn/netconn/internal/testnet/child"
)

// Options of a collector.
type Options struct {
	Program  string        // path of the distribution
	Dir      string        // where its log goes
	Interval time.Duration // of collections
	OTLP     string        // URL that it exports to; empty: to its log, one line a collection
	Health   bool          // it shows its own metrics, see Collector.Health
}

var configuration = template.Must(template.New("configuration").Parse(`
receivers:
  netconn: {initial_delay: 0s, collection_interval: {{.Interval}}}
exporters:
{{- if .OTLP}}
  otlp_http:
    endpoint: {{.OTLP}}
    encoding: json
    compression: none
    sending_queue: {enabled: false} # collections arrive in their order
    retry_on_failure: {enabled: false}
{{- else}}
  debug: {}
{{- end}}
extensions:
  pprof: {endpoint: "{{.Profiles}}"}
service:
  extensions: [pprof]
{{- if .Health}}
  telemetry: {metrics: {readers: [{pull: {exporter: {prometheus: {host: {{.Telemetry.Addr}}, port: {{.Telemetry.Port}}}}}}]}}
{{- else}}
  telemetry: {metrics: {level: none}}
{{- end}}
  pipelines:
    metrics: {receivers: [netconn], exporters: [{{if .OTLP}}otlp_http{{else}}debug{{end}}]}
`))

// patience is how long the collector may take to start or to end; only a defect needs it.
const patience = 30 * time.Second

// ready is what the collector says when all of it has started.
const ready = "Everything is ready."

// A Collector is a child process.
type Collector struct {
	profiles  string // address
	telemetry string // address, if it shows its own metrics
	log       string // path
	*child.Child
}

// Start starts the distribution, and waits until it runs. It ends with this program.
func Start(o Options) (*Collector, error) {
	profiles, err := freeAddress()
	if err != nil {
		return nil, err
	}
	telemetry, err := freeAddress()
	if err != nil {
		return nil, err
	}
	text, err := configure(o, profiles, telemetry)
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(o.Dir, "collector-*.log")
	if err != nil {
		return nil, fmt.Errorf("create the collector's log: %w", err)
	}
	defer log.Close()
	command := exec.Command(o.Program, "--config", "env:NETCONN_BENCH_CONFIGURATION")
	command.Env = append(os.Environ(), "NETCONN_BENCH_CONFIGURATION="+text)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c := &Collector{profiles: profiles, telemetry: telemetry, log: log.Name()}
	if c.Child, err = child.Start(command); err != nil {
		return nil, fmt.Errorf("start the collector: %w", err)
	}
	if err := c.awaitReady(1); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
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

// awaitReady waits until the collector has said for the n-th time that it is ready.
func (c *Collector) awaitReady(n int) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(c.log)
		if err != nil {
			return fmt.Errorf("read the collector's log: %w", err)
		}
		if bytes.Count(text, []byte(ready)) >= n {
			return nil
		}
		select {
		case <-c.Ended:
			return fmt.Errorf("start the collector: it ended (%s): %s", c.State(), tail(text))
		default:
		}
	}
	return fmt.Errorf("start the collector: not ready after %v; its log is %s", patience, c.log)
}

func tail(text []byte) string { return strings.TrimSpace(string(text[max(0, len(text)-2000):])) }

// Reload has it read its configuration again, which ends all components and starts new ones, and waits until it is ready.
func (c *Collector) Reload() error {
	text, err := os.ReadFile(c.log)
	if err != nil {
		return fmt.Errorf("read the collector's log: %w", err)
	}
	if err := syscall.Kill(c.PID, syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload the collector: %w", err)
	}
	return c.awaitReady(bytes.Count(text, []byte(ready)) + 1)
}

// Stop ends it in order. It may be called twice.
func (c *Collector) Stop() error {
	c.Signal(syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	select {
	case <-c.Ended:
		if !c.State().Success() {
			text, _ := os.ReadFile(c.log)
			return fmt.Errorf("stop the collector: %s: %s", c.State(), tail(text))
		}
		return nil
	case <-ctx.Done():
		c.Kill()
		return fmt.Errorf("stop the collector: it was still running after %v; its log is %s", patience, filepath.Clean(c.log))
	}
}

// freeAddress returns an address on which nobody listens. It is not 127.0.0.1, where the port could become the local one of anybody's
// connection before the collector has it.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.97.%d.%d:0", os.Getpid()>>8&0xff, 1+os.Getpid()&0x7f))
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
