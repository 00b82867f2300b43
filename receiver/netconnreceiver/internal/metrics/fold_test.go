package metrics

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/attributes"
)

func newFold(keys ...string) *fold {
	return &fold{view: view{set: attributes.Of(keys)}, expired: make(map[series]*flow.Flow)}
}

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

// flowTo is a flow to a server's port that began at a time.
func flowTo(port uint16, start time.Time, sent uint64) *flow.Flow {
	f := &flow.Flow{
		Key:         flow.Key{Owner: conn.Owner{Executable: "app"}, Role: conn.RoleClient, ServerPort: port},
		Start:       start,
		Connections: true,
		Counts:      conn.Counts{conn.Sent: sent},
	}
	f.Histograms[flow.RTT] = flow.Histogram{
		Counts: []uint64{sent, 0}, Count: sent, Sum: float64(sent), Min: 1, Max: float64(sent),
	}
	return f
}

func oneResource(flows ...*flow.Flow) []flow.Resource {
	return []flow.Resource{{Owner: conn.Owner{Executable: "app"}, Flows: flows}}
}

// sumOf returns the sum of flows to several ports.
func sumOf(start time.Time, sent uint64, h flow.Histogram) *flow.Flow {
	f := flowTo(0, start, sent)
	f.Histograms[flow.RTT] = h
	return f
}

// shown marks a sum as one that an earlier collection has shown for one of its flows.
func shown(f *flow.Flow) *flow.Flow {
	f.Shown = f.Parts()
	return f
}

func TestFold(t *testing.T) {
	overflow := &flow.Flow{
		Key:         flow.Key{Owner: conn.Owner{Executable: "app"}},
		Overflow:    true,
		Connections: true,
		Start:       at(0),
		Counts:      conn.Counts{conn.Sent: 7},
	}
	listener := &flow.Flow{Key: flow.Key{ServerPort: 80}, Listens: true, ListenDrops: 9}
	tests := map[string]struct {
		collections [][]*flow.Flow
		want        []*flow.Flow // at the last one
	}{
		"added up, from the earliest start": {
			collections: [][]*flow.Flow{{flowTo(80, at(20), 3), flowTo(443, at(10), 5), listener, overflow}},
			want: []*flow.Flow{
				sumOf(at(10), 8, flow.Histogram{Counts: []uint64{8, 0}, Count: 8, Sum: 8, Min: 1, Max: 5}), overflow,
			},
		},
		"an expired flow stays in the sum": {
			collections: [][]*flow.Flow{
				{flowTo(80, at(0), 3), flowTo(443, at(10), 5)}, {flowTo(443, at(10), 6)}, {flowTo(443, at(10), 7)},
			},
			want: []*flow.Flow{
				shown(sumOf(at(0), 10, flow.Histogram{Counts: []uint64{10, 0}, Count: 10, Sum: 10, Min: 1, Max: 7})),
			},
		},
		"a flow that begins anew is added to what it was": {
			collections: [][]*flow.Flow{{flowTo(80, at(0), 3)}, {flowTo(80, at(10), 1)}},
			want: []*flow.Flow{
				shown(sumOf(at(0), 4, flow.Histogram{Counts: []uint64{4, 0}, Count: 4, Sum: 4, Min: 1, Max: 3})),
			},
		},
		"a sum without a flow is forgotten": {
			collections: [][]*flow.Flow{{flowTo(80, at(0), 3)}, {}, {flowTo(80, at(20), 1)}},
			want: []*flow.Flow{
				sumOf(at(20), 1, flow.Histogram{Counts: []uint64{1, 0}, Count: 1, Sum: 1, Min: 1, Max: 1}),
			},
		},
		"nothing to see": {collections: [][]*flow.Flow{{listener}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := newFold("netconn.role")
			var got []flow.Resource
			for _, flows := range test.collections {
				got = d.add(oneResource(flows...))
			}
			diff := cmp.Diff(oneResource(test.want...), got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}))
			if diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFoldCopies because the table goes on counting in the flows that it returned.
func TestFoldCopies(t *testing.T) {
	d := newFold("netconn.role")
	f := flowTo(80, at(0), 3)
	got := d.add(oneResource(f))[0].Flows[0]
	f.Counts[conn.Sent], f.Histograms[flow.RTT].Counts[0] = 100, 100
	if got.Counts[conn.Sent] != 3 || got.Histograms[flow.RTT].Counts[0] != 3 {
		t.Errorf("the sum follows its flow: %+v", got)
	}
	got = d.add(oneResource(flowTo(443, at(0), 1)))[0].Flows[0]
	if got.Counts[conn.Sent] != 4 || got.Histograms[flow.RTT].Counts[0] != 4 {
		t.Errorf("what the expired flow was, follows it: %+v", got)
	}
}

// TestFoldOfChanges has nothing to remember: they are not counted again.
func TestFoldOfChanges(t *testing.T) {
	d := newFold("netconn.role")
	d.view.delta = true
	for _, sent := range []uint64{3, 4} {
		got := d.add(oneResource(flowTo(80, at(0), sent), flowTo(443, at(0), 1)))[0].Flows
		if len(got) != 1 || got[0].Counts[conn.Sent] != sent+1 {
			t.Errorf("got %+v, want %d sent", got, sent+1)
		}
	}
	if got := d.add(oneResource())[0].Flows; len(got) != 0 {
		t.Errorf("got %+v where nothing has changed", got)
	}
}

// TestFoldNeverFalls plays flows that grow, expire and return. One stays: a sum that has a flow at all times
// neither falls nor begins later, and is in the end all that was ever counted.
func TestFoldNeverFalls(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 0))
		d := newFold("netconn.role")
		flows := map[uint16]*flow.Flow{}
		var total, last uint64
		for now := range int64(100) {
			for port := range uint16(5) {
				switch f := flows[port]; {
				case port > 0 && f != nil && random.IntN(4) == 0:
					delete(flows, port)
				case f == nil && (port == 0 || random.IntN(4) == 0):
					flows[port] = flowTo(port, at(now), 0)
				}
				if f := flows[port]; f != nil {
					n := random.Uint64N(10)
					f.Counts[conn.Sent] += n
					total += n
				}
			}
			got := d.add(oneResource(flowsOf(flows)...))[0].Flows[0]
			if got.Counts[conn.Sent] < last || got.Counts[conn.Sent] != total || !got.Start.Equal(at(0)) {
				t.Fatalf("seed %d at %d: %d after %d since %v, want %d since the start",
					seed, now, got.Counts[conn.Sent], last, got.Start, total)
			}
			last = got.Counts[conn.Sent]
		}
	}
}

func flowsOf(m map[uint16]*flow.Flow) []*flow.Flow {
	var all []*flow.Flow
	for _, f := range m {
		all = append(all, f)
	}
	return all
}
