package match

import (
	"fmt"
	"hash/maphash"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// raw are attributes as texts.
type raw map[string]string

func (r raw) get(key string) (string, bool) {
	v, ok := r[key]
	return v, ok
}

// with returns the attributes with more.
func (r raw) with(more raw) raw {
	all := raw{}
	for _, some := range [...]raw{r, more} {
		for k, v := range some {
			all[k] = v
		}
	}
	return all
}

// A testbed makes reports and interns their ends.
type testbed struct {
	seed    maphash.Seed
	ends    map[edge.End]*edge.End
	reports []Report
	figures []snap.Figures
}

func newTestbed() *testbed {
	return &testbed{seed: maphash.MakeSeed(), ends: map[edge.End]*edge.End{}}
}

func (b *testbed) intern(e edge.End) *edge.End {
	if b.ends[e] == nil {
		b.ends[e] = &e
	}
	return b.ends[e]
}

// now is the time of all reports that no test makes older.
const now = 1_000_000

// add adds a report and returns its index. f are the figures as the end that reports has them.
func (b *testbed) add(resource, point raw, f snap.Figures) int {
	local, peer, link := edge.ReadLocal(resource.get), edge.ReadPeer(point.get), edge.ReadLink(point.get)
	edge.ReadAddresses(point.get, link.Role, &local, &peer)
	r := Report{Local: b.intern(local), Peer: b.intern(peer), Link: link, First: now - 50, Changed: now - 5, Seen: now}
	r.Keys = link.Keys(r.Local, r.Peer, b.seed)
	b.reports, b.figures = append(b.reports, r), append(b.figures, f)
	return len(b.reports) - 1
}

func (b *testbed) index() *Index { return NewIndex(b.reports, nil) }

func (b *testbed) edges() Matched {
	return Edges(b.reports, b.figures, b.index(), NewPeers(b.reports, now, b.intern), snap.Range{From: now - 300, To: now + 10, Step: 10})
}

// lines writes edges as: client -> server:port tx/rx+retransmits reporters.
func (m *Matched) lines() []string {
	all := []string{}
	for i := range m.Edges {
		e := &m.Edges[i]
		by := ""
		if e.ByClient {
			by += "c"
		}
		if e.ByServer {
			by += "s"
		}
		all = append(all, fmt.Sprintf("%s -> %s:%d %d/%d+%d %s", named(e.Client), named(e.Server), e.Link.Port, e.Tx, e.Rx, e.Retransmits, by))
	}
	slices.Sort(all)
	return all
}

func named(e *edge.End) string {
	for _, t := range [...]names.Tag{names.TagPod, names.TagName, names.TagType} {
		if e.Has(t) {
			return e.Get(t)
		}
	}
	return ""
}

func (b *testbed) want(t *testing.T, want ...string) Matched {
	t.Helper()
	m := b.edges()
	if diff := cmp.Diff(append([]string{}, want...), m.lines()); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	return m
}

// program is the resource of a host's process.
func program(host, executable string) raw {
	return raw{"host.id": host, "process.executable.name": executable}
}

// pod is the resource of a container in a pod.
func pod(host, workload, name, container string) raw {
	return raw{
		"host.id": host, "k8s.namespace.name": "shop", "k8s.deployment.name": workload, "k8s.pod.name": name,
		"k8s.pod.uid": "uid-" + name, "k8s.container.name": container, "container.id": name + container,
	}
}

// of is the point of an edge with a program of the same host.
func of(role, peer, port string) raw {
	return raw{
		"netconn.role": role, "netconn.peer.type": "host", "netconn.peer.scope": "node", "netconn.peer.name": peer, "server.port": port,
	}
}

// remote is the point of an edge with a workload elsewhere.
func remote(role, workload, port string) raw {
	return raw{
		"netconn.role": role, "netconn.peer.type": "pod", "netconn.peer.scope": "remote", "netconn.peer.k8s.workload.name": workload,
		"netconn.peer.k8s.namespace.name": "shop", "server.port": port,
	}
}

func volume(tx, rx uint64) snap.Figures { return snap.Figures{Tx: tx, Rx: rx} }

func TestTheClientsReportCounts(t *testing.T) {
	b := newTestbed()
	b.add(program("h", "curl"), of("client", "nginx", "80"), snap.Figures{Tx: 1, Rx: 2, Retransmits: 3})
	b.add(program("h", "nginx"), of("server", "curl", "80"), snap.Figures{Tx: 20, Rx: 10, Retransmits: 40})
	m := b.want(t, "curl -> nginx:80 1/2+43 cs")
	if diff := cmp.Diff([]Origin{{Report: 0, Shadows: []int{1}}}, m.Origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	e := m.Edges[0]
	if e.First != now-50 || e.Changed != now-5 {
		t.Errorf("first %d, changed %d", e.First, e.Changed)
	}
}

// An edge that only the server reports has the directions of the client.
func TestTheServersReportAlone(t *testing.T) {
	b := newTestbed()
	b.add(program("h", "nginx"), of("server", "curl", "80"), snap.Figures{Tx: 20, Rx: 10, Retransmits: 4})
	b.want(t, "curl -> nginx:80 10/20+4 s")
}

func TestUnknownRoles(t *testing.T) {
	b := newTestbed()
	b.add(program("h", "b"), of("unknown", "a", ""), volume(20, 10))
	b.add(program("h", "a"), of("unknown", "b", ""), volume(10, 20))
	b.add(program("h", "self"), of("unknown", "self", ""), volume(7, 7)) // both ends are in the one report
	b.want(t, "a -> b:0 10/20+0 cs", "self -> self:0 7/0+0 c")
}

// The report of the primary end counts as long as it was received within two minutes of the other.
func TestWhichReportCountsDependsOnWhenItCame(t *testing.T) {
	for silent, want := range map[int64]string{
		0:   "curl -> nginx:80 1/2+0 cs",
		60:  "curl -> nginx:80 1/2+0 cs",
		120: "curl -> nginx:80 1/2+0 cs",
		121: "curl -> nginx:80 1/2+0 c",
	} {
		b := newTestbed()
		client := b.add(program("h", "curl"), of("client", "nginx", "80"), volume(1, 2))
		b.add(program("h", "nginx"), of("server", "curl", "80"), volume(20, 10))
		b.reports[client].Seen -= silent
		if silent > 120 { // both reports count
			b.want(t, want, "curl -> nginx:80 10/20+0 s")
			continue
		}
		b.want(t, want)
	}
}

// A server that sees two pods of a workload as one cannot say to which of them it sent again.
func TestRetransmitsThatBelongToOneOfSeveralEdges(t *testing.T) {
	b := newTestbed()
	b.add(pod("n1", "web", "web-1", "app"), remote("client", "db", "5432"), volume(1, 2))
	b.add(pod("n2", "web", "web-2", "app"), remote("client", "db", "5432"), volume(3, 4))
	b.add(pod("n4", "idle", "idle-1", "app"), remote("client", "db", "5432"), volume(0, 0))
	b.reports[2].First = now - 1000
	s := b.add(pod("n3", "db", "db-1", "pg"), remote("server", "web", "5432"), snap.Figures{Tx: 6, Rx: 4, Retransmits: 9})
	m := b.want(t, "web-1 -> db:5432 1/2+0 cs", "web-2 -> db:5432 3/4+0 cs")
	if len(m.Shared) != 1 || m.Shared[0].Retransmits != 9 || len(m.Shared[0].Edges) != 2 {
		t.Errorf("shared %+v, want 9 of the two edges", m.Shared)
	}
	for _, i := range m.Shared[0].Edges {
		if m.Edges[i].Client.Get(names.TagWorkload) != "web" {
			t.Errorf("shared with %s", m.Edges[i].Client.Get(names.TagName))
		}
	}
	b.figures[s].Retransmits = 0
	if m := b.edges(); len(m.Shared) != 0 {
		t.Errorf("nothing was sent again, and %+v is shared", m.Shared)
	}
}

// Edges before those that are left out keep the indices of what they share.
func TestSharedAfterEdgesWereLeftOut(t *testing.T) {
	b := newTestbed()
	gone := b.add(program("h", "old"), of("client", "x", "1"), volume(0, 0))
	b.reports[gone].First = now - 1000
	b.add(pod("n1", "web", "web-1", "app"), remote("client", "db", "5432"), volume(1, 2))
	idle := b.add(pod("n2", "web", "web-2", "app"), remote("client", "db", "5432"), volume(0, 0))
	b.reports[idle].First = now - 1000
	b.add(pod("n5", "web", "web-3", "app"), remote("client", "db", "5432"), volume(3, 4))
	b.add(pod("n3", "db", "db-1", "pg"), remote("server", "web", "5432"), snap.Figures{Tx: 6, Rx: 4, Retransmits: 9})
	m := b.want(t, "web-1 -> db:5432 1/2+0 cs", "web-3 -> db:5432 3/4+0 cs")
	if diff := cmp.Diff([]snap.Shared{{Edges: []int{0, 1}, Retransmits: 9}}, m.Shared); diff != "" {
		t.Errorf("shared (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Origin{{Report: 1}, {Report: 3}}, m.Origins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
}

// An edge without figures is there if it was first seen in the range.
func TestIdleEdges(t *testing.T) {
	for first, there := range map[int64]bool{now - 301: false, now - 300: true, now + 9: true, now + 10: false} {
		b := newTestbed()
		b.reports = append(b.reports, Report{}) // a slot without a report
		b.figures = append(b.figures, volume(5, 5))
		i := b.add(program("h", "curl"), of("client", "nginx", "80"), volume(0, 0))
		b.reports[i].First = first
		if got := len(b.edges().Edges) == 1; got != there {
			t.Errorf("first seen %d s from now: there is %v, want %v", first-now, got, there)
		}
	}
}

func TestIndex(t *testing.T) {
	b := newTestbed()
	c1 := b.add(pod("n1", "web", "web-1", "app"), remote("client", "db", "5432"), volume(1, 2))
	s := b.add(pod("n3", "db", "db-1", "pg"), remote("server", "web", "5432"), volume(6, 4))
	c2 := b.add(pod("n2", "web", "web-2", "app"), remote("client", "db", "5432"), volume(3, 4))
	alone := b.add(program("h", "curl"), of("client", "nginx", "80"), volume(1, 1))
	x := NewIndex(b.reports, nil)
	if again := NewIndex(b.reports, NewIndex(b.reports, nil)); len(again.entries) != len(x.entries) {
		t.Errorf("%d entries in the memory of another index, want %d", len(again.entries), len(x.entries))
	}
	for i, want := range map[int][]int{c1: nil, c2: nil, s: {c1, c2}, alone: nil} {
		if diff := cmp.Diff(want, x.Primaries(i)); diff != "" {
			t.Errorf("primaries of %d (-want +got):\n%s", i, diff)
		}
	}
	none := func(int) bool { return false }
	if got := x.Dependents(c1, none); len(got) != 0 {
		t.Errorf("without the first client %v would count, but there is the second", got)
	}
	if diff := cmp.Diff([]int{s}, x.Dependents(c1, func(i int) bool { return i == c1 || i == c2 })); diff != "" {
		t.Errorf("without both clients (-want +got):\n%s", diff)
	}
	if got := x.Dependents(c1, func(i int) bool { return i == c2 || i == s }); len(got) != 0 {
		t.Errorf("%v would count, but leaves too", got)
	}
	single := newTestbed()
	single.add(program("h", "curl"), of("client", "nginx", "80"), volume(1, 1))
	single.add(program("h", "nginx"), of("server", "curl", "80"), volume(1, 1))
	if diff := cmp.Diff([]int{1}, single.index().Dependents(0, none)); diff != "" {
		t.Errorf("without the only client (-want +got):\n%s", diff)
	}
	if got := x.Dependents(s, none); len(got) != 0 {
		t.Errorf("without the server's report %v would count", got)
	}
	if !x.Has(b.reports[s].Keys) || x.Has(nil) {
		t.Error("the reports of an edge are not found by its keys")
	}
	other := remote("client", "db", "1")
	i := b.add(pod("n1", "web", "web-1", "app"), other, volume(1, 2))
	if x.Has(b.reports[i].Keys) {
		t.Error("an edge of another port is found")
	}
}
