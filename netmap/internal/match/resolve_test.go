package match

import (
	"testing"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// peerOf resolves the peer of the last report.
func (b *testbed) peerOf() *edge.End {
	r := &b.reports[len(b.reports)-1]
	return NewPeers(b.reports, now, b.intern).Resolve(r.Local, r.Peer, r.Link.Scope)
}

func TestResolve(t *testing.T) {
	redis := raw{"netconn.role": "client", "netconn.peer.type": "pod", "netconn.peer.name": "redis", "netconn.peer.container.name": "redis"}
	seesRedis := func(scope string) raw { return redis.with(raw{"netconn.peer.scope": scope}) }
	cache := func(host, name string) raw {
		return pod(host, "cache", name, "redis").with(raw{"process.executable.name": "redis"})
	}
	client := pod("n1", "web", "web-1", "app")
	byPod := raw{"netconn.peer.k8s.pod.name": "cache-1", "netconn.peer.k8s.namespace.name": "shop"}
	for name, tt := range map[string]struct {
		others []raw
		point  raw
		pod    string // that the peer is; empty: it is not certain
	}{
		"the only one of the host":         {[]raw{cache("n1", "cache-1")}, seesRedis("node"), "cache-1"},
		"two of the host":                  {[]raw{cache("n1", "cache-1"), cache("n1", "cache-2")}, seesRedis("node"), ""},
		"three of the host":                {[]raw{cache("n1", "cache-1"), cache("n1", "cache-2"), cache("n1", "cache-1")}, seesRedis("node"), ""},
		"one of another host":              {[]raw{cache("n2", "cache-1")}, seesRedis("node"), ""},
		"one elsewhere, by its program":    {[]raw{cache("n1", "cache-1")}, seesRedis("remote"), ""},
		"one of the same pod":              {[]raw{cache("n1", "web-1"), cache("n1", "cache-1")}, seesRedis("pod"), "web-1"},
		"by the container's id":            {[]raw{cache("n2", "cache-1"), cache("n2", "cache-2")}, seesRedis("remote").with(raw{"netconn.peer.container.id": "cache-2redis"}), "cache-2"},
		"by an unknown id":                 {[]raw{cache("n1", "cache-1")}, seesRedis("node").with(raw{"netconn.peer.container.id": "x"}), ""},
		"by the pod":                       {[]raw{cache("n2", "cache-1"), cache("n2", "cache-2")}, seesRedis("remote").with(byPod), "cache-1"},
		"by a pod of another namespace":    {[]raw{cache("n2", "cache-1")}, seesRedis("remote").with(byPod).with(raw{"netconn.peer.k8s.namespace.name": "x"}), ""},
		"by the pod without its container": {[]raw{cache("n1", "cache-1")}, seesRedis("node").with(byPod).with(raw{"netconn.peer.container.name": "", "netconn.peer.k8s.workload.name": "cache"}), "cache-1"},
		"a program outside of a container": {[]raw{program("n1", "redis")}, seesRedis("node"), ""},
	} {
		b := newTestbed()
		for _, other := range tt.others {
			b.add(other, remote("client", "x", "1"), volume(1, 1))
		}
		b.add(client, tt.point, volume(1, 1))
		want := ""
		if tt.pod != "" {
			want = "uid-" + tt.pod
		}
		if got := b.peerOf().Get(names.TagPodUID); got != want {
			t.Errorf("%s: taken for the pod with the uid %q, want %q", name, got, want)
		}
	}
}

// Of two containers with one name on a host, the one in the same pod is the peer.
func TestResolveInThePod(t *testing.T) {
	b := newTestbed()
	for _, name := range []string{"web-1", "web-2"} {
		b.add(pod("n1", "web", name, "proxy").with(raw{"process.executable.name": "envoy"}), remote("client", "x", "1"), volume(1, 1))
	}
	b.add(pod("n1", "web", "web-2", "app"), raw{
		"netconn.role": "client", "netconn.peer.scope": "pod", "netconn.peer.type": "pod", "netconn.peer.name": "envoy",
	}, volume(1, 1))
	if got := b.peerOf().Get(names.TagContainerID); got != "web-2proxy" {
		t.Errorf("taken for the container %q, want that of the same pod", got)
	}
}

// An end that has been silent for longer than five minutes is not taken for a peer: its name may be that of another one
// by now.
func TestAnEndThatIsGoneIsNoPeer(t *testing.T) {
	for silent, found := range map[int64]bool{0: true, 300: true, 301: false, 600: false} {
		b := newTestbed()
		i := b.add(program("h", "nginx").with(raw{"service.name": "shop"}), of("server", "x", "80"), volume(1, 1))
		b.reports[i].Seen -= silent
		b.add(program("h", "curl"), of("client", "nginx", "80"), volume(1, 1))
		if got := b.peerOf().Get(names.TagService) == "shop"; got != found {
			t.Errorf("silent for %d s: taken for a peer %v, want %v", silent, got, found)
		}
	}
}

// A container describes itself with more attributes once a processor knows its pod. Both descriptions are of one end.
func TestTheRicherDescriptionCounts(t *testing.T) {
	bare := raw{"host.id": "n1", "container.id": "c", "process.executable.name": "redis"}
	known := bare.with(raw{"k8s.pod.name": "cache-1", "k8s.namespace.name": "shop", "k8s.container.name": "redis"})
	point := of("client", "redis", "1").with(raw{"netconn.peer.type": "container"})
	for name, order := range map[string][]raw{"bare first": {bare, known}, "bare last": {known, bare}} {
		b := newTestbed()
		for _, r := range order {
			b.add(r, remote("client", "x", "1"), volume(1, 1))
		}
		b.add(program("n1", "curl"), point, volume(1, 1))
		if got := b.peerOf().Get(names.TagPod); got != "cache-1" {
			t.Errorf("%s: by its name it is pod %q, want cache-1", name, got)
		}
		b.add(program("n1", "curl"), point.with(raw{"netconn.peer.container.id": "c"}), volume(1, 1))
		if got := b.peerOf().Get(names.TagPod); got != "cache-1" {
			t.Errorf("%s: by its id it is pod %q, want cache-1", name, got)
		}
	}
}

// The result is one pointer for equal ends, and a peer elsewhere does not depend on who reports it.
func TestResolvedEndsAreShared(t *testing.T) {
	b := newTestbed()
	one := b.add(program("h", "a"), remote("client", "db", "1"), volume(1, 1))
	two := b.add(program("g", "b"), remote("client", "db", "1"), volume(1, 1))
	near := b.add(program("h", "a"), of("client", "db", "1"), volume(1, 1))
	far := b.add(program("g", "a"), of("client", "db", "1"), volume(1, 1))
	p := NewPeers(b.reports, now, b.intern)
	resolve := func(i int) *edge.End {
		r := &b.reports[i]
		return p.Resolve(r.Local, r.Peer, r.Link.Scope)
	}
	if resolve(one) != resolve(two) {
		t.Error("a peer elsewhere is another end for each end that reports it")
	}
	if len(p.resolved) != 1 {
		t.Errorf("a peer elsewhere is remembered %d times", len(p.resolved))
	}
	if resolve(near).Get(names.TagHostID) != "h" || resolve(far).Get(names.TagHostID) != "g" {
		t.Errorf("peers of a host are on %s and %s, want h and g", resolve(near).Get(names.TagHostID), resolve(far).Get(names.TagHostID))
	}
}

// The addresses of an end's sockets do not make it several ends.
func TestAnEndWithSeveralAddressesIsOne(t *testing.T) {
	b := newTestbed()
	for _, address := range []string{"10.0.0.1", "10.0.0.2"} {
		b.add(program("h", "nginx").with(raw{"service.name": "shop"}),
			of("server", "curl", "80").with(raw{"network.local.address": address}), volume(1, 1))
	}
	b.add(program("h", "curl"), of("client", "nginx", "80"), volume(1, 1))
	if got := b.peerOf(); got.Get(names.TagService) != "shop" || got.Has(names.TagAddress) {
		t.Errorf("service %q at %q, want shop without an address", got.Get(names.TagService), got.Get(names.TagAddress))
	}
}
