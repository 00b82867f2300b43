package store

import (
	"hash/maphash"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/netmap/internal/edge"
)

// own are the attributes by which the receiver tells its resources apart. What processors add to a resource comes later, and changes:
// a pod's name is known one collection after its first connection, and its labels are edited. k8s.node.name is not among them, as a
// processor may add it, and host.id says the same.
var own = [...]string{"host.id", "host.name", "container.id", "k8s.pod.uid", "netconn.systemd.unit", "process.executable.name"}

// source returns a hash of who emits a resource, the same as long as it is the same series. all is the hash of all attributes, which
// it is where those that tell one source from another are gone.
func (s *Store) source(attrs pcommon.Map, all uint64) uint64 {
	has := func(name string) bool { _, ok := attrs.Get(name); return ok }
	inside := has("k8s.pod.name") || has("container.name")
	if !has("host.id") || inside && !has("container.id") && !has("k8s.pod.uid") {
		return all
	}
	var total uint64
	for _, name := range own {
		if name == "k8s.pod.uid" && has("container.id") {
			continue // a processor may add it to a container whose path does not tell its pod
		}
		if v, ok := attrs.Get(name); ok {
			total += mix(s.text(name), s.text(v.AsString()))
		}
	}
	return total
}

// move gives a stream whose resource has other attributes now the report that these are of. What it has counted stays where it was.
func (b *batch) move(t *stream) {
	s, open := b.store, t.open
	t.resource = b.hash
	s.close(t)
	b.each(func(k *bucket) {
		if open > 0 {
			k.active.set(t.slot, sum(s.reports[t.slot].open, 1))
		}
	})
	t.slot = s.place(b, &b.point, t)
	t.open = open
	s.reports[t.slot].open += open
}

// close takes the open connections of a stream off its report.
func (s *Store) close(t *stream) {
	r := &s.reports[t.slot]
	r.open -= min(r.open, t.open)
	t.open = 0
}

// hash returns the same for the same attributes in any order, but for those that tell the series of one stream apart.
func (s *Store) hash(attrs pcommon.Map) uint64 {
	var total uint64
	for k, v := range attrs.All() {
		if k == edge.Direction || k == edge.ErrorType {
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
