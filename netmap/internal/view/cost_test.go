package view

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/filter"
	"github.com/netconn/netconn/netmap/internal/store"
)

// costs returns the answer by node, with prices, sorted by cost.
func costs(t *testing.T, w *world, prices *Prices) *Flows {
	t.Helper()
	f, err := NewFlows(context.Background(), w.snapshot(), FlowsQuery{
		Query: Query{Filter: new(filter.Filter), Prices: prices}, Sort: Sort{Cost: true, Descend: true},
		Clients: []By{by(t, "zone"), by(t, "region")}, Servers: []By{by(t, "zone"), by(t, "region")}, Limit: 100,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// everywhere has a connection from each node to each other, with a tenth of a gigabyte for each there, and none back.
func everywhere() (flows []feedtest.Flow) {
	for _, from := range []string{"n1", "n2", "n3", "nowhere"} {
		for _, to := range []string{"n1", "n2", "n3"} {
			flows = append(flows, between(from, to, 100_000_000)...)
		}
	}
	return flows
}

// The price of two zones counts before that of two regions, a pair before what holds for all of its kind. Within a zone
// nothing is charged, and where a place is not known, the cost is not either.
func TestCostOfEdges(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(everywhere()...)
	prices := &Prices{Zones: 1, Regions: 2, Pairs: map[[2]string]float64{Pair("b1", "a2"): 5, Pair("a1", "b"): 7}}
	f := costs(t, w, prices)
	got := make(map[string]float64)
	for i := range f.Client {
		got[f.Client[i][0]+" "+f.Server[i][0]] = math.Round(f.Cost[i]*1000) / 1000
		if i > 0 && f.Cost[i] > f.Cost[i-1] {
			t.Errorf("row %d costs %v, more than the one above it", i, f.Cost[i])
		}
	}
	for pair, want := range map[string]float64{
		"a1 a1": 0, "a1 a2": 0.1, "a1 b1": 0.2, "a2 a1": 0.1, "a2 a2": 0, "a2 b1": 0.5, "b1 a1": 0.2, "b1 a2": 0.5, "b1 b1": 0,
	} {
		if got[pair] != want {
			t.Errorf("%s costs %v, want %v", pair, got[pair], want)
		}
	}
	if total := math.Round(float64(*f.TotalCost)*1000) / 1000; total != 1.6 {
		t.Errorf("the total is %v, want 1.6", total)
	}
	if unknown := f.Cost[len(f.Cost)-1]; !math.IsNaN(unknown) {
		t.Errorf("a row without a zone costs %v", unknown)
	}
	prices.Pairs = map[[2]string]float64{Pair("b", "a"): 3}
	for i, c := range costs(t, w, prices).Cost {
		if f := costs(t, w, prices); f.Client[i][1] != f.Server[i][1] && !math.IsNaN(c) && math.Abs(c-0.3) > 1e-9 {
			t.Errorf("%s to %s costs %v, want the price of the regions, 0.3", f.Client[i], f.Server[i], c)
		}
	}
}

// Both directions count, and edges that are shown as one row are added up.
func TestCostAddsUp(t *testing.T) {
	w := newWorld(store.Config{})
	ends := between("n1", "n2", 3_000_000_000)
	ends[0].Rx, ends[1].Tx = 1_000_000_000, 1_000_000_000
	w.collect(append(ends, between("n1", "n2", 0)...)...)
	f := costs(t, w, &Prices{Zones: 0.5})
	if len(f.Cost) != 1 || math.Abs(f.Cost[0]-2) > 1e-9 {
		t.Errorf("4 GB at 0.5 cost %v, want 2", f.Cost)
	}
}

// Without prices the answer is as it was.
func TestNoPrices(t *testing.T) {
	w := newWorld(store.Config{})
	w.collect(everywhere()...)
	f := costs(t, w, nil)
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"cost", "total_cost"} {
		if _, there := fields[field]; there {
			t.Errorf("there is %s in %s", field, fmt.Sprint(fields))
		}
	}
}
