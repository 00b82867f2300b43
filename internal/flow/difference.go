package flow

import (
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Differences turns what a table collects, which is cumulative, into what was counted between one collection
// and the next. The sums of the differences are the cumulative counters: a flow expires only after a collection
// that has nothing new of it, and a flow that returns starts from nothing. What was refused is a part of the next
// differences, whether its flow still exists or not.
type Differences struct {
	last  map[identity]*previous
	since time.Time // the collection before
	round uint32
	given []Resource         // the last differences, until they are accepted or refused
	owed  map[identity]*Flow // that were refused
}

// maxOwed bounds the flows that are kept of refused differences. Those beyond it are kept as overflow of the host.
const maxOwed = 20_000

// previous is a flow as the last collection had it.
type previous struct {
	flow  Flow
	round uint32
}

// NewDifferences returns those from now on, which is when the table was made.
func NewDifferences(now time.Time) *Differences {
	return &Differences{last: make(map[identity]*previous), since: now, owed: make(map[identity]*Flow)}
}

// Of returns for each resource, in the same order and as Cover returns them, the flows that have counted something
// since the collection before, and how much. Start is the time of that collection. Active is left at zero, and so are
// the least and the greatest sample of the histograms, which are not known of a part. The result shares no memory with
// the flows.
func (d *Differences) Of(resources []Resource, now time.Time) []Resource {
	d.round++
	changed := make([]Resource, len(resources))
	index := make(map[conn.Owner]int)
	for i, r := range resources {
		index[r.Owner] = i
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
	for id, f := range d.owed { // of flows that have expired
		i := index[id.key.Owner]
		changed[i].Flows = append(changed[i].Flows, f)
	}
	clear(d.owed)
	d.since, d.given = now, changed
	return changed
}

// Cover returns the resources, and after them those that only refused differences have.
func (d *Differences) Cover(resources []Resource) []Resource {
	if len(d.owed) == 0 {
		return resources
	}
	found := make(map[conn.Owner]bool)
	for _, r := range resources {
		found[r.Owner] = true
	}
	covered := slices.Clone(resources)
	for id := range d.owed {
		if o := id.key.Owner; !found[o] {
			found[o] = true
			covered = append(covered, Resource{Owner: o})
		}
	}
	return covered
}

// Accept says that the last differences have arrived.
func (d *Differences) Accept() { d.given = nil }

// Refuse says that the last differences have not arrived. The next ones hold them too.
func (d *Differences) Refuse() {
	for _, r := range d.given {
		for _, f := range r.Flows {
			d.owe(f)
		}
	}
	d.given = nil
}

func (d *Differences) owe(f *Flow) {
	id := identity{key: f.Key, overflow: f.Overflow}
	if d.owed[id] == nil && len(d.owed) >= maxOwed {
		id = identity{overflow: true}
	}
	if d.owed[id] == nil {
		d.owed[id] = &Flow{Key: id.key, Overflow: id.overflow, Start: f.Start}
	}
	d.owed[id].Add(f)
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
	if owed := d.owed[id]; owed != nil {
		n.Add(owed)
		delete(d.owed, id)
	}
	p.flow.copyFrom(f)
	p.round = d.round
	return n
}
