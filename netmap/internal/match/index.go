package match

import (
	"cmp"
	"slices"

	"github.com/netconn/netconn/netmap/internal/edge"
)

// A Report is what one end says about an edge.
type Report struct {
	Local, Peer          *edge.End
	Link                 edge.Link
	Keys                 []edge.Key
	First, Changed, Seen int64 // when it was first seen, when its figures last changed, when it was last received
}

// shadowTimeout is how much longer than the report of the other end the primary report may have been silent, in
// seconds. After that, the report of the other end counts.
const shadowTimeout = 120

// An Index finds the reports of one edge.
type Index struct {
	reports []Report
	entries []entry // by hash, the primary ones first
}

type entry struct {
	hash    uint64
	report  uint32
	primary bool
}

// NewIndex returns an index of reports. It reuses the memory of an index that is no longer used, which may be nil.
func NewIndex(reports []Report, used *Index) *Index {
	x := &Index{reports: reports}
	if used != nil {
		x.entries = used.entries[:0]
	}
	for i := range reports {
		for _, k := range reports[i].Keys {
			x.entries = append(x.entries, entry{k.Hash, uint32(i), k.Primary})
		}
	}
	slices.SortFunc(x.entries, entry.compare)
	return x
}

func (e entry) compare(other entry) int {
	switch {
	case e.hash != other.hash:
		return cmp.Compare(e.hash, other.hash)
	case e.primary != other.primary && e.primary:
		return -1
	case e.primary != other.primary:
		return 1
	}
	return cmp.Compare(e.report, other.report)
}

// of returns the entries of a key.
func (x *Index) of(hash uint64) []entry {
	from, _ := slices.BinarySearchFunc(x.entries, hash, func(e entry, hash uint64) int {
		return cmp.Compare(e.hash, hash)
	})
	to := from
	for to < len(x.entries) && x.entries[to].hash == hash {
		to++
	}
	return x.entries[from:to]
}

// Has reports whether there is a report of the edge with one of the keys.
func (x *Index) Has(keys []edge.Key) bool {
	return slices.ContainsFunc(keys, func(k edge.Key) bool { return len(x.of(k.Hash)) > 0 })
}

// Primaries returns the reports that count instead of report i. There are none if report i counts.
func (x *Index) Primaries(i int) []int {
	var found []int
	for _, k := range x.reports[i].Keys {
		if k.Primary {
			continue
		}
		for _, e := range x.of(k.Hash) {
			if !e.primary {
				break
			}
			if j := int(e.report); j != i && x.inTime(j, i) && !slices.Contains(found, j) {
				found = append(found, j)
			}
		}
	}
	return found
}

// inTime reports whether the primary report came recently enough to count instead of another one.
func (x *Index) inTime(primary, other int) bool {
	return x.reports[primary].Seen >= x.reports[other].Seen-shadowTimeout
}

// Dependents returns the reports that would count if report i were not there, nor those for which leaving holds.
func (x *Index) Dependents(i int, leaving func(int) bool) []int {
	var found []int
	for _, k := range x.reports[i].Keys {
		if !k.Primary {
			continue
		}
		for _, e := range x.of(k.Hash) {
			j := int(e.report)
			if e.primary || leaving(j) || slices.Contains(found, j) {
				continue
			}
			if !slices.ContainsFunc(x.Primaries(j), func(p int) bool { return p != i && !leaving(p) }) {
				found = append(found, j)
			}
		}
	}
	return found
}
