package attributes

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

// Described holds the attributes of one flow, for all of its points: to copy them takes a fraction of the time of
// putting each one, which looks through those before it. The zero value holds none.
type Described struct {
	attributes pcommon.Map
	usable     bool // attributes is a map
	set        Set
	flow       *flow.Flow
}

// Forget has the next Put look at its flow, which may have changed.
func (d *Described) Forget() { d.flow = nil }

// Put writes the attributes of a set that a flow has a value for to an empty map, and one more if it has a key.
func (d *Described) Put(to pcommon.Map, s Set, f *flow.Flow, key, value string) {
	if d.flow != f || d.set != s {
		d.describe(s, f)
	}
	to.EnsureCapacity(d.attributes.Len() + min(len(key), 1))
	d.attributes.CopyTo(to)
	if key != "" {
		to.PutStr(key, value)
	}
}

func (d *Described) describe(s Set, f *flow.Flow) {
	if !d.usable {
		d.attributes, d.usable = pcommon.NewMap(), true
	}
	d.set, d.flow = s, f
	d.attributes.RemoveIf(func(string, pcommon.Value) bool { return true }) // and keep the memory
	if f.Overflow {
		d.attributes.PutBool(names.Overflow, true)
		return
	}
	s.Put(d.attributes, &f.Key)
}
