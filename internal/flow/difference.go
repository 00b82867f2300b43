package flow

import (
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Differences turns what a table collects, which is cumulative, into what was counted between one collection and the
// next. The sums of the differences are the cumulative counters: a flow expires only after a collection that has nothing
// new of it, and one that returns starts from nothing.
type Differences struct {
	last  map[identity]*told
	since time.Time // the collection before
	round uint32
}

// told is a flow as the last collection had it.
type told struct {
	flow  Flow
	round uint32
}

// NewDifferences returns those from now on, which is when the table was made.
func NewDifferences(now time.Time) *Differences {
	return &Differences{last: make(map[identity]*told), since: now}
}

// Of returns for each resource, in the same order, the flows that have counted something since the collection before,
// and what: Start is the time of that collection, Active is left at zero, and so are the least and the greatest sample
// of the histograms, which are not known of a part. What it returns shares no memory with the flows.
func (d *Differences) Of(resources []Resource, now time.Time) []Resource {
	d.round++
	changed := make([]Resource, len(resources))
	for i, r := range resources {
		changed[i].Owner = r.Owner
		for _, f := range r.Flows {
			if n := d.of(f); n.news() {
				kept := n // n would be allocated for every flow
				changed[i].Flows = append(changed[i].Flows, &kept)
			}
		}
	}
	for id, t := range d.last {
		if t.round != d.round {
			delete(d.last, id)
		}
	}
	d.since = now
	return changed
}

// of returns what is new of one flow, and remembers the flow.
func (d *Differences) of(f *Flow) Flow {
	id := identity{key: f.Key, overflow: f.Overflow}
	t := d.last[id]
	if t == nil || !t.flow.Start.Equal(f.Start) {
		t = &told{}
		d.last[id] = t
	}
	n := f.minus(&t.flow)
	n.Start = d.since
	t.remember(f)
	t.round = d.round
	return n
}

// remember copies a flow: the table goes on counting in its own.
func (t *told) remember(f *Flow) {
	rtt, jitter, handshake, duration := t.flow.RTT.Counts, t.flow.Jitter.Counts, t.flow.Handshake.Counts, t.flow.Duration.Counts
	t.flow = *f
	t.flow.RTT.Counts = append(rtt[:0], f.RTT.Counts...)
	t.flow.Jitter.Counts = append(jitter[:0], f.Jitter.Counts...)
	t.flow.Handshake.Counts = append(handshake[:0], f.Handshake.Counts...)
	t.flow.Duration.Counts = append(duration[:0], f.Duration.Counts...)
}

// minus returns what a flow has counted beyond an earlier state of it.
func (f *Flow) minus(o *Flow) Flow {
	n := Flow{
		Key:              f.Key,
		Overflow:         f.Overflow,
		Connections:      f.Connections,
		Listens:          f.Listens,
		Sent:             f.Sent - o.Sent,
		Received:         f.Received - o.Received,
		SegmentsSent:     f.SegmentsSent - o.SegmentsSent,
		SegmentsReceived: f.SegmentsReceived - o.SegmentsReceived,
		Retransmits:      f.Retransmits - o.Retransmits,
		OutOfOrder:       f.OutOfOrder - o.OutOfOrder,
		Reordering:       f.Reordering - o.Reordering,
		CE:               f.CE - o.CE,
		Lost:             f.Lost - o.Lost,
		RTT:              f.RTT.minus(o.RTT),
		Jitter:           f.Jitter.minus(o.Jitter),
		Handshake:        f.Handshake.minus(o.Handshake),
		Duration:         f.Duration.minus(o.Duration),
		ListenDrops:      f.ListenDrops - o.ListenDrops,
	}
	for e := range conn.Errors {
		n.Attempts[e] = f.Attempts[e] - o.Attempts[e]
		n.Closed[e] = f.Closed[e] - o.Closed[e]
	}
	return n
}

// minus returns the samples beyond those of an earlier state.
func (h Histogram) minus(o Histogram) Histogram {
	if h.Count == o.Count {
		return Histogram{}
	}
	n := Histogram{Counts: slices.Clone(h.Counts), Count: h.Count - o.Count, Sum: h.Sum - o.Sum}
	for i := range o.Counts {
		n.Counts[i] -= o.Counts[i]
	}
	return n
}

// news tells whether a difference is one.
func (f *Flow) news() bool {
	samples := f.RTT.Count + f.Jitter.Count + f.Handshake.Count + f.Duration.Count
	segments := f.SegmentsSent + f.SegmentsReceived + f.Retransmits + f.OutOfOrder + f.Reordering + f.CE + f.Lost
	return samples+segments+f.Sent+f.Received+f.ListenDrops > 0 ||
		f.Attempts != [conn.Errors]uint64{} || f.Closed != [conn.Errors]uint64{}
}
