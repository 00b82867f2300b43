//go:build linux

package main

import (
	"fmt"
	"net"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/bench/totals"
	"github.com/netconn/netconn/internal/testnet"
)

func TestAttemptsByNAT(t *testing.T) {
	attempt := func(name, kind string, n int64) totals.Series {
		return totals.Series{
			Resource: map[string]string{"process.executable.name": name}, Metric: "netconn.attempts",
			Attributes: map[string]string{"netconn.nat": kind}, Total: n,
		}
	}
	closed := attempt("load", "dnat", 9)
	closed.Metric = "netconn.closed"
	got := attemptsByNAT([]totals.Series{
		attempt("load", "dnat", 1), attempt("load", "dnat", 2), attempt("load", "none", 4), attempt("other", "none", 8), closed,
	}, totals.Executable("load"))
	if diff := cmp.Diff(map[string]int64{"dnat": 3, "none": 4}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLookupTable(t *testing.T) {
	b := &bench{}
	line := func(name string, ns, allocations float64) goBenchmark {
		return goBenchmark{name: name, metrics: map[string]float64{"CPU-ns/look-up": ns, "allocs/op": allocations}}
	}
	table, err := b.lookupTable([]goBenchmark{
		line("Ask/bpf/1", 1500, 3), line("Ask/bpf/1000", 250, 500), line("Ask/netlink/1000", 5001, 2000),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"bpf", "1", "1.50 us", "3.00"}, {"bpf", "1000", "0.250 us", "0.50"}, {"netlink", "1000", "5.00 us", "2.00"}}
	if diff := cmp.Diff(want, table.Rows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"yes: the aim", "**no**"}, verdicts(b.goals)); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"Ask/bpf", "Ask/bpf/many", "Ask/bpf/0", "Ask", "Ask/lookup/1"} {
		if _, err := b.lookupTable([]goBenchmark{line(name, 1, 1)}); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// The server answers what is dialled at the service's address.
func TestTranslate(t *testing.T) {
	p := newPair(t)
	if err := translate(p, serviceAddress); err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	err := p.Server.Do(func() (err error) {
		l, err = net.Listen("tcp4", testbed.ServerAddress+":9000")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = p.Client.Do(func() error {
		c, err := net.Dial("tcp4", serviceAddress+":9000")
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
}

// Connections that are translated are all resolved as such, others are not looked up for nothing.
func TestTranslated(t *testing.T) {
	b := withDistribution(t, newBench(t))
	table, err := b.translated()
	if err != nil {
		t.Fatal(err)
	}
	checkShape(t, table)
	for i, row := range table.Rows {
		ends, _ := strconv.Atoi(row[4])
		dnat := []int{0, ends}[i]
		if want := []string{fmt.Sprint(dnat), "0"}; ends < 20 || !cmp.Equal(want, row[5:]) {
			t.Errorf("%v: want %v of at least 20 ends", row, want)
		}
	}
	if len(b.goals) != 1 || b.goals[0].Measured == 0 {
		t.Errorf("goals: %+v", b.goals)
	}
}

// The collector knows the idle namespaces, and looks up nothing in them.
func TestIdleNamespaces(t *testing.T) {
	b := withDistribution(t, newBench(t))
	table, err := b.idleNamespaces()
	if err != nil {
		t.Fatal(err)
	}
	checkShape(t, table)
	if diff := cmp.Diff([]string{"0", "3"}, column(table, 0)); diff != "" {
		t.Error(diff)
	}
	// Other tests may make and remove namespaces meanwhile: the idle ones are among those that are known.
	if known, err := strconv.Atoi(column(table, 1)[1]); err != nil || known < b.namespaces {
		t.Errorf("%d namespaces are known, %v; want at least the %d idle ones", known, err, b.namespaces)
	}
}

// An idle namespace has an established connection, which ends with it.
func TestIdleNamespace(t *testing.T) {
	i, err := openIdleNamespace()
	if err != nil {
		testnet.Require(t, err)
	}
	client, server := i.ends[0], i.ends[1]
	if client.RemoteAddr().String() != server.LocalAddr().String() || client.LocalAddr().String() != server.RemoteAddr().String() {
		t.Errorf("%s to %s, and %s to %s", client.LocalAddr(), client.RemoteAddr(), server.LocalAddr(), server.RemoteAddr())
	}
	i.close()
	if _, err := client.Write([]byte{1}); err == nil {
		t.Error("the connection is open")
	}
}

func TestParseBenchmarks(t *testing.T) {
	got := parseBenchmarks(`goos: linux
pkg: github.com/netconn/netconn/internal/flow
cpu: AMD EPYC
BenchmarkChanged-2   	     256	   1406547 ns/op	       141.0 ns/connection	       0 B/op	       0 allocs/op
PASS
ok  	github.com/netconn/netconn/internal/flow	3.2s
pkg: github.com/netconn/netconn/internal/owner
BenchmarkLocate/walk-2 	      10	    129001 ns/op
BenchmarkBroken
`)
	want := []goBenchmark{
		{pkg: "internal/flow", name: "Changed",
			metrics: map[string]float64{"ns/op": 1406547, "ns/connection": 141, "B/op": 0, "allocs/op": 0}},
		{pkg: "internal/owner", name: "Locate/walk", metrics: map[string]float64{"ns/op": 129001}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(goBenchmark{})); diff != "" {
		t.Fatal(diff)
	}
	text := [][]string{
		{got[0].text("ns/op"), got[0].text("allocs/op"), got[0].perConnection()},
		{got[1].text("ns/op"), got[1].text("allocs/op"), got[1].perConnection()},
	}
	if diff := cmp.Diff([][]string{{"1406547", "0", "141 ns"}, {"129001", "", ""}}, text); diff != "" {
		t.Error(diff)
	}
}

// Benchmarks that do not build are an error that shows why.
func TestGoBenchmarksFail(t *testing.T) {
	if _, err := goBenchmarks(".", "./nonexistent"); err == nil {
		t.Errorf("got %v", err)
	}
}
