package signals

import (
	"time"

	"github.com/netconn/netconn/internal/names"
)

// clockSlack is how much the kernel's time of an event and the application's time of a span may differ.
const clockSlack = int64(50 * time.Millisecond)

// near calls f with each source that is of the same container or pod, itself included, some of them twice.
func (s *Store) near(src *source, f func(*source)) {
	f(src)
	for _, j := range [...]joint{{byContainer, src.id.container}, {byPod, src.id.pod}} {
		for other := range s.index[j] {
			f(other)
		}
	}
}

// carries reports whether a span of a server is of the connection of an event.
func (e *event) carries(s *span) bool {
	if e.peer != s.peer || !s.peer.IsValid() || s.at > e.at+clockSlack {
		return false
	}
	if e.duration <= 0 {
		return s.at-s.duration > e.at-coarseStep*int64(time.Second)
	}
	return s.at-s.duration >= e.began()-clockSlack
}

// began returns when the connection of an event opened, in Unix nanoseconds.
func (e *event) began() int64 { return e.at - int64(e.duration*1e9) }

// sameConnection reports whether two events of one pair of addresses are of one connection, which has one beginning.
func (e *event) sameConnection(other *event) bool {
	if e.local != other.local || (e.duration > 0) != (other.duration > 0) {
		return false
	}
	apart := e.began() - other.began()
	return e.duration <= 0 || apart < clockSlack && -apart < clockSlack
}

// assign gives a span its connection. With a second connection that fits, it has none.
func (s *span) assign(e *event) {
	switch {
	case s.ambiguous:
	case s.connection != nil && !s.connection.sameConnection(e):
		s.connection, s.ambiguous = nil, true
	case s.connection == nil || s.connection.at <= e.at:
		s.connection = e
	}
}

// findConnection looks for the event of a span that arrives after it. The span is in no list yet.
func (s *Store) findConnection(src *source, of *span) {
	if !of.peer.IsValid() {
		return
	}
	s.near(src, func(other *source) {
		for _, m := range other.minutes {
			m.events(func(e *event) {
				if e.role == names.RoleServer && e.carries(of) {
					of.assign(e)
				}
			})
		}
	})
}

// findSpans looks for the spans of an event that arrives after them.
func (s *Store) findSpans(src *source, e *event) {
	if !e.peer.IsValid() {
		return
	}
	s.near(src, func(other *source) {
		for begin, m := range other.minutes {
			if begin > e.at/int64(time.Second)+coarseStep || (begin+coarseStep)*int64(time.Second) < e.began() {
				continue
			}
			before := m.bytes()
			m.spans(served, func(of *span) {
				if e.carries(of) {
					of.assign(e)
				}
			})
			s.grow(other, m.bytes()-before)
		}
	})
}
