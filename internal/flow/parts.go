package flow

import "github.com/netconn/netconn/internal/conn"

// Parts is a set of parts of a flow: those that have series of their own, because they are absent until something
// happens.
type Parts uint32

// The parts, beside one for each error of each outcome and one for each measure.
const (
	Counters Parts = 1 << iota // Counts, which are there from the beginning
	Drops                      // ListenDrops
	otherParts
)

// Errored returns the part of an outcome with an error.
func Errored(o Outcome, e conn.Error) Parts {
	return otherParts << (uint(o)*uint(conn.Errors) + uint(e))
}

// Sampled returns the part of a measure.
func Sampled(m Measure) Parts {
	return otherParts << (uint(Outcomes)*uint(conn.Errors) + uint(m))
}

// Parts returns the parts that have a value.
func (f *Flow) Parts() Parts {
	p := Counters
	if f.ListenDrops > 0 {
		p |= Drops
	}
	for o := range f.Outcomes {
		for e, n := range f.Outcomes[o] {
			if n > 0 {
				p |= Errored(Outcome(o), conn.Error(e))
			}
		}
	}
	for m := range f.Histograms {
		if f.Histograms[m].Count > 0 {
			p |= Sampled(Measure(m))
		}
	}
	return p
}
