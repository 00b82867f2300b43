package flow

import "time"

// Differences turns what a table collects, which is cumulative, into what was counted between one collection
// and the next. The sums of the differences are the cumulative counters: a flow expires only after a collection
// that has nothing new of it, and a flow that returns starts from nothing.
type Differences struct {
	last  map[identity]*previous
	since time.Time // the collection before
	round uint32
}

// previous is a flow as the last collection had it.
type previous struct {
	flow  Flow
	round uint32
}

// NewDifferences returns those from now on, which is when the table was made.
func NewDifferences(now time.Time) *Differences {
	return &Differences{last: make(map[identity]*previous), since: now}
}

// Of returns for each resource, in the same order, the flows that have counted something since the collection
// before, and how much. Start is the time of that collection. Active is left at zero, and so are the least and
// the greatest sample of the histograms, which are not known of a part. The result shares no memory with the
// flows.
func (d *Differences) Of(resources []Resource, now time.Time) []Resource {
	d.round++
	changed := make([]Resource, len(resources))
	for i, r := range resources {
		changed[i].Owner = r.Owner
		for _, f := range r.Flows {
			if n := d.of(f); n.counted() {
				kept := n // n would be allocated for every flow
				changed[i].Flows = append(changed[i].Flows, &kept)
			}
		}
	}
	for id, p := range d.last {
		if p.round != d.round {
			delete(d.last, id)
		}
	}
	d.since = now
	return changed
}

// of returns what is new of one flow, and remembers the flow.
func (d *Differences) of(f *Flow) Flow {
	id := identity{key: f.Key, overflow: f.Overflow}
	p := d.last[id]
	if p == nil || !p.flow.Start.Equal(f.Start) {
		p = &previous{}
		d.last[id] = p
	}
	n := f.since(&p.flow)
	n.Start = d.since
	p.flow.copyFrom(f)
	p.round = d.round
	return n
}
