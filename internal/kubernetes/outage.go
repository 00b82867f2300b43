package kubernetes

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// outage is a time in which the watch of a kind of objects was interrupted, so that the store may be out of date.
type outage struct {
	since time.Time
	until time.Time // when the watch resumed; what it has to report may take Config.Patience. Zero: the outage lasts
}

// interrupted records that the watch of a kind is interrupted.
func (s *store) interrupted(kind string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, found := s.outages[kind]
	if !found || now.Sub(o.until) > s.config.Patience && !o.until.IsZero() {
		o.since = now
	}
	o.until = time.Time{}
	s.outages[kind] = o
}

// resumed records that the watch of a kind continues where it was, and will report what has changed.
func (s *store) resumed(kind string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, found := s.outages[kind]; found && o.until.IsZero() {
		o.until = now
		s.outages[kind] = o
	}
}

// listed records that all objects of a kind are as a new list has them.
func (s *store) listed(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.outages, kind)
}

// afterOutage limits an answer during an outage of the watch that would report another one. No answer by an address is
// final then, and a pod had its address only until the outage began, as far as is known.
func (s *store) afterOutage(kind string, q conn.Query, p conn.Peer, a conn.Answer) (conn.Peer, conn.Answer) {
	o, found := s.outages[kind]
	switch {
	case !found, !o.until.IsZero() && q.Now.Sub(o.until) > s.config.Patience:
		return p, a
	case p[names.PeerType] == names.TypePod && q.At.After(o.since):
		return conn.Peer{}, conn.Unknown
	case a == conn.Final:
		return p, conn.Provisional
	}
	return p, a
}

// source returns the kind of objects whose watch reports the end of a pod.
func (p *pod) source() string {
	if p.fetched {
		return kindSlices
	}
	return kindPods
}
