//go:build linux

package collector

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testnet"
)

func TestParseObjects(t *testing.T) {
	const program = "pos:\t0\nprog_type:\t26\nprog_id:\t%d\nrun_time_ns:\t2500\nrun_cnt:\t10\nrecursion_misses:\t0\n"
	got := parseObjects([]string{
		"pos:\t0\nflags:\t02\n",
		fmt.Sprintf(program, 7),
		fmt.Sprintf(program, 7), // two descriptors of one
		fmt.Sprintf(program, 9),
		"map_type:\t24\nmap_id:\t3\n",
		"map_type:\t27\nmap_id:\t4\n",
		"link_type:\ttracing\nlink_id:\t5\nprog_tag:\tf0\nprog_id:\t7\n",
		"link_type:\tcgroup\nlink_id:\t6\nprog_tag:\tf0\nprog_id:\t9\ncgroup_id:\t1\nattach_type:\t0\n",
	})
	want := Objects{
		Programs: []ProgramTime{{ID: 7, Runs: 10, Time: 2500}, {ID: 9, Runs: 10, Time: 2500}},
		Maps:     2,
		Links:    1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseField(t *testing.T) {
	const status = "Name:\tapp\nVmPeak:\t  900 kB\nVmRSS:\t  123 kB\nEmpty:\n"
	if got, err := parseField(strings.NewReader(status), "VmRSS:"); got != 123 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	for _, name := range []string{"VmSwap:", "Empty:", "Name:", "RSS:"} {
		if got, err := parseField(strings.NewReader(status), name); err == nil {
			t.Errorf("%s: got %d", name, got)
		}
	}
}

func TestConfiguration(t *testing.T) {
	silent := map[string]any{"level": "none"}
	for name, c := range map[string]struct {
		options         Options
		want, telemetry map[string]any
	}{
		"to its log": {Options{}, map[string]any{"debug": map[string]any{}}, silent},
		"to a sink": {Options{OTLP: "127.0.0.1:1"}, map[string]any{"otlp_grpc": map[string]any{
			"endpoint": "127.0.0.1:1", "tls": map[string]any{"insecure": true}, "compression": "none",
			"sending_queue": map[string]any{"enabled": false}, "retry_on_failure": map[string]any{"enabled": false},
		}}, silent},
		"with its own metrics": {Options{Health: true}, map[string]any{"debug": map[string]any{}}, map[string]any{
			"readers": []any{map[string]any{"pull": map[string]any{"exporter": map[string]any{"prometheus": map[string]any{
				"host": "127.0.0.1", "port": 3,
			}}}}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Interval = 3 * time.Second
			text, err := configure(c.options, "127.0.0.1:2", "127.0.0.1:3")
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Receivers, Exporters map[string]any
				Service              struct {
					Telemetry struct{ Metrics map[string]any }
				}
			}
			if err := yaml.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Exporters); diff != "" {
				t.Error(diff)
			}
			receivers := map[string]any{"netconn": map[string]any{"initial_delay": "0s", "collection_interval": "3s"}}
			if diff := cmp.Diff(receivers, got.Receivers); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.telemetry, got.Service.Telemetry.Metrics); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSumOf(t *testing.T) {
	const page = "# HELP looked_up_total How often.\n# TYPE looked_up_total counter\n" +
		"looked_up_total{result=\"found\"} 40\nlooked_up_total{result=\"no { entry\"} 2\nlooked_up 1\nlooked_up_later_total 7\nrest 5"
	for name, want := range map[string]float64{"looked_up": 43, "rest": 5, "looked": 0} {
		if got := sumOf(strings.NewReader(page), name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// The processor time of this process is what the kernel says it is in another way.
func TestCPU(t *testing.T) {
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
	}
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	got, err := CPU(os.Getpid())
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	if low, high := total(before)-5*time.Millisecond, total(after)+5*time.Millisecond; err != nil || got < low || got > high {
		t.Errorf("got %v, %v; want %v to %v", got, err, low, high)
	}
	if _, err := CPU(1 << 22); err == nil {
		t.Error("a process that is not there has taken time")
	}
}

func total(r syscall.Rusage) time.Duration { return time.Duration(r.Utime.Nano() + r.Stime.Nano()) }

func TestResident(t *testing.T) {
	if got, err := Resident(os.Getpid()); err != nil || got < 1<<20 || got > 1<<34 {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := Resident(1 << 22); err == nil {
		t.Error("a process that is not there has memory")
	}
}

func TestStartSaysWhy(t *testing.T) {
	program := filepath.Join(t.TempDir(), "collector")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho 'no such receiver' >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := Start(Options{Program: program, Dir: t.TempDir(), Interval: time.Second})
	if err == nil || !strings.Contains(err.Error(), "no such receiver") {
		t.Errorf("got %v", err)
	}
	if _, err := Start(Options{Program: "/nonexistent", Dir: t.TempDir()}); err == nil {
		t.Error("what is not there was started")
	}
}

// settledObjects returns what the collector holds once that has not changed for a second: at its start it looks for
// connections that are older, with programs that it holds no longer than that.
func settledObjects(t *testing.T, c *Collector) Objects {
	t.Helper()
	last, same := objects(t, c), 0
	err := harness.Until(time.Minute, "the collector to have started all", func() bool {
		now := objects(t, c)
		if same++; len(now.Programs) != len(last.Programs) || now.Maps != last.Maps || now.Links != last.Links {
			same = 0
		}
		last = now
		time.Sleep(100 * time.Millisecond)
		return same >= 10
	})
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// TestDistribution runs the real one: its objects are there, survive a reload in number, and are gone with it.
func TestDistribution(t *testing.T) {
	program := os.Getenv("NETCONN_COLLECTOR")
	if program == "" || os.Geteuid() != 0 {
		testnet.Require(t, fmt.Errorf("NETCONN_COLLECTOR is to name the distribution that `make build` makes, and it takes root"))
	}
	c, err := Start(Options{Program: program, Dir: t.TempDir(), Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	before := settledObjects(t, c)
	if before.Maps == 0 || before.Links == 0 {
		t.Errorf("it has loaded %+v", before)
	}
	if name, err := Name(before.Programs[0].ID); err != nil || name == "" {
		t.Errorf("program %d: %q, %v", before.Programs[0].ID, name, err)
	}
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	after := settledObjects(t, c)
	if len(after.Programs) != len(before.Programs) || after.Maps != before.Maps || after.Links != before.Links {
		t.Errorf("before the reload %+v, after it %+v", before, after)
	}
	if after.Programs[0].ID == before.Programs[0].ID {
		t.Error("the reload has not loaded anything")
	}
	if n, err := c.Goroutines(); err != nil || n == 0 {
		t.Errorf("%d goroutines, %v", n, err)
	}
	if n, err := c.Heap(); err != nil || n < 1<<20 {
		t.Errorf("a heap of %d, %v", n, err)
	}
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("the second time: %v", err)
	}
}

func objects(t *testing.T, c *Collector) Objects {
	t.Helper()
	o, err := BPF(c.PID)
	if err != nil || len(o.Programs) == 0 {
		t.Fatalf("got %+v, %v", o, err)
	}
	return o
}
