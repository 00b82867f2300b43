package kubernetes

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// A silence is the time in which a kind of objects was not heard of: what the store has may not be so any more.
type silence struct {
	from time.Time
	over time.Time // when the watch went on; what it had to tell of the silence may take lag. Zero: it lasts
}

// lose takes note that a kind of objects is not heard of from now on.
func (s *Store) lose(kind string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	silent, known := s.silences[kind]
	if !known || now.Sub(silent.over) > lag && !silent.over.IsZero() {
		silent.from = now
	}
	silent.over = time.Time{}
	s.silences[kind] = silent
}

// resume takes note that a watch goes on where it was, and will tell of what has changed.
func (s *Store) resume(kind string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if silent, known := s.silences[kind]; known && silent.over.IsZero() {
		silent.over = now
		s.silences[kind] = silent
	}
}

// listed takes note that all objects of a kind are as a list had them.
func (s *Store) listed(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.silences, kind)
}

// asHeard lowers an answer for as long as the watch that would tell of another one is silent. Who has had an address since is not known.
func (s *Store) asHeard(kind string, q Question, p conn.Peer, a Answer) (conn.Peer, Answer) {
	silent, known := s.silences[kind]
	switch {
	case !known, !silent.over.IsZero() && q.Now.Sub(silent.over) > lag:
		return p, a
	case p.Type == conn.PeerPod && q.At.After(silent.from):
		return conn.Peer{}, Unknown
	case a == Final:
		return p, Provisional
	}
	return p, a
}

// source is the kind of objects that tells of the end of a pod.
func (p *pod) source() string {
	if p.fetched {
		return kindSlices
	}
	return kindPods
}
