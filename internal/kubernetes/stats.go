package kubernetes

import (
	"sync/atomic"

	"github.com/netconn/netconn/internal/conn"
)

// counters count since the start. They are atomic where a look-up counts, as look-ups share a lock for reading.
type counters struct {
	podsRefused            uint64
	answers                [conn.Final + 1]atomic.Uint64
	ambiguous              atomic.Uint64
	fetches, fetchFailures atomic.Uint64
}

// StoreStats are the numbers of objects that are known, and counts since the start.
type StoreStats struct {
	Pods, Ended, Services, Nodes, Slices int
	PodsRefused                          uint64                 // reports of pods beyond MaxPods
	Answers                              [conn.Final + 1]uint64 // by how certain they were
	Ambiguous                            uint64                 // moments at which two pods may have had the address
	Fetches, FetchFailures               uint64                 // requests for single objects, with ScopeNode
}

// Stats returns the numbers of objects that are known, and the counters.
func (s *store) Stats() StoreStats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	stats := StoreStats{
		Pods: len(s.pods.objects), Ended: len(s.pods.ended),
		Services: len(s.services.objects), Nodes: len(s.nodes.objects), Slices: len(s.slices.objects),
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

// count counts an answer, and returns it.
func (s *store) count(p conn.Peer, a conn.Answer) (conn.Peer, conn.Answer) {
	s.stats.answers[a].Add(1)
	return p, a
}
