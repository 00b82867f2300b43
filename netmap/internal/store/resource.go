package store

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/series"
)

// A resource is the read form of a resource that was received.
type resource struct {
	end  edge.End
	id   uint64 // hash of the attributes that identify it
	host *host
	seen int64
}

// enter finds the resource of the metrics that follow.
func (b *batch) enter(attrs pcommon.Map) {
	if b.resource != nil {
		return
	}
	s := b.store
	b.hash = s.hash.Attributes(attrs)
	r := s.resources[b.hash]
	if r == nil {
		r = &resource{end: edge.ReadLocal(series.Read(attrs)), id: s.hash.Resource(attrs, b.hash)}
		if len(s.resources) < 2*s.config.MaxEdges && !s.reportsAreFull() {
			s.resources[b.hash] = r
			s.memory.addEnd(&r.end)
		}
	}
	r.host, r.seen = s.hostOf(&r.end, b.now), b.now
	b.resource = r
}

// move gives a stream whose resource has other attributes now the report of these attributes. Its earlier figures stay
// where they are.
func (b *batch) move(t *stream) {
	s, open := b.store, t.open
	t.resource = b.hash
	s.closeAll(t)
	b.each(func(k *bucket) {
		if open > 0 {
			k.active.set(t.slot, sum(s.states[t.slot].open, 1))
		}
	})
	t.slot = s.place(b, &b.point, t)
	t.open = open
	s.states[t.slot].open += open
}

// closeAll subtracts the open connections of a stream from its report.
func (s *Store) closeAll(t *stream) {
	r := &s.states[t.slot]
	r.open -= min(r.open, t.open)
	t.open = 0
}
