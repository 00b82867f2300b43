package signals

import (
	"cmp"
	"maps"
	"slices"
)

// grow counts bytes that a source has grown by. Who adds much calls settle after it.
func (s *Store) grow(src *source, bytes int) {
	src.bytes += bytes
	s.bytes += bytes
}

// settle makes room after a resource was taken in. Each source keeps nine tenths of an equal share, so that the next
// call does not have to look at all sources again.
func (s *Store) settle() {
	if s.bytes <= s.config.MaxBytes {
		return
	}
	share := s.config.MaxBytes / len(s.sources) / 10 * 9
	for _, src := range s.sources {
		s.trim(src, share)
	}
}

// trim removes the oldest details of a source, then its oldest figures, until it takes no more than some bytes.
func (s *Store) trim(src *source, bytes int) {
	for _, begin := range oldestOf(src.minutes) {
		if src.bytes <= bytes {
			return
		}
		s.counts.Evicted += uint64(src.minutes[begin].len())
		s.dropMinute(src, begin)
	}
	for _, of := range [...]map[int64]*bucket{src.coarse, src.fine} {
		for _, begin := range oldestOf(of) {
			if src.bytes <= bytes {
				return
			}
			s.counts.Evicted++
			s.dropBucket(src, of, begin)
		}
	}
}

func oldestOf[T any](m map[int64]T) []int64 { return slices.Sorted(maps.Keys(m)) }

func (s *Store) dropMinute(src *source, begin int64) {
	s.grow(src, -src.minutes[begin].bytes()-minuteBytes)
	delete(src.minutes, begin)
}

func (s *Store) dropBucket(src *source, of map[int64]*bucket, begin int64) {
	s.grow(src, -bucketBytes-of[begin].bytes())
	delete(of, begin)
}

// bytes returns the memory of a bucket beyond bucketBytes.
func (k *bucket) bytes() int {
	n := 0
	for _, c := range [...]*calls{k.served, k.made} {
		if c != nil {
			n += callsBytes
		}
	}
	if k.logs != nil {
		n += size[[severities]uint32]()
	}
	return n
}

// evictIdle makes room for a source by forgetting those that were silent for a minute, the oldest first and several at
// a time. It reports whether there is room now.
func (s *Store) evictIdle() bool {
	now := s.config.Now().Unix()
	if now < s.full {
		return false
	}
	var idle []identity
	for key, src := range s.sources {
		if src.seen < now-sourceIdle {
			idle = append(idle, key)
		}
	}
	if len(idle) == 0 {
		s.full = now + fineStep
		return false
	}
	slices.SortFunc(idle, func(a, b identity) int {
		x, y := s.sources[a], s.sources[b]
		return cmp.Or(cmp.Compare(x.seen, y.seen), cmp.Compare(x.serial, y.serial))
	})
	for _, key := range idle[:min(len(idle), 1+s.maxSources/16)] {
		s.counts.Evicted++
		s.forget(key, s.sources[key])
	}
	return true
}

// sweep forgets, once a minute, what is older than an hour.
func (s *Store) sweep(now int64) {
	if now < s.swept+coarseStep {
		return
	}
	s.swept = now
	for key, src := range s.sources {
		if src.seen <= now-coarseSpan {
			s.forget(key, src)
			continue
		}
		for begin := range src.minutes {
			if begin <= now-coarseSpan-coarseStep {
				s.dropMinute(src, begin)
			}
		}
		s.expire(src, src.coarse, now-coarseSpan-coarseStep)
		s.expire(src, src.fine, now-fineSpan-2*fineStep)
	}
}

func (s *Store) expire(src *source, of map[int64]*bucket, before int64) {
	for begin := range of {
		if begin <= before {
			s.dropBucket(src, of, begin)
		}
	}
}
