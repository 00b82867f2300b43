package series

import (
	"hash/maphash"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// A Hash tells series apart. Its values mean something in this process only.
type Hash struct{ seed maphash.Seed }

// NewHash returns a Hash of its own seed.
func NewHash() Hash { return Hash{maphash.MakeSeed()} }

// identifying are the attributes by which the receiver tells its resources apart. Attributes that processors add come
// later, and change: a pod's name is known one collection after its first connection, and its labels can be edited.
// k8s.node.name is not among them, as a processor may add it, and host.id says the same.
var identifying = [...]string{
	names.HostID, names.HostName, names.ContainerID, names.PodUID, names.SystemdUnit, names.Executable,
}

// Resource returns a hash that stays the same as long as the series of a resource go on. If attributes that identify
// the resource were removed, it is all: the hash of all attributes.
func (h Hash) Resource(attrs pcommon.Map, all uint64) uint64 {
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
			total += mix(h.text(name), h.text(v.AsString()))
		}
	}
	return total
}

// Attributes returns the same for the same attributes in any order. It leaves out those that differ between the series
// of one flow: the direction, the error and the response code.
func (h Hash) Attributes(attrs pcommon.Map) uint64 {
	var total uint64
	for k, v := range attrs.All() {
		if k == names.Direction || k == names.ErrorType || k == names.RcodeKey {
			continue
		}
		var value uint64
		switch v.Type() {
		case pcommon.ValueTypeStr:
			value = h.text(v.Str())
		case pcommon.ValueTypeInt:
			value = uint64(v.Int()) + 1
		default:
			value = h.text(v.AsString())
		}
		total += mix(h.text(k), value)
	}
	return total
}

// Flow returns the hash of a flow: of its resource, and of the attributes of its points.
func Flow(resource, attributes uint64) uint64 { return attributes + resource*0x9e3779b97f4a7c15 }

// mix is the finaliser of MurmurHash3 over two hashes in order.
func mix(a, b uint64) uint64 {
	h := a*0x9e3779b97f4a7c15 ^ b
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (h Hash) text(v string) uint64 { return maphash.String(h.seed, v) }

// Read looks up attributes as texts; the text of a list is its first element.
func Read(m pcommon.Map) edge.Attributes {
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
