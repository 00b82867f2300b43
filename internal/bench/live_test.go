//go:build linux

package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/testnet"
)

// The steps of a collection see the crowd, all of it, and nothing of it when it is idle.
func TestPasses(t *testing.T) {
	b := newBench(t)
	r, err := newReader()
	if err != nil {
		testnet.Require(t, err)
	}
	if err := r.sockets.Close(); err != nil {
		t.Fatal(err)
	}
	table := &table{head: []string{"sockets", "new", "credit", "idle", "changed", "folded", "all", "heap"}}
	if err := b.passes(200, table); err != nil {
		t.Fatal(err)
	}
	if len(table.rows) != 1 || len(table.rows[0]) != len(table.head) || table.rows[0][0] != "200" {
		t.Errorf("got %q", table.rows)
	}
}

func TestReader(t *testing.T) {
	b := newBench(t)
	c, err := newCrowd(b.load, 40)
	if err != nil {
		testnet.Require(t, err)
	}
	defer c.stop()
	r, err := newReader()
	if err != nil {
		testnet.Require(t, err)
	}
	defer r.sockets.Close()
	if err := c.do("open"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.snapshot(false, true); err != nil {
		t.Fatal(err)
	}
	var got []conn.Role
	active := make(map[conn.Role]int64)
	for _, resource := range r.flows.Collect(time.Now(), r.identify) {
		for _, f := range resource.Flows {
			if resource.Owner.Executable == b.loadName() {
				got = append(got, f.Key.Role)
				active[f.Key.Role] += f.Active
				if f.Key.Peer[names.PeerName] != b.loadName() || f.Key.Peer[names.PeerScope] != names.ScopeNode {
					t.Errorf("the peer of %v is %+v", f.Key.Role, f.Key.Peer)
				}
			}
		}
	}
	if diff := cmp.Diff(map[conn.Role]int64{conn.RoleClient: 20, conn.RoleServer: 20}, active); diff != "" {
		t.Errorf("flows of %v: %s", got, diff)
	}
}

func TestCrowdIsSplit(t *testing.T) {
	b := newBench(t)
	c, err := newCrowd(b.load, 2*holdsEach+10)
	if err != nil {
		testnet.Require(t, err)
	}
	if diff := cmp.Diff([]int{holdsEach, 5}, c.counts); diff != "" {
		t.Error(diff)
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
}

func TestLifetimeOver(t *testing.T) {
	with, base := lifetime{resident: 300, heap: 50, kernel: 40}, lifetime{resident: 100, heap: 60, kernel: 10}
	resident, heap, kernel := with.over(base)
	if diff := cmp.Diff([]float64{200, -10, 30}, []float64{resident, heap, kernel}); diff != "" {
		t.Error(diff)
	}
}

func TestCostRow(t *testing.T) {
	b, table := &bench{}, &table{}
	got := count{}
	got.own.Closed, got.own.Sent, got.overflow.Closed, got.overflow.Sent = 1990, 1_094_500, 8, 4400
	b.costRow(table, 0, slice{Operations: 1000, Rate: 100}, got, 10*time.Millisecond)
	want := [][]string{{"all there can be", "100", "1.00 s", "1990", "1094500", "8", "2", "1100"}}
	if diff := cmp.Diff(want, table.rows); diff != "" {
		t.Error(diff)
	}
	var verdicts []string
	for _, g := range b.goals {
		verdicts = append(verdicts, g.verdict())
	}
	if diff := cmp.Diff([]string{"yes: the aim", "**no**"}, verdicts); diff != "" {
		t.Error(diff)
	}
}

func TestRingRow(t *testing.T) {
	got := drained{ends: 1500, sent: 800_000, lost: conn.Losses{conn.LostCloses: 500, conn.LostSent: 300_000}}
	want := []string{"4 KiB", "5", "2000", "1500", "500", "0", "1100000", "800000", "300000", "0"}
	if diff := cmp.Diff(want, ringRow(4096, slice{Operations: 1000, Rate: 5}, got)); diff != "" {
		t.Error(diff)
	}
}
