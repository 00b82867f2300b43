package store

import (
	"reflect"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/match"
	"github.com/netconn/netconn/netmap/internal/series"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// Sizes in bytes: of the values, and of the entries of the maps that lead to them, which are two thirds full on
// average.
var (
	streamBytes   = size[stream]() + 32
	reportBytes   = size[match.Report]() + size[reportState]() + size[reportKey]()*3/2 + 8
	resourceBytes = size[resource]() + 32
	hostBytes     = size[host]() + 48
	endBytes      = size[edge.End]() + 32
	outcomeBytes  = size[outcomes]()
	keyBytes      = size[edge.Key]() + 16 // and its entry of the index
	answerBytes   = size[snap.Edge]() + size[match.Origin]()
)

// peerBytes is an entry of match.Peers.
const peerBytes = 64

// textBytes is what a text takes besides its letters: its place in package unique, and in memory.texts.
const textBytes = 220

func size[T any]() int { return int(reflect.TypeFor[T]().Size()) }

// memory counts the bytes of what has no fixed size.
type memory struct {
	texts   map[edge.Value]struct{} // that ends, links and resources have
	text    int                     // bytes of texts
	streams int                     // beyond streamBytes
	keys    int                     // of reports
	buckets int                     // as of the last call of Add
}

func (m *memory) addText(v edge.Value) {
	if v == (edge.Value{}) {
		return
	}
	if _, held := m.texts[v]; !held {
		m.texts[v] = struct{}{}
		m.text += textBytes + v.Len()
	}
}

func (m *memory) addEnd(e *edge.End) {
	for _, v := range e {
		m.addText(v)
	}
}

func (m *memory) addLink(l *edge.Link) {
	for _, v := range [...]edge.Value{l.Transport, l.NAT, l.Original, l.OriginalAddress, l.Source} {
		m.addText(v)
	}
}

// recount forgets the texts that nothing has any longer.
func (s *Store) recount() {
	s.memory.texts, s.memory.text = make(map[edge.Value]struct{}), 0
	for _, e := range s.ends {
		s.memory.addEnd(e)
	}
	for i := range s.reports {
		s.memory.addLink(&s.reports[i].Link)
	}
	for _, r := range s.resources {
		s.memory.addEnd(&r.end)
	}
}

// held returns the bytes that MaxBytes limits.
func (s *Store) held() int {
	m := &s.memory
	return m.text + m.streams + m.keys + m.buckets + len(s.streams)*streamBytes + len(s.reports)*reportBytes +
		len(s.ends)*endBytes + len(s.resources)*resourceBytes + len(s.hosts)*hostBytes
}

// full reports whether there is no memory for a stream.
func (s *Store) full() bool { return s.config.MaxBytes > 0 && s.held() >= s.config.MaxBytes }

// reportsAreFull reports whether there is no memory for a report or a resource. The last quarter is for the streams of
// reports that are not held, so that their figures are counted in the overflow.
func (s *Store) reportsAreFull() bool {
	return s.config.MaxBytes > 0 && s.held() >= s.config.MaxBytes/4*3
}

// bytes returns the memory in use: what is held, and what was computed from it for answers.
func (s *Store) bytes() int {
	s.memory.buckets = s.bucketBytes()
	n := s.held()
	if s.peers != nil {
		n += s.peers.Len() * peerBytes
	}
	for _, a := range s.snapshots {
		n += len(a.Edges) * answerBytes
		for i := range a.Edges {
			n += cap(a.Edges[i].Outcomes) * size[snap.Outcome]()
		}
	}
	return n
}

func (s *Store) bucketBytes() int {
	n := 0
	for _, r := range [...]*ring{s.fine, s.coarse} {
		for i := range r.buckets {
			n += r.buckets[i].bytes()
		}
	}
	return n
}

// bytes returns the memory of a stream beyond streamBytes.
func (t *stream) bytes() int {
	n := cap(t.outcomes) * outcomeBytes
	for _, h := range [...]*series.Histogram{t.rtt, t.duration} {
		if h != nil {
			n += size[series.Histogram]() + 4*h.Kept()
		}
	}
	return n
}

// grow counts what a stream has grown by, if the stream is kept.
func (m *memory) grow(t *stream, before int) {
	if t.kept {
		m.streams += t.bytes() - before
	}
}

// forget removes a stream.
func (s *Store) forget(key uint64, t *stream) {
	s.closeAll(t)
	s.memory.streams -= t.bytes()
	delete(s.streams, key)
}
