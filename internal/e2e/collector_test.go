//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testnet"
)

// A setup is what a story has configured. Empty: it is not there.
type setup struct {
	Receiver  []string // lines below netconn:
	OTLP      string   // address of the sink
	Telemetry string   // address of the page about the collector itself
	Health    string   // address of the health check
}

const configuration = `
receivers:
  netconn:
    initial_delay: 0s
{{- range .Receiver}}
    {{.}}
{{- end}}
exporters:
  debug:
{{- with .OTLP}}
  otlp_grpc:
    endpoint: {{.}}
    tls: {insecure: true}
    sending_queue: {enabled: false} # collections arrive in their order
    retry_on_failure: {enabled: false}
{{- end}}
{{- with .Health}}
extensions:
  health_check: {endpoint: "{{.}}"}
{{- end}}
service:
{{- if .Health}}
  extensions: [health_check]
{{- end}}
  telemetry:
    logs: {sampling: {enabled: false}}
    metrics:
{{- with .Telemetry}}
      readers: [{pull: {exporter: {prometheus: {host: {{host .}}, port: {{port .}}}}}}]
{{- else}}
      level: none
{{- end}}
  pipelines:
    metrics:
      receivers: [netconn]
      exporters: [debug{{if .OTLP}}, otlp_grpc{{end}}]
`

// text returns the configuration file.
func (s setup) text(t *testing.T) string {
	t.Helper()
	file, err := template.New("configuration").Funcs(template.FuncMap{"host": host, "port": port}).Parse(configuration)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := file.Execute(&text, s); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func host(address string) string { return address[:strings.LastIndexByte(address, ':')] }

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// A collector is the distribution as a child process.
type collector struct {
	*harness.Collector
	t *testing.T
}

// run starts the distribution, and kills it at the end of the test if it is still there.
func run(t *testing.T, s setup) *collector {
	t.Helper()
	return runAs(t, s, nil)
}

// runAs starts the distribution with the rights of a user; nil: those of the test.
func runAs(t *testing.T, s setup, user *syscall.Credential) *collector {
	t.Helper()
	return launch(t, user, []string{"NETCONN_TEST_CONFIGURATION=" + s.text(t)}, "env:NETCONN_TEST_CONFIGURATION")
}

// runShipped starts the distribution with the configuration of `make run`, and its page at an address.
func runShipped(t *testing.T, address string) *collector {
	t.Helper()
	return runShippedWithMap(t, address, "127.0.0.1:0")
}

// runShippedWithMap also has the network map at an address, and more configurations.
func runShippedWithMap(t *testing.T, address, netmap string, more ...string) *collector {
	t.Helper()
	return launch(t, nil, []string{"NETCONN_PROMETHEUS=" + address, "NETCONN_TELEMETRY_PORT=0", "NETCONN_OTLP=127.0.0.1:0", "NETCONN_MAP=" + netmap},
		append([]string{"file:../../testdata/collector.yaml", "yaml:receivers::netconn::collection_interval: 1s"}, more...)...)
}

func launch(t *testing.T, user *syscall.Credential, environment []string, configurations ...string) *collector {
	t.Helper()
	// A user without rights may not follow the path of the program, so it gets the file.
	return launchBy(t, exec.Command("/proc/self/fd/3"), user, environment, configurations...)
}

// launchBy starts the distribution, which is file 3, by a command that lacks the configurations.
func launchBy(t *testing.T, command *exec.Cmd, user *syscall.Credential, environment []string, configurations ...string) *collector {
	t.Helper()
	for _, c := range configurations {
		command.Args = append(command.Args, "--config", c)
	}
	command.Env = append(os.Environ(), environment...)
	command.ExtraFiles = []*os.File{distribution(t)}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	started, err := harness.StartCollector(command, filepath.Join(t.TempDir(), "collector.log"))
	if err != nil {
		t.Fatal(err)
	}
	c := &collector{started, t}
	t.Cleanup(c.end)
	return c
}

// distribution opens the program that is tested.
func distribution(t *testing.T) *os.File {
	t.Helper()
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("the distribution reads the kernel, which takes root"))
	}
	return built(t)
}

// built returns the distribution for what takes no root.
func built(t *testing.T) *os.File {
	t.Helper()
	path := os.Getenv("NETCONN_COLLECTOR")
	if path == "" {
		testnet.Require(t, errors.New("NETCONN_COLLECTOR does not name the distribution that `make build` makes"))
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// awaitReady waits until the collector takes what a test sends. A listener of one component says nothing of another.
func (c *collector) awaitReady() {
	c.t.Helper()
	if err := c.AwaitReady(); err != nil {
		c.t.Fatal(err)
	}
}

// end kills the collector if it runs, and shows the end of its log if the test has failed.
func (c *collector) end() {
	c.Kill()
	if c.t.Failed() {
		c.t.Logf("the end of the collector's log:\n%s", c.LastLines(40))
	}
}

// exit waits for the end, and returns the exit status: -1 after a signal.
func (c *collector) exit() int {
	c.t.Helper()
	select {
	case <-c.Ended:
		return c.State().ExitCode()
	case <-time.After(deadline):
		c.t.Fatal("the collector does not end")
		return 0
	}
}

// freeAddress returns an address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := harness.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
