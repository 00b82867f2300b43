package signals

import (
	"cmp"
	"context"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// Loads answers the load of each set of ends, nil where nothing is known. A container that several ends of a set share
// counts once. sole is as in Read; the error is that of the context.
func (s *Store) Loads(ctx context.Context, sets [][]*edge.End, r snap.Range, sole bool) ([]*snap.Load, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := make(map[*edge.End][]*source)
	all := make([]*snap.Load, len(sets))
	for i, ends := range sets {
		counted := make(map[*source]bool)
		for _, e := range ends {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if _, ok := known[e]; !ok {
				known[e] = nil
				s.sourcesOf(e, sole, func(src *source, _ string) { known[e] = append(known[e], src) })
			}
			for _, src := range known[e] {
				if !counted[src] {
					counted[src] = true
					all[i] = add(all[i], src, r)
				}
			}
		}
	}
	return all, nil
}

// add adds what a source uses to a load. l may be nil, and stays nil if the source reports nothing.
func add(l *snap.Load, src *source, r snap.Range) *snap.Load {
	cpu, memory := src.latest(r)
	if cpu == nil && memory == nil {
		return l
	}
	if l == nil {
		l = &snap.Load{}
	}
	l.Resources++
	l.CPU, l.CPUShare = plus(l.CPU, cpu), nearest(l.CPUShare, cpu, src.limits.cpu.limit)
	l.Memory, l.MemoryShare = plus(l.Memory, memory), nearest(l.MemoryShare, memory, src.limits.memory.limit)
	return l
}

// latest returns the last samples of a source in a range.
func (s *source) latest(r snap.Range) (cpu, memory *float64) {
	of := s.bucketsOf(r)
	for at := r.To - r.Step; at >= r.From && (cpu == nil || memory == nil); at -= r.Step {
		k := of[at]
		if k == nil {
			continue
		}
		if cpu == nil && k.cpuSamples > 0 {
			cpu = new(k.cpu / float64(k.cpuSamples))
		}
		if memory == nil && k.memoryReported {
			memory = new(k.memory)
		}
	}
	return cpu, memory
}

// bucketsOf returns the buckets of the steps of a range.
func (s *source) bucketsOf(r snap.Range) map[int64]*bucket {
	if r.Step == fineStep {
		return s.fine
	}
	return s.coarse
}

func plus(sum, v *float64) *float64 {
	if sum == nil || v == nil {
		return cmp.Or(sum, v)
	}
	return new(*sum + *v)
}

// nearest returns the higher one of a share and of what a use is of its limit, which is 0 if it is not known.
func nearest(share, used *float64, limit float64) *float64 {
	if used == nil || limit <= 0 || share != nil && *share >= *used/limit {
		return share
	}
	return new(*used / limit)
}
