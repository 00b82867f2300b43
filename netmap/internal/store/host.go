package store

import (
	"math"
	"time"

	"github.com/netconn/netconn/netmap/internal/edge"
)

// A host is where reports come from. Times are Unix seconds, but for last.
type host struct {
	name, id, node string
	first          int64
	received       int64 // when something was received last, by our clock
	last           int64 // time of its newest point, nanoseconds, by its clock
	interval       int64 // between its two newest times, nanoseconds
	points         uint64
}

// hostOf returns the host that an end is on. Beyond a limit they are one, without a name.
func (s *Store) hostOf(e *edge.End, now int64) *host {
	key := hostID(e).String()
	if h := s.hosts[key]; h != nil {
		return h
	}
	if len(s.hosts) >= maxHosts {
		key = ""
	}
	h := s.hosts[key]
	if h == nil {
		h = &host{first: now, received: now}
		if key != "" {
			h.name, h.id, h.node = e.Get(edge.Host), e.Get(edge.HostID), e.Get(edge.Node)
		}
		s.hosts[key] = h
	}
	return h
}

func (h *host) report(at, now int64) {
	h.points++
	h.received = now
	if at > h.last {
		if h.last != 0 {
			h.interval = at - h.last
		}
		h.last = at
	}
}

// stale tells whether a host has been silent for three of its intervals.
func (h *host) stale(now int64) bool {
	interval := max(h.interval, int64(FineStep*time.Second)) / int64(time.Second)
	return now-h.received > 3*interval
}

// Status is the store's own state. Times are Unix seconds, durations seconds.
type Status struct {
	Opened     float64
	Learning   float64 // until when the edges of the first hosts are not new
	Generation uint64
	Hosts      []Host
	Edges      int
	MaxEdges   int
	Ends       int
	Streams    int
	MaxStreams int
	Bytes      int // of buckets, streams, reports, resources and ends; what the runtime adds is not in it
	Folded     uint64
	Expired    uint64
	Late       uint64
	Disorder   uint64
	Homeless   uint64 // points of streams that there was no room for
	Values     uint64
	Points     uint64
	Ahead      uint64
	Resets     uint64
}

// Host is one that reports.
type Host struct {
	Name, ID, Node string
	Last           float64
	Age            float64
	Interval       float64
	Stale          bool
	Points         uint64
	Edges          int
}

// Status returns the state of now.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now()
	s.tidy(now.Unix())
	st := Status{
		Opened: float64(s.opened) / 1e9, Learning: float64(s.opened)/1e9 + s.config.Learning.Seconds(), Generation: s.generation,
		Edges: len(s.index), MaxEdges: s.config.MaxEdges, Ends: len(s.ends),
		Streams: len(s.streams), MaxStreams: 2 * s.config.MaxEdges, Bytes: s.bytes(),
		Folded: s.counts.folded, Expired: s.counts.expired, Late: s.counts.late, Disorder: s.counts.disorder,
		Homeless: s.counts.streams, Values: s.counts.values, Points: s.counts.points, Ahead: s.counts.ahead, Resets: s.counts.resets,
	}
	edges := make(map[*host]int)
	for i := range s.reports {
		if s.reports[i].local != nil {
			edges[s.reports[i].host]++
		}
	}
	for _, h := range s.hosts {
		st.Hosts = append(st.Hosts, Host{
			Name: h.name, ID: h.id, Node: h.node,
			Last: float64(h.last) / 1e9, Age: float64(now.Unix() - h.received),
			Interval: math.Round(float64(h.interval)/1e7) / 100, Stale: h.stale(now.Unix()),
			Points: h.points, Edges: edges[h],
		})
	}
	return st
}

// Sizes of what is held in bytes, measured with the maps and slices that lead to it.
const (
	streamBytes   = 490
	reportBytes   = 480
	endBytes      = 260
	resourceBytes = 280
)

// bytes estimates the memory in use.
func (s *Store) bytes() int {
	n := len(s.streams)*streamBytes + len(s.reports)*reportBytes + len(s.ends)*endBytes +
		len(s.resources)*resourceBytes
	for _, r := range [...]*ring{s.fine, s.coarse} {
		for i := range r.buckets {
			n += r.buckets[i].bytes()
		}
	}
	return n
}
