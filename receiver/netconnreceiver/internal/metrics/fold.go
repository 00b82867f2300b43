package metrics

import (
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/attributes"
)

// view is what a metric shows of the flows.
type view struct {
	set     attributes.Set
	listens bool // flows of listening sockets, not of connections
	lookups bool // flows of DNS look-ups, not of connections
	drops   bool // flows of dropped packets
	delta   bool // what was counted since the collection before
}

func (v view) shows(f *flow.Flow) bool {
	if v.listens {
		return f.Listens
	}
	if v.lookups {
		return f.Lookups
	}
	if v.drops {
		return f.Discards
	}
	return f.Connections
}

// series is what distinguishes points within all resources.
type series struct {
	key      flow.Key
	overflow bool
}

// fold adds up the flows that differ only in attributes that a view does not have. It remembers the flows of
// the collection before: the counts of an expired flow stay in the sum as long as the sum has a flow, because a
// cumulative sum that falls reads as a restart. Deltas need no memory.
type fold struct {
	view    view
	last    map[series]*flow.Flow // each flow at the collection before
	expired map[series]*flow.Flow // the counts of expired flows, by the series of the view
}

// add returns the resources with the sums in place of the flows, in the order in which their first flows come.
func (d *fold) add(resources []flow.Resource) []flow.Resource {
	if !d.view.delta {
		now := d.copies(resources)
		d.retire(now)
		d.last = now
	}
	expired := make(map[series]*flow.Flow)
	folded := make([]flow.Resource, len(resources))
	for i, r := range resources {
		folded[i] = flow.Resource{Owner: r.Owner, Flows: d.sums(r.Flows, expired)}
	}
	d.expired = expired
	return folded
}

// copies returns copies of the flows that the view shows: the table goes on counting in its own.
func (d *fold) copies(resources []flow.Resource) map[series]*flow.Flow {
	flows := make(map[series]*flow.Flow, len(d.last))
	for _, r := range resources {
		for _, f := range r.Flows {
			if d.view.shows(f) {
				flows[series{f.Key, f.Overflow}] = sum(nil, f)
			}
		}
	}
	return flows
}

// retire adds the flows that have expired to the expired ones, and those that began again with another start.
func (d *fold) retire(now map[series]*flow.Flow) {
	for k, f := range d.last {
		if still := now[k]; still != nil && still.Start.Equal(f.Start) {
			continue
		}
		k.key = d.view.set.Mask(k.key)
		d.expired[k] = sum(d.expired[k], f)
		d.expired[k].Shown |= f.Parts()
	}
}

// sums adds up the flows of one resource, and moves to kept the expired ones that a sum still needs.
func (d *fold) sums(flows []*flow.Flow, kept map[series]*flow.Flow) []*flow.Flow {
	var sums []*flow.Flow
	index := make(map[series]int)
	for _, f := range flows {
		if !d.view.shows(f) {
			continue
		}
		k := series{d.view.set.Mask(f.Key), f.Overflow}
		i, found := index[k]
		if !found {
			i, index[k] = len(sums), len(sums)
			sums = append(sums, nil)
			if e := d.expired[k]; e != nil {
				kept[k], sums[i] = e, sum(nil, e)
			}
		}
		sums[i] = sum(sums[i], f)
		sums[i].Key = k.key
	}
	return sums
}

// sum adds f to a sum, nil for a new one, and returns it.
func sum(s, f *flow.Flow) *flow.Flow {
	if s == nil {
		s = &flow.Flow{Key: f.Key, Overflow: f.Overflow, Start: f.Start}
	}
	s.Add(f)
	return s
}
