package view

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// past is a history that a test writes: the steps of each edge, by the edge's index.
type past struct {
	steps map[int][]snap.Step
	err   error
}

// Read is as snap.History has it.
func (p past) Read(_ context.Context, rows [][]int, _ snap.What, put func(int, snap.Step)) error {
	for row, edges := range rows {
		for _, i := range edges {
			for _, step := range p.steps[i] {
				put(row, step)
			}
		}
	}
	return p.err
}

func TestSparklinesAndSeries(t *testing.T) {
	a, b := program(t, "a"), program(t, "b")
	s := snapshotOf(calls(a, b, 1, 10), calls(b, a, 2, 5))
	step := func(at int64, f snap.Figures, reported bool) snap.Step {
		return snap.Step{At: at, Figures: f, Reported: reported}
	}
	s.History = past{steps: map[int][]snap.Step{
		0: {step(1000, snap.Figures{Tx: 4, Active: 3}, true), step(1020, snap.Figures{
			Tx: 6, RTTs: 2, RTTSum: 1, RTTMax: 0.9, Outcomes: []snap.Outcome{{Kind: 2, N: 7}, {Kind: 3, N: 8}, {Kind: 5, N: 2}},
			Lookups: 4, LookupTimes: 2, LookupSum: 0.5,
		}, false)},
		1: {step(1010, snap.Figures{Tx: 5}, false)},
	}}
	tx := metric(t, "tx")
	f, err := NewFlows(t.Context(), s, FlowsQuery{
		Query: Query{Filter: new(filter.Filter)}, Clients: []By{by(t, "name")}, Servers: []By{by(t, "name")}, Sort: Sort{By: tx, Descend: true},
		Limit: 10, Spark: &tx,
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Spark{Metric: "tx", Step: 10, Values: []Numbers{{4, 0, 6}, {0, 5, 0}}}, f.Spark); diff != "" {
		t.Errorf("sparklines (-want +got):\n%s", diff)
	}
	answer, err := NewSeries(t.Context(), s, Query{Filter: parse(t, "port=1")}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{1000, 1010, 1020}, answer.T); diff != "" {
		t.Errorf("times (-want +got):\n%s", diff)
	}
	nan := math.NaN()
	wantColumns := map[string]Numbers{
		"tx": {4, 0, 6}, "rx": {0, 0, 0}, "retransmits": {0, 0, 0}, "rtt": {nan, nan, 0.5}, "rtt_max": {nan, nan, 0.9}, "handshake": {nan, nan, nan},
		"attempts": {0, 0, 0}, "failures": {0, 0, 7}, "closed": {0, 0, 0}, "breaks": {0, 0, 8}, "active": {3, nan, nan},
		"lookups": {0, 0, 4}, "lookup_failures": {0, 0, 2}, "lookup_time": {nan, nan, 0.25},
	}
	equal := cmp.Comparer(func(x, y float64) bool { return x == y || math.IsNaN(x) && math.IsNaN(y) })
	for i, m := range columns {
		if diff := cmp.Diff(wantColumns[m.name], answer.columns[i], equal); diff != "" {
			t.Errorf("%s (-want +got):\n%s", m.name, diff)
		}
	}
	if diff := cmp.Diff(map[string]Numbers{"SERVFAIL": {0, 0, 2}}, answer.LookupsBy); diff != "" {
		t.Errorf("look-ups (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]Numbers{"refused": {0, 0, 7}}, answer.FailuresBy); diff != "" {
		t.Errorf("failures (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]Numbers{"reset": {0, 0, 8}}, answer.BreaksBy); diff != "" {
		t.Errorf("breaks (-want +got):\n%s", diff)
	}
}

// A history that cannot be read is an error, not zeros.
func TestAHistoryThatCannotBeRead(t *testing.T) {
	s := snapshotOf(calls(program(t, "a"), program(t, "b"), 1, 10))
	gone := errors.New("gone")
	s.History = past{err: gone}
	tx := metric(t, "tx")
	q := FlowsQuery{Query: Query{Filter: new(filter.Filter)}, Clients: []By{by(t, "name")}, Servers: []By{by(t, "name")}, Sort: Sort{By: tx}, Limit: 1}
	if _, err := NewFlows(t.Context(), s, q); err != nil {
		t.Errorf("without sparklines: %v", err)
	}
	q.Spark = &tx
	if _, err := NewFlows(t.Context(), s, q); !errors.Is(err, gone) {
		t.Errorf("flows: %v", err)
	}
	if _, err := NewSeries(t.Context(), s, Query{Filter: new(filter.Filter)}, 1); !errors.Is(err, gone) {
		t.Errorf("series: %v", err)
	}
}
