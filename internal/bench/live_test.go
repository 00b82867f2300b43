//go:build linux

package main

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/testnet"
)

// The steps of a collection see all sockets, and none of them when they are idle.
func TestPasses(t *testing.T) {
	b := newBench(t)
	r, err := newReader()
	if err != nil {
		testnet.Require(t, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	table := &report.Table{Head: make([]string, 8)}
	if err := b.passes(200, table); err != nil {
		t.Fatal(err)
	}
	checkShape(t, table)
	if diff := cmp.Diff([]string{"200"}, column(table, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestReader(t *testing.T) {
	b := newBench(t)
	c, err := newIdleSockets(b.load, 40)
	if err != nil {
		testnet.Require(t, err)
	}
	defer c.close()
	r, err := newReader()
	if err != nil {
		testnet.Require(t, err)
	}
	defer r.Close()
	if err := c.do("open"); err != nil {
		t.Fatal(err)
	}
	resources, err := r.Collect(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if r.seen < 40 || r.took <= 0 {
		t.Errorf("%d connections in %v", r.seen, r.took)
	}
	active := make(map[conn.Role]int64)
	for _, resource := range resources {
		for _, f := range resource.Flows {
			if resource.Owner.Executable == b.loadName() && f.Connections {
				active[f.Key.Role] += f.Active
				if f.Key.Peer[names.PeerName] != b.loadName() || f.Key.Peer[names.PeerScope] != names.ScopeNode {
					t.Errorf("the peer of %v is %+v", f.Key.Role, f.Key.Peer)
				}
			}
		}
	}
	if diff := cmp.Diff(map[conn.Role]int64{conn.RoleClient: 20, conn.RoleServer: 20}, active); diff != "" {
		t.Error(diff)
	}
}

func TestAddPasses(t *testing.T) {
	times := []time.Duration{1e6, 2e6, 3e6, 400e6, 500e6, 6e6}
	b, table := &bench{}, &report.Table{}
	b.addPasses(table, 10_000, times, 1_234_000)
	b.addPasses(table, 100_000, times, 1_234_000)
	cells := []string{"1.0 ms", "2.0 ms", "3.0 ms", "400.0 ms", "500.0 ms", "6.0 ms"}
	want := [][]string{
		append(append([]string{"10000"}, cells...), "123 B"), append(append([]string{"100000"}, cells...), "12 B"),
	}
	if diff := cmp.Diff(want, table.Rows); diff != "" {
		t.Error(diff)
	}
	goals := []report.Goal{{What: "snapshot, 100000 sockets, all changed", Limit: 0.5, Aim: 0.2, Unit: "s", Measured: 0.4,
		Remark: "0.500 s with owner, pair and flow"}}
	if diff := cmp.Diff(goals, b.goals); diff != "" {
		t.Error(diff)
	}
}

func TestIdleSocketsAreSplit(t *testing.T) {
	b := newBench(t)
	s, err := newIdleSockets(b.load, 2*idlePerProcess+10)
	if err != nil {
		testnet.Require(t, err)
	}
	if diff := cmp.Diff([]int{idlePerProcess, 5}, s.counts); diff != "" {
		t.Error(diff)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// An order that one process cannot execute is an error, and the other processes are waited for all the same.
func TestIdleSocketsFail(t *testing.T) {
	b := newBench(t)
	s, err := newIdleSockets(b.load, 20)
	if err != nil {
		testnet.Require(t, err)
	}
	defer s.close()
	if err := s.do("jump"); err == nil {
		t.Error("an order that does not exist was executed")
	}
	if err := s.do("open"); err != nil {
		t.Errorf("the next order: %v", err)
	}
	r, err := s.processes[0].Ask(load.Order{Do: "touch"})
	if err != nil || r.Connections != 10 {
		t.Errorf("%d connections, %v", r.Connections, err)
	}
}

func TestAddMemory(t *testing.T) {
	b := &bench{scale: scale{sockets: []int{10, 1000}, idle: 2 * time.Second}}
	base := footprint{resident: 1 << 20, heap: 4 << 20, kernel: 1000}
	table := &report.Table{}
	for _, n := range b.sockets {
		b.addMemory(table, n, footprint{resident: 3 << 20, heap: 3 << 20, cpu: 10 * time.Millisecond, active: int64(n), kernel: 21_000}, base)
	}
	want := [][]string{
		{"10", "10", "3.0 MiB", "2.0 MiB", "3.0 MiB", "-1.0 MiB", "5.00 ms/s", "2000 B"},
		{"1000", "1000", "3.0 MiB", "2.0 MiB", "3.0 MiB", "-1.0 MiB", "5.00 ms/s", "20 B"},
	}
	if diff := cmp.Diff(want, table.Rows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"yes: the aim", "yes: the aim", "yes: the aim"}, verdicts(b.goals)); diff != "" {
		t.Error(diff)
	}
}

// The part reports every socket as active, and needs more memory with sockets than without.
func TestLive(t *testing.T) {
	b := withDistribution(t, newBench(t))
	if err := b.live(); err != nil {
		t.Fatal(err)
	}
	if len(b.tables) != 2 {
		t.Fatalf("%d tables", len(b.tables))
	}
	for _, table := range b.tables {
		checkShape(t, table)
	}
	if diff := cmp.Diff([]string{"0", "200", "400"}, column(b.tables[1], 1)); diff != "" {
		t.Errorf("reported active (-want +got):\n%s", diff)
	}
	if kernel := b.tables[1].Rows[1][7]; kernel == "" { // of the whole machine, where others free memory meanwhile
		t.Error("no kernel memory per socket")
	}
	if len(b.goals) != 3 || b.goals[0].Measured <= 0 {
		t.Errorf("goals: %+v", b.goals)
	}
	if _, err := strconv.Atoi(b.tables[0].Rows[0][0]); err != nil {
		t.Error(err)
	}
}
