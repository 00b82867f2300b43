package flow

import (
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

func answered(r conn.Rcode, latency time.Duration, timeouts uint64) *conn.Lookup {
	return &conn.Lookup{At: at(1), Answered: true, Rcode: r, Latency: latency, Timeouts: timeouts}
}

func unanswered(n uint64) *conn.Lookup { return &conn.Lookup{At: at(1), Timeouts: n} }

// asking is the flow of what an application asks a resolver.
func asking(o conn.Owner) Key { return Key{Owner: o, Role: conn.RoleClient, ServerPort: 53} }

// A response counts by its code, and its latency where the query was seen. A query without a response counts as a
// time-out, also where a later one with the same id was answered.
func TestLookup(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Lookup(asking(shop), answered(0, 2*time.Millisecond, 0))
	table.Lookup(asking(shop), answered(0, 0, 0)) // no query was seen
	table.Lookup(asking(shop), answered(3, 20*time.Millisecond, 1))
	table.Lookup(asking(shop), answered(4095, 3*time.Millisecond, 0))
	table.Lookup(asking(shop), unanswered(2))
	want := Flow{Key: asking(shop), Start: at(0), Lookups: true, Timeouts: 3, Histograms: [Measures]Histogram{
		LookupDuration: measured(LookupDuration, 2e-3, 20e-3, 3e-3),
	}}
	want.Responses[0], want.Responses[3], want.Responses[conn.Rcodes-1] = 2, 1, 1
	expect(t, "by code", table.Collect(at(10), byPort), flows(shop, want))
	if p, w := want.Parts(), Answered(0)|Answered(3)|Answered(conn.Rcodes-1)|Unanswered; p&w != w || p&Established != 0 {
		t.Errorf("the parts are %b", p)
	}
}

// A flow that only had time-outs is there, and what was counted since the collection before is its own part only.
func TestLookupDifferences(t *testing.T) {
	table, d := newTable(Config{}, at(0)), NewDifferences(at(0))
	table.Lookup(asking(shop), unanswered(1))
	table.Lookup(asking(shop), answered(2, time.Millisecond, 0))
	d.Of(table.Collect(at(10), byPort), at(10))
	d.Accept()
	table.Lookup(asking(shop), answered(2, time.Millisecond, 4))
	got := d.Of(table.Collect(at(20), byPort), at(20))[0].Flows[0]
	if got.Timeouts != 4 || got.Responses[2] != 1 || got.Histograms[LookupDuration].Count != 1 || !got.Lookups {
		t.Errorf("got %+v", got)
	}
	if again := d.Of(table.Collect(at(30), byPort), at(30)); len(again[0].Flows) > 0 {
		t.Errorf("nothing was counted, and there is %+v", again[0].Flows[0])
	}
}

// Names that clients make up, or servers that are gone, take no place of others: beyond the limit queries without a
// response are counted in the overflow flow.
func TestLookupsBeyondTheLimit(t *testing.T) {
	table := newTable(Config{LimitPerResource: 2}, at(0))
	for port := range uint16(5) {
		table.Lookup(Key{Owner: shop, Role: conn.RoleClient, ServerPort: 53 + port}, unanswered(1))
	}
	total, overflow := uint64(0), uint64(0)
	for _, f := range table.Collect(at(10), byPort)[0].Flows {
		total += f.Timeouts
		if f.Overflow {
			overflow += f.Timeouts
		}
	}
	if total != 5 || overflow != 3 {
		t.Errorf("%d time-outs, %d of them beyond the limit; want 5 and 3", total, overflow)
	}
}
