package signals

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/netconn/netconn/netmap/internal/edge"
)

// A match is how a source was found.
type match struct {
	by  string
	end *edge.End
}

// find collects the sources of all ends, until the context ends.
func (q *query) find(ctx context.Context, sole bool) []*source {
	for e := range q.ends {
		if ctx.Err() != nil {
			return nil
		}
		q.store.sourcesOf(e, sole, func(src *source, by string) { q.note(src, match{by, e}) })
	}
	all := slices.Collect(maps.Keys(q.found))
	slices.SortFunc(all, func(a, b *source) int { return cmp.Compare(a.serial, b.serial) })
	return all
}

// sourcesOf calls f with each source of an end and how it was found, which may be in several ways.
func (s *Store) sourcesOf(e *edge.End, sole bool, f func(src *source, by string)) {
	joints := endJoints(e)
	for i := 0; i < len(joints); i++ {
		j := joints[i]
		for src := range s.index[j] {
			if !src.id.fits(e, j.by, sole) {
				continue
			}
			f(src, j.by)
			if pod := (joint{byPod, src.id.pod}); j.by == byContainer && pod.value != "" {
				joints = append(joints, pod) // a peer is reported without its pod's ID
			}
		}
	}
}

// note keeps the most exact match of a source.
func (q *query) note(src *source, m match) {
	if before, ok := q.found[src]; !ok || exactness[m.by] < exactness[before.by] {
		q.found[src] = m
	}
}

var exactness = map[string]int{byContainer: 0, byPod: 1, byService: 2, byProcess: 3}
