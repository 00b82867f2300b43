package edge

import (
	"strings"

	"github.com/netconn/netconn/internal/names"
)

// Source returns the end that netconn.original_source.name names: a workload, whose connections come by a proxy.
func Source(name Value, by names.Proxy) End {
	text := name.String()
	at := strings.LastIndexByte(text, '.') // no namespace has a dot
	workload, namespace := text[:max(at, 0)], text[at+1:]
	var e End
	e.set(names.TagType, names.TypePod)
	e.set(names.TagName, workload)
	e.set(names.TagWorkload, workload)
	e.set(names.TagNamespace, namespace)
	e.set(names.TagProxy, string(by))
	return e
}

// AsSource returns how netconn.original_source.name names the workload of an end; the zero Value if it has none.
func (e *End) AsSource() Value {
	if !e.Has(names.TagNamespace) || !e.Has(names.TagName) {
		return Value{}
	}
	return Text(e.Get(names.TagName) + "." + e.Get(names.TagNamespace))
}

// Agree adds the tags that the end does not have, and that all of some ends have the same value of.
func (e *End) Agree(ends []*End) {
	for t := range names.Tags {
		v := ends[0][t]
		for _, other := range ends[1:] {
			if other[t] != v {
				v = Value{}
			}
		}
		e.fill(t, v)
	}
}
