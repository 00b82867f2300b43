package store

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/netconn/netconn/netmap/internal/edge"
)

const (
	// FineStep and CoarseStep are the lengths of the buckets, in seconds.
	FineStep, CoarseStep = 10, 60
	// FineSpan and CoarseSpan are how far back they reach, in seconds.
	FineSpan, CoarseSpan = 30 * FineStep, 60 * CoarseStep

	outOfSight   = 300        // a stream that was silent for longer makes room for a new one, seconds
	forget       = CoarseSpan // what nobody has sent for so long is forgotten, seconds
	settled      = 60         // what has changed within so many seconds does not leave for a newcomer
	activeMemory = 120        // how long a number of open connections holds without a new report, seconds
	tidyEvery    = 10         // seconds
	maxHosts     = 10_000
	maxKinds     = 64
)

// The slots that stand for reports beyond the limit, by role, and the one for those that do not count.
const (
	otherUnknown = uint32(edge.Unknown)
	otherClient  = uint32(edge.Client)
	otherServer  = uint32(edge.Server)
	uncounted    = otherServer + 1
	reserved     = uncounted + 1
)

// Config are the limits of a store.
type Config struct {
	MaxEdges int           // reports that are held
	Learning time.Duration // how long after a host's first report its edges are not new
	Now      func() time.Time
}

// Store holds the last hour. Safe for concurrent use.
type Store struct {
	config Config
	opened int64 // Unix nanoseconds
	seed   maphash.Seed

	mu           sync.Mutex
	fine, coarse *ring
	bounds       bounds
	kinds        []Kind
	ends         map[uint64]*edge.End
	reports      []report // by slot; those without an end are free, or stand for others
	index        map[reportKey]uint32
	free         []uint32
	streams      map[uint64]*stream
	resources    map[uint64]*resource
	hosts        map[string]*host
	counts       counts
	generation   uint64 // rises with each change
	topology     uint64 // rises with each report that comes or goes
	tidied       int64  // Unix seconds
	fullUntil    int64  // nothing can leave before, Unix seconds
	busyUntil    int64  // no stream will have been silent before, Unix seconds
	baseline     int64  // what began before may have been counted by a stream that is forgotten, Unix nanoseconds
	matched      matches
	known        registry
	snapshots    map[Range]*Snapshot // of the present generation
}

// A report is what one end says of an edge. Times are Unix seconds.
type report struct {
	local, peer *edge.End
	link        edge.Link
	keys        []edge.Key
	host        *host
	first       int64
	changed     int64
	seen        int64
	open        uint64 // connections, of all its streams
}

type reportKey struct {
	local, peer *edge.End
	link        edge.Link
}

// A Kind is a way in which attempts or connections end other than well. Error is error.type; empty for those that ended well.
type Kind struct {
	Closed bool // of closed connections; else of attempts
	Error  string
}

// counts are what became of points.
type counts struct {
	late, disorder, streams, values, points uint64
	ahead, resets, folded, expired          uint64
}

// New returns an empty store.
func New(c Config) *Store {
	if c.Now == nil {
		c.Now = time.Now
	}
	opened := c.Now().UnixNano()
	return &Store{
		config:    c,
		opened:    opened,
		baseline:  opened,
		seed:      maphash.MakeSeed(),
		fine:      newRing(FineStep, FineSpan/FineStep),
		coarse:    newRing(CoarseStep, CoarseSpan/CoarseStep),
		kinds:     []Kind{{}, {Closed: true}},
		ends:      make(map[uint64]*edge.End),
		reports:   make([]report, reserved),
		index:     make(map[reportKey]uint32),
		streams:   make(map[uint64]*stream),
		resources: make(map[uint64]*resource),
		hosts:     make(map[string]*host),
		snapshots: make(map[Range]*Snapshot),
	}
}

// intern returns the one copy of an end.
func (s *Store) intern(e edge.End) *edge.End {
	for h := maphash.Comparable(s.seed, e); ; h++ {
		switch held := s.ends[h]; {
		case held == nil:
			held = &e
			s.ends[h] = held
			return held
		case *held == e:
			return held
		}
	}
}

// keep puts an end back.
func (s *Store) keep(e *edge.End) {
	h := maphash.Comparable(s.seed, *e)
	for s.ends[h] != nil {
		h++
	}
	s.ends[h] = e
}

// kind returns the index of a kind. Beyond a limit, error types are one.
func (s *Store) kind(k Kind) uint8 {
	for i, known := range s.kinds {
		if known == k {
			return uint8(i)
		}
	}
	if len(s.kinds) >= maxKinds && k.Error != otherError {
		return s.kind(Kind{k.Closed, otherError})
	}
	s.kinds = append(s.kinds, k)
	return uint8(len(s.kinds) - 1)
}

// otherError is the value of error.type for what has none of its own, by the semantic conventions.
const otherError = "_OTHER"
