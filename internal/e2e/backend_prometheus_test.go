//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/netconn/netconn/internal/harness"
)

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

// want waits for the result of a query.
func (p *prometheus) want(want float64, query, labels string) {
	p.t.Helper()
	query = fmt.Sprintf(query, labels)
	var got []float64
	if !poll(func() bool { got = p.query(query, ""); return len(got) == 1 && got[0] == want }) {
		p.t.Errorf("%s is %v, want %v", query, got, want)
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
