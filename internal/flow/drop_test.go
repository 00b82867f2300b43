package flow

import (
	"testing"

	"github.com/netconn/netconn/internal/conn"
)

// Dropped packets are a flow of their own for each reason, with no connection. Beyond the limit they are in the overflow
// of their resource. They are a sum like all others.
func TestDrops(t *testing.T) {
	full, rule := conn.DropReasonOf(1), conn.DropReasonOf(2)
	table := newTable(Config{LimitPerResource: 1}, at(0))
	for range 2 {
		table.Drop(Key{Drop: full}, 3, at(0))
	}
	table.Drop(Key{Drop: rule}, 5, at(0))
	all := table.Collect(at(10), byPort)
	if len(all) != 1 || len(all[0].Flows) != 2 {
		t.Fatalf("%+v, want one resource with two flows", all)
	}
	named, overflow := all[0].Flows[0], all[0].Flows[1]
	if named.Overflow {
		named, overflow = overflow, named
	}
	if named.Key.Drop != full || named.Discarded != 6 || named.Connections || !named.Discards || named.Parts() != Discards {
		t.Errorf("the first reason: %+v", named)
	}
	if !overflow.Overflow || overflow.Discarded != 5 || !overflow.Discards {
		t.Errorf("beyond the limit: %+v", overflow)
	}
	sum := Flow{Start: at(5)}
	if sum.Add(named); sum.Discarded != 6 || !sum.Discards {
		t.Errorf("the sum is %+v", sum)
	}
	if later := sum.since(named); later.Discarded != 0 || later.counted() || !named.counted() {
		t.Errorf("since then %+v", later)
	}
	if a, b := (Key{Drop: full}), (Key{Drop: rule}); a.compare(&b) >= 0 {
		t.Error("the reasons have no order")
	}
}
