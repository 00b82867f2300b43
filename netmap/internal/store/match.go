package store

import (
	"cmp"
	"slices"
	"sort"
)

// matches finds the reports of one edge by their keys.
type matches struct {
	topology uint64
	entries  []entry // by hash, the primary ones first
	store    *Store
}

type entry struct {
	hash    uint64
	slot    uint32
	primary bool
}

// matches returns those of the present reports.
func (s *Store) matches() *matches {
	if s.matched.store != nil && s.matched.topology == s.topology {
		return &s.matched
	}
	entries := s.matched.entries[:0]
	for slot := range s.reports {
		for _, k := range s.reports[slot].keys {
			entries = append(entries, entry{k.Hash, uint32(slot), k.Primary})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		if a.hash != b.hash {
			return cmp.Compare(a.hash, b.hash)
		}
		if a.primary != b.primary {
			if a.primary {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.slot, b.slot)
	})
	s.matched = matches{s.topology, entries, s}
	return &s.matched
}

// of returns the entries of a key.
func (m *matches) of(hash uint64) []entry {
	from := sort.Search(len(m.entries), func(i int) bool { return m.entries[i].hash >= hash })
	to := from
	for to < len(m.entries) && m.entries[to].hash == hash {
		to++
	}
	return m.entries[from:to]
}

// held tells whether there is a report with the key.
func (m *matches) held(hash uint64) bool { return len(m.of(hash)) > 0 }

// silent is how much longer than a report of the other end a report may have been silent and still counts for both, seconds.
const silent = 120

// primaries returns the reports that count instead of the one in slot: none if it counts itself.
func (m *matches) primaries(slot uint32) []uint32 {
	r := &m.store.reports[slot]
	var found []uint32
	for _, k := range r.keys {
		if k.Primary {
			continue
		}
		for _, e := range m.of(k.Hash) {
			if !e.primary {
				break
			}
			if e.slot != slot && m.store.reports[e.slot].seen >= r.seen-silent && !slices.Contains(found, e.slot) {
				found = append(found, e.slot)
			}
		}
	}
	return found
}

// shadowed tells whether another report counts instead of the one in slot.
func (m *matches) shadowed(slot uint32) bool { return len(m.primaries(slot)) > 0 }

// only returns the reports that would count if the one in slot were not held, nor those that are leaving.
func (m *matches) only(slot uint32, leaving map[uint32]uint32) []uint32 {
	var found []uint32
	for _, k := range m.store.reports[slot].keys {
		if !k.Primary {
			continue
		}
		for _, e := range m.of(k.Hash) {
			if _, left := leaving[e.slot]; left || e.primary {
				continue
			}
			others := slices.DeleteFunc(m.primaries(e.slot), func(p uint32) bool { _, left := leaving[p]; return left })
			if len(others) == 0 {
				found = append(found, e.slot)
			}
		}
	}
	return found
}
