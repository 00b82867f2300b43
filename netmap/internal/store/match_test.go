package store

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/feedtest"
)

// pod is a container of a pod, as k8s_attributes describes it.
func pod(node, workload, name, container, executable string) feedtest.Attributes {
	return feedtest.Attributes{
		"host.id": node, "host.name": node, "k8s.node.name": node, "container.id": "id-" + name + "-" + container,
		"k8s.namespace.name": "shop", "k8s.deployment.name": workload, "k8s.pod.name": name, "k8s.pod.uid": "uid-" + name,
		"k8s.container.name": container, "process.executable.name": executable, "container.image.tags": []string{"v1"},
	}
}

// sees is what a point says of a peer that Kubernetes knows.
func sees(role, workload, container, scope string, port int) feedtest.Attributes {
	a := feedtest.Attributes{
		"netconn.role": role, "network.transport": "tcp", "server.port": port,
		"netconn.peer.type": "pod", "netconn.peer.scope": scope, "netconn.peer.name": workload,
		"netconn.peer.k8s.namespace.name": "shop", "netconn.peer.k8s.workload.name": workload,
		"netconn.peer.k8s.workload.kind": "Deployment",
	}
	if container != "" {
		a["netconn.peer.container.name"] = container
	}
	return a
}

// program sees is what a point says of a peer with nothing known but its program.
func seesProgram(role, executable, scope string, port int) feedtest.Attributes {
	return feedtest.Attributes{
		"netconn.role": role, "network.transport": "tcp", "server.port": port,
		"netconn.peer.type": "pod", "netconn.peer.scope": scope, "netconn.peer.name": executable,
		"netconn.peer.container.name": executable,
	}
}

func flow(resource, point feedtest.Attributes, tx, rx int64) feedtest.Flow {
	return feedtest.Flow{Resource: resource, Point: point, Tx: tx, Rx: rx}
}

func TestTheClientsReportCounts(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(
		flow(program("h", "curl"), dials("nginx", 80), 100, 1000),
		flow(program("h", "nginx"), serves("curl", 80), 1003, 101), // as the other end has it
	)
	w.wantEdges("curl -> nginx:80 node 100/1000")
	e := w.snapshot(fineSpan).Edges[0]
	if !e.ByClient || !e.ByServer {
		t.Errorf("reported by client %v, by server %v, want both", e.ByClient, e.ByServer)
	}
}

func TestOneSideAlone(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(flow(program("h", "nginx"), serves("curl", 80), 1003, 101))
	w.wantEdges("curl -> nginx:80 node 101/1003")
}

func TestEachEndCountsWhatItSentAgain(t *testing.T) {
	w := newWorld(t, 10)
	c := flow(program("h", "curl"), dials("nginx", 80), 100, 1000)
	s := flow(program("h", "nginx"), serves("curl", 80), 1000, 100)
	c.Retransmits, s.Retransmits = 2, 40
	w.collect(c, s)
	snapshot := w.snapshot(fineSpan)
	if got := snapshot.Edges[0].Retransmits; got != 42 {
		t.Errorf("%d retransmits, want 42", got)
	}
	total := uint64(0)
	for _, step := range w.history(snapshot, 0) {
		total += step.Retransmits
	}
	if total != 42 {
		t.Errorf("%d retransmits over time, want 42", total)
	}
}

func TestDifferentPortsHostsAndTransportsDoNotMatch(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(
		flow(program("h", "curl"), dials("nginx", 80), 1, 0),
		flow(program("h", "nginx"), serves("curl", 81), 0, 2),
		flow(program("g", "nginx"), serves("curl", 80), 0, 3),
	)
	w.wantEdges("curl -> nginx:80 node 1/0", "curl -> nginx:80 node 3/0", "curl -> nginx:81 node 2/0")
}

func TestRemoteEndsMatchByTheirWorkloads(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(
		// Two pods of the client, each seen from its own node; the server's view has both in one.
		flow(pod("n1", "web", "web-1", "app", "node"), sees("client", "db", "", "remote", 5432), 10, 20),
		flow(pod("n2", "web", "web-2", "app", "node"), sees("client", "db", "", "remote", 5432), 1, 2),
		flow(pod("n3", "db", "db-1", "postgres", "postgres"), sees("server", "web", "app", "remote", 5432), 22, 11),
	)
	w.wantEdges("web/app -> db:5432 remote 1/2", "web/app -> db:5432 remote 10/20")
}

// A server's retransmits belong to one of several edges, and it is not known to which.
func TestRetransmitsOfSeveralClientsAreShared(t *testing.T) {
	w := newWorld(t, 10)
	s := flow(pod("n3", "db", "db-1", "postgres", "postgres"), sees("server", "web", "app", "remote", 5432), 22, 11)
	s.Retransmits = 9
	w.collect(
		flow(pod("n1", "web", "web-1", "app", "node"), sees("client", "db", "", "remote", 5432), 10, 20),
		flow(pod("n2", "web", "web-2", "app", "node"), sees("client", "db", "", "remote", 5432), 1, 2),
		s,
	)
	snapshot := w.snapshot(fineSpan)
	if len(snapshot.Shared) != 1 || snapshot.Shared[0].Retransmits != 9 || len(snapshot.Shared[0].Edges) != 2 {
		t.Errorf("shared: %+v, want 9 of two edges", snapshot.Shared)
	}
}

func TestProgramsOfOtherHostsNeverMatch(t *testing.T) {
	w := newWorld(t, 10)
	away := feedtest.Attributes{"netconn.peer.scope": "remote"}
	w.collect(
		flow(program("h", "curl"), dials("nginx", 80).With(away), 1, 0),
		flow(program("g", "nginx"), serves("curl", 80).With(away), 0, 1),
	)
	w.wantEdges("curl -> nginx:80 remote 1/0", "curl -> nginx:80 remote 1/0")
}

func TestUnnamedPeersNeverMatch(t *testing.T) {
	w := newWorld(t, 10)
	unnamed := func(role string) feedtest.Attributes {
		return feedtest.Attributes{
			"netconn.role": role, "network.transport": "tcp", "server.port": 80,
			"netconn.peer.type": "private", "netconn.peer.scope": "remote",
		}
	}
	w.collect(
		flow(program("h", "curl"), unnamed("client"), 1, 2),
		flow(program("g", "nginx"), unnamed("server"), 2, 1),
	)
	w.wantEdges("curl -> private:80 remote 1/2", "private -> nginx:80 remote 1/2")
}

// The receiver knows programs only, and a processor names the resources: each end is seen by its program.
func TestResourcesOfKubernetesMatchPeersKnownByProgram(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(
		flow(pod("n1", "web", "web-1", "app", "node"), seesProgram("client", "redis", "node", 6379), 5, 6),
		flow(pod("n1", "cache", "cache-1", "redis", "redis"), seesProgram("server", "node", "node", 6379), 6, 5),
	)
	w.wantEdges("web/app -> cache/redis:6379 node 5/6")
}

func TestUnknownRoles(t *testing.T) {
	w := newWorld(t, 10)
	unknown := func(peer string) feedtest.Attributes {
		return feedtest.Attributes{
			"netconn.role": "unknown", "network.transport": "tcp",
			"netconn.peer.type": "host", "netconn.peer.scope": "node", "netconn.peer.name": peer,
		}
	}
	w.collect(
		flow(program("h", "a"), unknown("b"), 10, 20),
		flow(program("h", "b"), unknown("a"), 20, 10),
		flow(program("h", "self"), unknown("self"), 7, 7), // both ends in one report
	)
	w.wantEdges("a -> b:0 node 10/20", "self -> self:0 node 7/0")
}

// Where one report has both ends of each connection, a series has what the edge has.
func TestASeriesOfBothEndsInOneReport(t *testing.T) {
	w := newWorld(t, 10)
	unknown := feedtest.Attributes{
		"netconn.role": "unknown", "network.transport": "tcp",
		"netconn.peer.type": "host", "netconn.peer.scope": "node", "netconn.peer.name": "self",
	}
	w.collect(flow(program("h", "self"), unknown, 7, 7))
	snapshot := w.snapshot(fineSpan)
	var tx, rx uint64
	for _, step := range w.history(snapshot, 0) {
		tx, rx = tx+step.Tx, rx+step.Rx
	}
	if tx != 7 || rx != 0 {
		t.Errorf("history %d/%d, want 7/0, as the edge has", tx, rx)
	}
}

// When the end that counts falls silent, the other one counts.
func TestAReportThatEndedCountsNoLonger(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(
		flow(program("h", "curl"), dials("nginx", 80), 100, 0),
		flow(program("h", "nginx"), serves("curl", 80), 0, 100),
	)
	for i := range 30 {
		w.collect(flow(program("h", "nginx"), serves("curl", 80), 0, 101+int64(i)))
	}
	w.wantEdges("curl -> nginx:80 node 30/0")
}

func TestAPeerIsAllThatIsCertain(t *testing.T) {
	w := newWorld(t, 100)
	w.collect(
		flow(pod("n1", "web", "web-1", "app", "node"), seesProgram("client", "redis", "node", 6379), 5, 6),
		flow(pod("n1", "cache", "cache-1", "redis", "redis"), seesProgram("server", "node", "node", 6379), 6, 5),
		// Two proxies: which one it is cannot be told by the program.
		flow(pod("n1", "web", "web-1", "proxy", "envoy"), seesProgram("client", "envoy", "node", 80), 1, 1),
		flow(pod("n1", "cache", "cache-1", "proxy", "envoy"), seesProgram("client", "redis", "pod", 6379), 2, 2),
		// By the container's id it can.
		flow(pod("n1", "web", "web-1", "proxy", "envoy"),
			seesProgram("client", "envoy", "node", 90).With(feedtest.Attributes{"netconn.peer.container.id": "id-cache-1-proxy"}), 3, 3),
	)
	ends := map[uint16]*edge.End{}
	scopes := map[uint16]edge.Scope{}
	for _, e := range w.snapshot(fineSpan).Edges {
		if e.Link.Scope == edge.ScopePod {
			e.Link.Port = 1 // the hop within the pod
		}
		ends[e.Link.Port], scopes[e.Link.Port] = e.Server, e.Link.Scope
	}
	for port, want := range map[uint16]map[names.Tag]string{
		6379: {names.TagWorkload: "cache", names.TagPod: "cache-1", names.TagContainer: "redis", names.TagImageTag: "v1", names.TagNode: "n1"},
		80:   {names.TagWorkload: "", names.TagPod: "", names.TagExecutable: "envoy", names.TagNode: "n1", names.TagHost: "n1"},
		1:    {names.TagWorkload: "cache", names.TagPod: "cache-1", names.TagNamespace: "shop", names.TagName: "cache"},
		90:   {names.TagWorkload: "cache", names.TagPod: "cache-1", names.TagContainer: "proxy", names.TagName: "cache"},
	} {
		got := map[names.Tag]string{}
		for tag := range want {
			if ends[port] != nil {
				got[tag] = ends[port].Get(tag)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("server on port %d (-want +got):\n%s", port, diff)
		}
	}
}

func TestNothingOfAnotherNodeIsTaken(t *testing.T) {
	w := newWorld(t, 10)
	w.collect(
		flow(pod("n1", "web", "web-1", "app", "node"), sees("client", "db", "postgres", "remote", 5432), 5, 6),
		flow(pod("n2", "db", "db-1", "postgres", "postgres"), sees("server", "other", "app", "remote", 5432), 6, 5),
	)
	for _, e := range w.snapshot(fineSpan).Edges {
		if e.Client.Get(names.TagWorkload) == "web" && (e.Server.Has(names.TagPod) || e.Server.Has(names.TagNode)) {
			t.Errorf("a peer on another node is taken for %v", *e.Server)
		}
	}
}

func TestNewEdges(t *testing.T) {
	w := newWorld(t, 10)
	w.config.Learning = time.Minute
	w.collect(curl(1, 1))
	w.pass(2 * time.Minute)
	w.collect(curl(2, 2), flow(program("h", "curl"), dials("evil", 666), 1, 1))
	learned := map[uint16]bool{}
	for _, e := range w.snapshot(fineSpan).Edges {
		learned[e.Link.Port] = e.Learned
	}
	if diff := cmp.Diff(map[uint16]bool{80: true, 666: true}, learned); diff != "" {
		// The flow is as old as the store: only one that began later is new.
		t.Errorf("learned (-want +got):\n%s", diff)
	}
	fresh := flow(program("h", "curl"), dials("evil", 667), 1, 1)
	fresh.Start = w.now
	w.collect(curl(3, 3), fresh)
	for _, e := range w.snapshot(fineSpan).Edges {
		if e.Link.Port == 667 && e.Learned {
			t.Error("an edge that began after the learning period is not new")
		}
	}
}
