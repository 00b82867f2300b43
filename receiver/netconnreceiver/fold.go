package netconnreceiver

import (
	"github.com/netconn/netconn/internal/flow"
)

// A view is what a metric sees of the flows.
type view struct {
	set     attributeSet
	listens bool // those of listening sockets, not those of connections
	delta   bool // what is new of them since the collection before
}

func (v view) sees(f *flow.Flow) bool {
	if v.listens {
		return f.Listens
	}
	return f.Connections
}

// A series is what points are told apart by within all resources.
type series struct {
	key      flow.Key
	overflow bool
}

// A fold adds up the flows that differ only in attributes that a view does not have. It remembers the flows of the
// collection before: what an expired one had counted stays in the sum for as long as the sum has a flow, because a
// cumulative sum that falls reads as a restart. Of what is new there is nothing to remember.
type fold struct {
	view view
	last map[series]*flow.Flow // each flow at the collection before
	gone map[series]*flow.Flow // what expired flows had counted, by the series of the view
}

// add returns the resources with the sums in place of the flows, in the order in which their first flows come.
func (d *fold) add(resources []flow.Resource) []flow.Resource {
	if !d.view.delta {
		now := d.seen(resources)
		d.bury(now)
		d.last = now
	}
	gone := make(map[series]*flow.Flow)
	folded := make([]flow.Resource, len(resources))
	for i, r := range resources {
		folded[i] = flow.Resource{Owner: r.Owner, Flows: d.sums(r.Flows, gone)}
	}
	d.gone = gone
	return folded
}

// seen copies the flows that the view sees: the table goes on counting in its own.
func (d *fold) seen(resources []flow.Resource) map[series]*flow.Flow {
	flows := make(map[series]*flow.Flow, len(d.last))
	for _, r := range resources {
		for _, f := range r.Flows {
			if d.view.sees(f) {
				flows[series{f.Key, f.Overflow}] = sum(nil, f)
			}
		}
	}
	return flows
}

// bury adds to gone what is not there any more, or is there again with another start.
func (d *fold) bury(now map[series]*flow.Flow) {
	for k, f := range d.last {
		if still := now[k]; still != nil && still.Start.Equal(f.Start) {
			continue
		}
		k.key = d.view.set.mask(k.key)
		d.gone[k] = sum(d.gone[k], f)
	}
}

// sums adds up the flows of one resource, and moves to kept what the sums that are left need of gone.
func (d *fold) sums(flows []*flow.Flow, kept map[series]*flow.Flow) []*flow.Flow {
	var sums []*flow.Flow
	at := make(map[series]int)
	for _, f := range flows {
		if !d.view.sees(f) {
			continue
		}
		k := series{d.view.set.mask(f.Key), f.Overflow}
		i, there := at[k]
		if !there {
			i, at[k] = len(sums), len(sums)
			sums = append(sums, nil)
			if g := d.gone[k]; g != nil {
				kept[k], sums[i] = g, sum(nil, g)
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
