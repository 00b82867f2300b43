//go:build linux

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/bench/totals"
	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/harness/otlp"
)

// ofProcess returns a collector that is this process, and its totals.
func ofProcess(pid int) (*observed, *totals.Totals) {
	all := totals.New()
	return &observed{Collector: &collector.Collector{Collector: &harness.Collector{Process: &harness.Process{PID: pid}}}, totals: all}, all
}

// closed is the point of a load's or the overflow's closed connections.
func closed(n int64, overflow bool) otlp.Point {
	p := otlp.Point{
		Resource: map[string]string{"process.executable.name": "load"}, Metric: "netconn.closed", Start: time.Unix(1, 0), Value: n,
	}
	if overflow {
		p.Resource, p.Attributes = map[string]string{}, map[string]string{"otel.metric.overflow": "true"}
	}
	return p
}

// All is reported once both ends of each connection are, wherever they are counted. No further export is waited for.
func TestSettledOnceAllIsReported(t *testing.T) {
	o, all := ofProcess(os.Getpid())
	all.Add([]otlp.Point{closed(17, false), closed(3, true)})
	got, cpu, err := o.settled(totals.Executable("load"), 10)
	if err != nil || cpu <= 0 {
		t.Errorf("%v, %v", cpu, err)
	}
	want := count{totals.Sums{Closed: 17}, totals.Sums{Closed: 3}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(count{})); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

// What is still missing after four more exports stays missing. The values of the last one count.
func TestSettledWithoutAll(t *testing.T) {
	o, all := ofProcess(os.Getpid())
	all.Add([]otlp.Point{closed(5, false)})
	go func() {
		for n := range int64(4) {
			time.Sleep(150 * time.Millisecond)
			all.Add([]otlp.Point{closed(6+n, false)})
		}
	}()
	got, _, err := o.settled(totals.Executable("load"), 10)
	if err != nil || got.own.Closed != 9 || all.Exports() != 5 {
		t.Errorf("%d closed after %d exports, %v", got.own.Closed, all.Exports(), err)
	}
}

// A collector that has ended has no processor time.
func TestProcessorTimeOfNoProcess(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	o, all := ofProcess(ended.Process.Pid)
	all.Add([]otlp.Point{closed(2, false)})
	if _, _, err := o.settled(totals.Executable("load"), 1); err == nil {
		t.Error("settled")
	}
	if _, err := o.cpuDuring(0); err == nil {
		t.Error("while nothing happens")
	}
	o.PID = os.Getpid()
	if cpu, err := o.cpuDuring(time.Millisecond); err != nil || cpu < 0 {
		t.Errorf("of this process: %v, %v", cpu, err)
	}
}

// A collector that does not start leaves no server behind; one that does exports what this host has.
func TestObserve(t *testing.T) {
	b := newBench(t)
	b.program = "/nonexistent"
	if _, err := b.observe(); err == nil || !strings.HasPrefix(err.Error(), "start the collector: ") {
		t.Errorf("no program: %v", err)
	}
	b = withDistribution(t, b)
	o, err := b.observe()
	if err != nil {
		t.Fatal(err)
	}
	if err := harness.Until(waitLimit, "two exports", func() bool { return o.totals.Exports() >= 2 }); err != nil {
		t.Error(err)
	}
	if n, err := o.Health("otelcol_netconn_connections"); err != nil || n < 0 {
		t.Errorf("its own metrics: %v, %v", n, err)
	}
	if err := o.stop(); err != nil {
		t.Error(err)
	}
	if _, err := collector.CPU(o.PID); err == nil {
		t.Error("it runs on")
	}
}
