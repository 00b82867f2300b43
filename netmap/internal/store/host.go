package store

import (
	"math"
	"time"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// A host is where reports come from. Times are Unix seconds, except last.
type host struct {
	name, id, node string
	first          int64
	seen           int64 // when something was last received, by our clock
	last           int64 // time of its newest point, Unix nanoseconds, by its clock
	interval       int64 // between its two newest times, nanoseconds
	points         uint64
}

// hostOf returns the host of an end. Hosts beyond a limit are one, without a name.
func (s *Store) hostOf(e *edge.End, now int64) *host {
	key := e.HostKey().String()
	if h := s.hosts[key]; h != nil {
		return h
	}
	if len(s.hosts) >= maxHosts {
		key = ""
	}
	h := s.hosts[key]
	if h == nil {
		h = &host{first: now, seen: now}
		if key != "" {
			h.name, h.id, h.node = e.Get(names.TagHost), e.Get(names.TagHostID), e.Get(names.TagNode)
		}
		s.hosts[key] = h
	}
	return h
}

// received notes a point of a time.
func (h *host) received(at, now int64) {
	h.points++
	h.seen = now
	if at > h.last {
		if h.last != 0 {
			h.interval = at - h.last
		}
		h.last = at
	}
}

// stale reports whether a host was silent for three of its intervals.
func (h *host) stale(now int64) bool {
	interval := max(h.interval, int64(fineStep*time.Second)) / int64(time.Second)
	return now-h.seen > 3*interval
}

// Status returns the present state.
func (s *Store) Status() snap.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now().Unix()
	s.sweep(now)
	opened := float64(s.opened) / 1e9
	return snap.Status{
		Opened: opened, Learning: opened + s.config.Learning.Seconds(), Hosts: s.hostStatus(now),
		Held: snap.Held{
			Edges: len(s.slots), MaxEdges: s.config.MaxEdges, Ends: len(s.ends),
			Streams: len(s.streams), MaxStreams: 2 * s.config.MaxEdges, Bytes: s.bytes(), MaxBytes: s.config.MaxBytes,
			Folded: s.counts.folded, Expired: s.counts.expired,
		},
		Dropped: s.counts.dropped, Ahead: s.counts.ahead, Resets: s.counts.resets,
	}
}

func (s *Store) hostStatus(now int64) []snap.Host {
	edges := make(map[*host]int)
	for i := range s.reports {
		if s.reports[i].Local != nil {
			edges[s.states[i].host]++
		}
	}
	var all []snap.Host
	for _, h := range s.hosts {
		all = append(all, snap.Host{
			Name: h.name, ID: h.id, Node: h.node,
			Last: float64(h.last) / 1e9, Age: float64(now - h.seen),
			Interval: math.Round(float64(h.interval)/1e7) / 100, Stale: h.stale(now),
			Points: h.points, Edges: edges[h],
		})
	}
	return all
}
