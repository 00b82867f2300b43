package store

import (
	"hash/maphash"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// A resource is the read form of a resource that was received.
type resource struct {
	end  edge.End
	id   uint64 // hash of the attributes that identify it
	host *host
	seen int64
}

// identifying are the attributes by which the receiver tells its resources apart. Attributes that processors add come
// later, and change: a pod's name is known one collection after its first connection, and its labels can be edited.
// k8s.node.name is not among them, as a processor may add it, and host.id says the same.
var identifying = [...]string{
	names.HostID, names.HostName, names.ContainerID, names.PodUID, names.SystemdUnit, names.Executable,
}

// enter finds the resource of the metrics that follow.
func (b *batch) enter(attrs pcommon.Map) {
	if b.resource != nil {
		return
	}
	s := b.store
	b.hash = s.hash(attrs)
	r := s.resources[b.hash]
	if r == nil {
		r = &resource{end: edge.ReadLocal(attributes(attrs)), id: s.resourceID(attrs, b.hash)}
		if len(s.resources) < 2*s.config.MaxEdges && !s.reportsAreFull() {
			s.resources[b.hash] = r
			s.memory.addEnd(&r.end)
		}
	}
	r.host, r.seen = s.hostOf(&r.end, b.now), b.now
	b.resource = r
}

// attributes looks up attributes as texts; the text of a list is its first element.
func attributes(m pcommon.Map) edge.Attributes {
	return func(key string) (string, bool) {
		v, ok := m.Get(key)
		switch {
		case !ok:
			return "", false
		case v.Type() != pcommon.ValueTypeSlice:
			return v.AsString(), true
		case v.Slice().Len() == 0:
			return "", false
		}
		return v.Slice().At(0).AsString(), true
	}
}

// resourceID returns a hash that stays the same as long as the series of a resource go on. If attributes that identify
// the resource were removed, it is the hash of all attributes.
func (s *Store) resourceID(attrs pcommon.Map, all uint64) uint64 {
	has := func(name string) bool { _, ok := attrs.Get(name); return ok }
	inside := has("k8s.pod.name") || has("container.name")
	if !has(names.HostID) || inside && !has(names.ContainerID) && !has(names.PodUID) {
		return all
	}
	var total uint64
	for _, name := range identifying {
		if name == names.PodUID && has(names.ContainerID) {
			continue // a processor may add it to a container whose path does not have it
		}
		if v, ok := attrs.Get(name); ok {
			total += mix(s.text(name), s.text(v.AsString()))
		}
	}
	return total
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

// hash returns the same for the same attributes in any order. It leaves out those that differ between the series of one
// stream.
func (s *Store) hash(attrs pcommon.Map) uint64 {
	var total uint64
	for k, v := range attrs.All() {
		if k == names.Direction || k == names.ErrorType {
			continue
		}
		var h uint64
		switch v.Type() {
		case pcommon.ValueTypeStr:
			h = s.text(v.Str())
		case pcommon.ValueTypeInt:
			h = uint64(v.Int()) + 1
		default:
			h = s.text(v.AsString())
		}
		total += mix(s.text(k), h)
	}
	return total
}

// mix is the finaliser of MurmurHash3 over two hashes in order.
func mix(a, b uint64) uint64 {
	h := a*0x9e3779b97f4a7c15 ^ b
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (s *Store) text(v string) uint64 { return maphash.String(s.seed, v) }
