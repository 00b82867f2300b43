package store

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/match"
	"github.com/netconn/netconn/netmap/internal/series"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// The lengths of the buckets, and how far back they reach, in seconds.
const (
	fineStep, coarseStep = 10, 60
	fineSpan, coarseSpan = 30 * fineStep, 60 * coarseStep
)

// Times in seconds.
const (
	retention    = coarseSpan // what was not received for so long expires
	reportIdle   = 60         // a report that has not changed for so long may be evicted
	streamIdle   = 300        // a stream that was silent for so long may be evicted
	activeHold   = 120        // how long a number of open connections holds without a new point
	sweepEvery   = 10
	peersRefresh = 60 // how old the knowledge of ends that report may be
)

const (
	maxHosts     = 10_000
	maxKinds     = 64
	maxSnapshots = 8 // that are kept for other requests
)

// The first slots are not of a report: one for each role counts the figures of reports that are not held, and one takes
// the figures that count elsewhere.
const (
	discarded = uint32(edge.Server) + 1
	reserved  = discarded + 1
)

// overflow returns the slot that counts the figures of reports that are not held.
func overflow(r edge.Role) uint32 { return uint32(r) }

// Config are the limits of a store.
type Config struct {
	MaxEdges int           // reports that are held
	MaxBytes int           // of memory for what is held; 0: not limited
	Learning time.Duration // how long after a host's first report its edges are not new
	Now      func() time.Time
}

// Store holds the last hour. Safe for concurrent use.
type Store struct {
	config Config
	opened int64        // Unix nanoseconds
	seed   maphash.Seed // of ends
	hash   series.Hash

	mu           sync.Mutex
	fine, coarse *ring
	bounds       bounds
	kinds        []snap.Kind
	ends         map[uint64]*edge.End
	reports      []match.Report // by slot; those without an end are free or reserved
	states       []reportState  // by slot
	slots        map[reportKey]uint32
	free         []uint32
	streams      map[uint64]*stream
	resources    map[uint64]*resource
	hosts        map[string]*host
	memory       memory
	counts       counts
	generation   uint64 // rises with each change
	topology     uint64 // rises with each report that comes or goes

	swept       int64 // when expired entries were last removed, Unix seconds
	reportsFull int64 // no report can be evicted before, Unix seconds
	streamsFull int64 // no stream can be evicted before, Unix seconds
	// a series that began before may have been counted by an evicted stream, Unix nanoseconds
	baselineBefore       int64
	matched              *match.Index
	peers                *match.Peers
	matchedFor, peersFor uint64                        // the topology that they are of
	peersAt              int64                         // Unix seconds
	snapshots            map[snap.Range]*snap.Snapshot // of the present generation
}

// A reportState is what the store knows about a report besides what matching needs.
type reportState struct {
	host  *host
	open  uint64 // connections, of all its streams
	since uint64 // the topology in which it got its slot
}

type reportKey struct {
	local, peer *edge.End
	link        edge.Link
}

// counts are the points with an anomaly, and the reports that went.
type counts struct {
	dropped                        snap.Dropped
	ahead, resets, folded, expired uint64
}

// New returns an empty store.
func New(c Config) *Store {
	if c.Now == nil {
		c.Now = time.Now
	}
	opened := c.Now().UnixNano()
	return &Store{
		config:         c,
		opened:         opened,
		baselineBefore: opened,
		seed:           maphash.MakeSeed(),
		hash:           series.NewHash(),
		fine:           newRing(fineStep, fineSpan/fineStep),
		coarse:         newRing(coarseStep, coarseSpan/coarseStep),
		kinds:          []snap.Kind{{Of: snap.Attempts}, {Of: snap.Closed}},
		ends:           make(map[uint64]*edge.End),
		reports:        make([]match.Report, reserved),
		states:         make([]reportState, reserved),
		slots:          make(map[reportKey]uint32),
		streams:        make(map[uint64]*stream),
		resources:      make(map[uint64]*resource),
		hosts:          make(map[string]*host),
		snapshots:      make(map[snap.Range]*snap.Snapshot),
		memory:         memory{texts: make(map[edge.Value]struct{})},
	}
}

// intern returns the one copy of an end.
func (s *Store) intern(e edge.End) *edge.End {
	held, h := s.interned(&e)
	if held == nil {
		held = &e
		s.ends[h] = held
		s.memory.addEnd(held)
	}
	return held
}

// interned returns the copy of an end that is held, or nil and the key at which to hold it.
func (s *Store) interned(e *edge.End) (held *edge.End, key uint64) {
	for h := maphash.Comparable(s.seed, *e); ; h++ {
		if held := s.ends[h]; held == nil || *held == *e {
			return held, h
		}
	}
}

// kind returns the index of a kind. Beyond a limit, all error types are one kind.
func (s *Store) kind(k snap.Kind) uint8 {
	for i, known := range s.kinds {
		if known == k {
			return uint8(i)
		}
	}
	if len(s.kinds) >= maxKinds && k.Error != names.OtherError {
		return s.kind(snap.Kind{Of: k.Of, Error: names.OtherError})
	}
	s.kinds = append(s.kinds, k)
	return uint8(len(s.kinds) - 1)
}

// index returns the index of the present reports.
func (s *Store) index() *match.Index {
	if s.matched == nil || s.matchedFor != s.topology {
		s.matched, s.matchedFor = match.NewIndex(s.reports, s.matched), s.topology
	}
	return s.matched
}

// present returns the ends that report.
func (s *Store) present(now int64) *match.Peers {
	if s.peers == nil || s.peersFor != s.topology || now >= s.peersAt+peersRefresh {
		s.peers, s.peersFor, s.peersAt = match.NewPeers(s.reports, now, s.intern), s.topology, now
	}
	return s.peers
}
