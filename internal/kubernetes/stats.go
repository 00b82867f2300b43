package kubernetes

import (
	"sync/atomic"

	"github.com/netconn/netconn/internal/conn"
)

// counters count since the start. Look-ups only read the store, hence the atomic ones.
type counters struct {
	podsRefused            uint64
	answers                [Final + 1]atomic.Uint64
	ambiguous              atomic.Uint64
	fetches, fetchFailures atomic.Uint64
}

// StoreStats is how much is known, and what was answered since the start.
type StoreStats struct {
	Pods, Ended, Services, Nodes, Slices int
	PodsRefused                          uint64 // reports of pods beyond MaxPods
	Answers                              [Final + 1]uint64
	Ambiguous                            uint64 // look-ups of a moment at which an address may have been one of two pods'
	Fetches, FetchFailures               uint64 // requests for single objects, with ScopeNode
}

// Stats tells how much is known.
func (s *Store) Stats() StoreStats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	stats := StoreStats{
		Pods: len(s.pods), Ended: len(s.ended), Services: len(s.services), Nodes: len(s.nodes), Slices: len(s.slices),
		PodsRefused:   s.stats.podsRefused,
		Ambiguous:     s.stats.ambiguous.Load(),
		Fetches:       s.stats.fetches.Load(),
		FetchFailures: s.stats.fetchFailures.Load(),
	}
	for a := range stats.Answers {
		stats.Answers[a] = s.stats.answers[a].Load()
	}
	return stats
}

// answered counts an answer, and returns it.
func (s *Store) answered(p conn.Peer, a Answer) (conn.Peer, Answer) {
	s.stats.answers[a].Add(1)
	return p, a
}
