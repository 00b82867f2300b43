package series

import (
	"maps"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestAttributesAsTexts(t *testing.T) {
	m := pcommon.NewMap()
	_ = m.FromRaw(map[string]any{"text": "a", "number": 80, "flag": true, "list": []any{"v2", "v1"}, "empty": []any{}})
	for key, want := range map[string]string{"text": "a", "number": "80", "flag": "true", "list": "v2", "empty": "", "absent": ""} {
		got, ok := Read(m)(key)
		if got != want || ok != (want != "") {
			t.Errorf("%s is %q (%v), want %q", key, got, ok, want)
		}
	}
}

func mapOf(raw map[string]any) pcommon.Map {
	m := pcommon.NewMap()
	_ = m.FromRaw(raw)
	return m
}

// Two points are of one flow if they differ in nothing but the direction and the error, in whatever order their
// attributes are.
func TestFlowsAreToldApart(t *testing.T) {
	h := NewHash()
	flow := map[string]any{"netconn.role": "client", "server.port": 80, "netconn.peer.name": "web"}
	of := func(more map[string]any) uint64 {
		all := maps.Clone(flow)
		maps.Copy(all, more)
		return h.Attributes(mapOf(all))
	}
	want := of(nil)
	for range 20 { // a Go map has no order
		if got := of(nil); got != want {
			t.Fatalf("the same attributes have the hashes %x and %x", want, got)
		}
	}
	for _, same := range []map[string]any{{"network.io.direction": "receive"}, {"error.type": "refused"}} {
		if of(same) != want {
			t.Errorf("with %v it is another flow", same)
		}
	}
	for _, other := range []map[string]any{
		{"server.port": 81}, {"server.port": "80"}, {"netconn.role": "server"}, {"netconn.nat": "dnat"},
		{"netconn.peer.name": "client", "netconn.role": "web"}, // the values exchanged
		{"netconn.peer.overflow": true},
	} {
		if of(other) == want {
			t.Errorf("with %v it is the same flow", other)
		}
	}
	if Flow(1, want) == Flow(2, want) {
		t.Error("flows of two resources are not told apart")
	}
}

// What a processor adds to a resource does not begin new series, as long as the resource can be told by what the
// receiver gave it.
func TestResourcesAreToldApart(t *testing.T) {
	h := NewHash()
	bare := map[string]any{"host.id": "h", "host.name": "n", "container.id": "c", "process.executable.name": "web"}
	of := func(base, more map[string]any) uint64 {
		all := maps.Clone(base)
		maps.Copy(all, more)
		m := mapOf(all)
		return h.Resource(m, h.Attributes(m))
	}
	want := of(bare, nil)
	added := map[string]any{"k8s.pod.name": "web-1", "k8s.pod.uid": "u", "service.name": "shop", "k8s.node.name": "n"}
	if of(bare, added) != want {
		t.Error("with the names of a processor it is another resource")
	}
	for _, other := range []map[string]any{
		{"container.id": "d"}, {"host.id": "i"}, {"process.executable.name": "db"},
	} {
		if of(bare, other) == want {
			t.Errorf("with %v it is the same resource", other)
		}
	}
	for name, stripped := range map[string]map[string]any{
		"without a host":      {"container.id": "c", "service.name": "a"},
		"without a container": {"host.id": "h", "k8s.pod.name": "web-1", "service.name": "a"},
	} {
		if of(stripped, nil) == of(stripped, map[string]any{"service.name": "b"}) {
			t.Errorf("%s: what is left does not tell the two apart, and they are one resource", name)
		}
	}
	if NewHash().Attributes(mapOf(bare)) == h.Attributes(mapOf(bare)) {
		t.Error("two hashes have the same seed")
	}
}
