package signals

import (
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Config is the configuration of a Store.
type Config struct {
	MaxBytes int              // of memory; at least 1 MiB
	Now      func() time.Time // nil: time.Now
}

// The lengths of steps and how far back they reach, in seconds, as in netmap/internal/store.
const (
	fineStep, fineSpan     = 10, 300
	coarseStep, coarseSpan = 60, 3600

	leastShare = 16 << 10 // bytes for each source
	sourceIdle = 60       // seconds of silence after which a source may be evicted
)

// Store keeps signals. See the package comment.
type Store struct {
	config     Config
	maxSources int

	mu         sync.Mutex
	sources    map[identity]*source
	index      map[joint]map[*source]struct{}
	bytes      int
	serial     uint64
	generation uint64
	opened     int64 // Unix nanoseconds
	swept      int64 // Unix seconds
	full       int64 // until when no source can be evicted
	counts     Counts
}

// Counts are what was received, and what was lost of it.
type Counts struct {
	Points, Spans, Logs, Events uint64

	Late         uint64 // older than an hour
	Unidentified uint64 // of a resource without an identity
	Sources      uint64 // of a source for which there was no room
	Evicted      uint64 // details and figures that left before the hour for want of memory
}

// Status is the state of a Store.
type Status struct {
	Counts
	Held, MaxHeld   int // sources
	Bytes, MaxBytes int
}

// New returns a Store.
func New(c Config) *Store {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.MaxBytes = max(c.MaxBytes, 1<<20)
	return &Store{
		config: c, maxSources: c.MaxBytes / leastShare, opened: c.Now().UnixNano(),
		sources: make(map[identity]*source), index: make(map[joint]map[*source]struct{}),
	}
}

// Generation changes with every change of what answers show.
func (s *Store) Generation() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.generation
}

// Status returns the present state.
func (s *Store) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{
		Counts: s.counts, Held: len(s.sources), MaxHeld: s.maxSources, Bytes: s.bytes, MaxBytes: s.config.MaxBytes,
	}
}

// A batch is one call that takes signals in.
type batch struct {
	*Store
	now    int64 // Unix seconds
	source *source
	absent bool // the resource has no identity
}

// begin locks the store for one call.
func (s *Store) begin() *batch {
	s.mu.Lock()
	now := s.config.Now().Unix()
	s.sweep(now)
	return &batch{Store: s, now: now}
}

func (b *batch) end() { b.mu.Unlock() }

// enter finds the source of the signals that follow. It returns nil if they cannot be kept.
func (b *batch) enter(resource pcommon.Map) *source {
	id := identityOf(resource)
	key := id.key()
	b.absent = key == identity{}
	if b.absent {
		return nil
	}
	src := b.sources[key]
	if src == nil {
		if src = b.newSource(key); src == nil {
			return nil
		}
	}
	src.seen = b.now
	b.describe(src, id, resource)
	return src
}

// lost counts n signals of a resource that enter did not return.
func (b *batch) lost(n int) {
	if b.absent {
		b.counts.Unidentified += uint64(n)
		return
	}
	b.counts.Sources += uint64(n)
}

func (b *batch) newSource(key identity) *source {
	if len(b.sources) >= b.maxSources && !b.evictIdle() {
		return nil
	}
	b.serial++
	src := &source{
		id: key, serial: b.serial, first: b.now,
		fine: make(map[int64]*bucket), coarse: make(map[int64]*bucket), minutes: make(map[int64]*minute),
	}
	b.sources[key] = src
	b.join(src, key)
	b.grow(src, sourceBytes+2*key.bytes())
	return src
}

// describe notes what a resource says beyond what identifies it.
func (b *batch) describe(src *source, id identity, resource pcommon.Map) {
	before := src.id
	src.id.merge(id)
	if src.id != before {
		b.leave(src, before)
		b.join(src, src.id)
		b.grow(src, 2*(src.id.bytes()-before.bytes()))
	}
	if v, ok := resource.Get("k8s.pod.name"); ok && src.podName == "" {
		src.podName = cut(v.AsString(), maxName)
		b.grow(src, len(src.podName))
	}
	if src.image == "" {
		src.image = imageTag(resource)
		b.grow(src, len(src.image))
	}
}

func imageTag(resource pcommon.Map) string {
	if v, ok := resource.Get("container.image.tag"); ok {
		return cut(v.AsString(), maxName)
	}
	v, ok := resource.Get("container.image.tags")
	switch {
	case !ok:
		return ""
	case v.Type() != pcommon.ValueTypeSlice:
		return cut(v.AsString(), maxName)
	case v.Slice().Len() > 0:
		return cut(v.Slice().At(0).AsString(), maxName)
	}
	return ""
}

func (s *Store) join(src *source, id identity) {
	for _, j := range id.joints() {
		if s.index[j] == nil {
			s.index[j] = make(map[*source]struct{})
		}
		s.index[j][src] = struct{}{}
	}
}

func (s *Store) leave(src *source, id identity) {
	for _, j := range id.joints() {
		delete(s.index[j], src)
		if len(s.index[j]) == 0 {
			delete(s.index, j)
		}
	}
}

// forget removes a source.
func (s *Store) forget(key identity, src *source) {
	delete(s.sources, key)
	s.leave(src, src.id)
	s.bytes -= src.bytes
	src.bytes = 0
}

// at returns the time of a signal in Unix nanoseconds, and reports whether it is within the hour. A time in the future
// is now; so is none.
func (b *batch) at(t pcommon.Timestamp) (int64, bool) {
	at := int64(t)
	if at <= 0 || at > (b.now+coarseStep)*int64(time.Second) {
		at = b.now * int64(time.Second)
	}
	if at/int64(time.Second) <= b.now-coarseSpan {
		b.counts.Late++
		return 0, false
	}
	return at, true
}

// each calls f with the buckets of a time.
func (b *batch) each(src *source, at int64, f func(*bucket)) {
	seconds := at / int64(time.Second)
	if seconds > b.now-fineSpan {
		f(b.bucket(src, src.fine, seconds-seconds%fineStep))
	}
	f(b.bucket(src, src.coarse, seconds-seconds%coarseStep))
}

func (b *batch) bucket(src *source, of map[int64]*bucket, begin int64) *bucket {
	k := of[begin]
	if k == nil {
		k = &bucket{}
		of[begin] = k
		b.grow(src, bucketBytes)
	}
	return k
}

// minute returns the details of a time.
func (b *batch) minute(src *source, at int64) *minute {
	seconds := at / int64(time.Second)
	begin := seconds - seconds%coarseStep
	m := src.minutes[begin]
	if m == nil {
		m = &minute{}
		src.minutes[begin] = m
		b.grow(src, minuteBytes)
	}
	return m
}
