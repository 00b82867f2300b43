package alerts

import (
	"slices"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// maxAlerts is how many alerts are kept, the firing ones first.
const maxAlerts = 1000

// A Set is what is known of all alerts at a time. It does not change. The nil Set has no alerts.
type Set struct {
	Status Status
	Alerts []Alert // the firing ones first
	byTag  map[pair][]int
	tags   []names.Tag // that byTag has
}

// Status is how the source is.
type Status struct {
	State   string  // off, starting, ok or unreachable
	Kind    Kind    // what answers; empty while it is not known
	Reason  string  // why the source is unreachable
	At      float64 // Unix seconds of the last answer; 0: there was none
	LeftOut int     // alerts beyond the limit
	Version uint64  // changes with every change of what the set shows
}

// NewSet sorts alerts, keeps those within the limit, and makes their index. Two alerts with the same labels are one:
// both servers of a pair send it.
func NewSet(status Status, all []Alert) *Set {
	slices.SortFunc(all, compare)
	seen := make(map[string]bool, len(all))
	all = slices.DeleteFunc(all, func(a Alert) bool {
		known := seen[a.ID]
		seen[a.ID] = true
		return known
	})
	status.LeftOut = max(0, len(all)-maxAlerts)
	s := &Set{Status: status, Alerts: all[:min(len(all), maxAlerts)], byTag: make(map[pair][]int)}
	for i := range s.Alerts {
		t := &s.Alerts[i].target
		for _, tag := range t.tags {
			s.byTag[pair{tag, t.value}] = append(s.byTag[pair{tag, t.value}], i)
			if !slices.Contains(s.tags, tag) {
				s.tags = append(s.tags, tag)
			}
		}
	}
	return s
}

// Of returns the alerts that are about an end, by their index, the firing ones first.
func (s *Set) Of(e *edge.End) []int {
	if s == nil {
		return nil
	}
	var found []int
	for _, tag := range s.tags {
		if !e.Has(tag) {
			continue
		}
		for _, i := range s.byTag[pair{tag, e[tag]}] {
			if s.Alerts[i].target.agrees(e) && !slices.Contains(found, i) {
				found = append(found, i)
			}
		}
	}
	slices.Sort(found)
	return found
}

// Count returns how many alerts are firing and pending.
func (s *Set) Count() (firing, pending int) {
	if s == nil {
		return 0, 0
	}
	for i := range s.Alerts {
		if s.Alerts[i].State == Firing {
			firing++
		} else {
			pending++
		}
	}
	return firing, pending
}
