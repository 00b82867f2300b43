package edge

import (
	"testing"

	"github.com/netconn/netconn/internal/names"
)

// The name of an original source is that of a workload, which may have dots, and of a namespace, which has none.
func TestSource(t *testing.T) {
	for text, want := range map[string][2]string{
		"web.shop": {"web", "shop"}, "web.v2.shop": {"web.v2", "shop"}, "web": {"", "web"}, ".": {"", ""}, "web.": {"web", ""},
	} {
		e := Source(Text(text), names.Ztunnel)
		if got := [2]string{e.Get(names.TagWorkload), e.Get(names.TagNamespace)}; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if e.Get(names.TagProxy) != "ztunnel" || e.Kind() != Internal {
			t.Errorf("%q: proxy %q, kind %v", text, e.Get(names.TagProxy), e.Kind())
		}
		if named := want[0] != "" && want[1] != ""; named && e.AsSource() != Text(text) || !named && e.AsSource() != (Value{}) {
			t.Errorf("%q is written as %q", text, e.AsSource().String())
		}
	}
}

// What all ends agree on is added; what the end has already stays.
func TestAgree(t *testing.T) {
	e := Source(Text("web.shop"), names.Ztunnel)
	var a, b End
	for tag, values := range map[names.Tag][3]string{
		names.TagZone: {"a", "a", "a"}, names.TagPod: {"web-1", "web-2", ""}, names.TagNode: {"n1", "", ""}, names.TagProxy: {"x", "x", "ztunnel"},
	} {
		a.set(tag, values[0])
		b.set(tag, values[1])
	}
	e.Agree([]*End{&a, &b})
	for tag, want := range map[names.Tag]string{names.TagZone: "a", names.TagPod: "", names.TagNode: "", names.TagProxy: "ztunnel"} {
		if got := e.Get(tag); got != want {
			t.Errorf("%v: %q, want %q", tag, got, want)
		}
	}
}
