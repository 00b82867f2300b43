package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/store"
)

// A podKind is a pod as the agent's processor describes it (own), and as the receiver describes it as a peer.
type podKind struct{ own, peer feedtest.Attributes }

// podKinds are the pods of a node, which is NODE in their names, in all ways in which pods come to be. The attributes are those that
// k8s_attributes v0.159.0 and the receiver set with the shipped configuration.
var podKinds = map[string]podKind{
	"deployment": {
		feedtest.Attributes{"k8s.pod.name": "web-6d4f8-x2bcd", "k8s.deployment.name": "web", "service.name": "web"},
		feedtest.Attributes{
			"netconn.peer.name": "web", "service.peer.name": "web",
			"netconn.peer.k8s.workload.name": "web", "netconn.peer.k8s.workload.kind": "Deployment",
		},
	},
	"bare": {
		feedtest.Attributes{"k8s.pod.name": "debug", "service.name": "debug"},
		feedtest.Attributes{"netconn.peer.name": "debug", "service.peer.name": "debug"},
	},
	"bare, with a label": {
		feedtest.Attributes{"k8s.pod.name": "shell-1", "service.name": "shell"},
		feedtest.Attributes{"netconn.peer.name": "shell", "service.peer.name": "shell"},
	},
	"static": {
		feedtest.Attributes{"k8s.pod.name": "etcd-NODE", "service.name": "etcd-NODE"},
		feedtest.Attributes{"netconn.peer.name": "etcd", "service.peer.name": "etcd-NODE"},
	},
	"job": {
		feedtest.Attributes{
			"k8s.pod.name": "import-20240101-x2bcd", "k8s.job.name": "import-20240101", "service.name": "import-20240101",
		},
		feedtest.Attributes{
			"netconn.peer.name": "import-20240101", "service.peer.name": "import-20240101",
			"netconn.peer.k8s.workload.name": "import-20240101", "netconn.peer.k8s.workload.kind": "Job",
		},
	},
	"cron job": {
		feedtest.Attributes{
			"k8s.pod.name": "report-29000000-x2bcd", "k8s.job.name": "report-29000000", "k8s.cronjob.name": "report",
			"service.name": "report",
		},
		feedtest.Attributes{
			"netconn.peer.name": "report", "service.peer.name": "report",
			"netconn.peer.k8s.workload.name": "report", "netconn.peer.k8s.workload.kind": "CronJob",
		},
	},
	"daemon set in the network of the node": {
		feedtest.Attributes{"k8s.pod.name": "proxy-x2bcd", "k8s.daemonset.name": "proxy", "service.name": "proxy"},
		feedtest.Attributes{
			"netconn.peer.name": "proxy", "service.peer.name": "proxy",
			"netconn.peer.k8s.workload.name": "proxy", "netconn.peer.k8s.workload.kind": "DaemonSet",
		},
	},
}

// custom are the pods of a controller that the processor does not know: by their own telemetry they have no owner.
var custom = podKind{
	feedtest.Attributes{"k8s.pod.name": "canary-77f-x2bcd", "service.name": "canary-77f-x2bcd"},
	feedtest.Attributes{
		"netconn.peer.name": "canary-77f", "service.peer.name": "canary-77f-x2bcd",
		"netconn.peer.k8s.workload.name": "canary-77f", "netconn.peer.k8s.workload.kind": "ReplicaSet",
	},
}

// resource is the resource of the pod's only container, on a node.
func (p podKind) resource(node string) feedtest.Attributes {
	onNode := func(name string) string { return strings.ReplaceAll(p.own[name].(string), "NODE", node) }
	pod := onNode("k8s.pod.name")
	return p.own.With(feedtest.Attributes{
		"k8s.pod.name": pod, "service.name": onNode("service.name"), "k8s.pod.uid": "uid-" + pod, "container.id": "id-" + pod,
		"host.id": node, "host.name": node, "k8s.node.name": node, "k8s.namespace.name": "shop", "k8s.container.name": "main", "process.executable.name": "main",
	})
}

// point is a point about the pod, as the end with the other role has it.
func (p podKind) point(role, scope string) feedtest.Attributes {
	return p.peer.With(feedtest.Attributes{
		"netconn.role": role, "netconn.peer.type": "pod", "netconn.peer.scope": scope,
		"network.transport": "tcp", "server.port": 80,
		"netconn.peer.k8s.namespace.name": "shop", "netconn.peer.container.name": "main",
	})
}

// calls are the two reports of a connection between two pods.
func (p podKind) calls(server podKind, scope string, tx, rx int64) []feedtest.Flow {
	there := "n1"
	if scope == "remote" {
		there = "n2"
	}
	return []feedtest.Flow{
		{Resource: p.resource("n1"), Point: server.point("client", scope), Tx: tx, Rx: rx, Attempts: map[string]int64{"": 1}},
		{Resource: server.resource(there), Point: p.point("server", scope), Tx: rx, Rx: tx, Attempts: map[string]int64{"": 1}},
	}
}

// Whatever owns the pods of an edge, the edge is there once, and counts what was sent.
func TestEdgesOfAllKindsOfPodsAreThereOnce(t *testing.T) {
	all := maps.Clone(podKinds)
	all["replica set of a controller that the processor does not know"] = custom
	for _, scope := range []string{"node", "remote"} {
		for client, c := range all {
			for server, s := range all {
				w := newWorld(store.Config{})
				w.collect(c.calls(s, scope, 100, 1000)...)
				g := w.graph(t, "workload", "namespace", "")
				if g.Totals != (Totals{Edges: 1, Tx: 100, Rx: 1000, Attempts: 1}) {
					t.Errorf("%s to %s, scope %s: %+v, want one edge (%q)", client, server, scope, g.Totals, lines(g))
				}
			}
		}
	}
}

// All pods call each other at once: each pod is one node, whichever end reports it, and the sums are those sent.
func TestEachPodIsOneNode(t *testing.T) {
	w := newWorld(store.Config{})
	var flows []feedtest.Flow
	var want []string
	var tx uint64
	for i, client := range slices.Sorted(maps.Keys(podKinds)) {
		for j, server := range slices.Sorted(maps.Keys(podKinds)) {
			if i == j {
				continue
			}
			n := int64(100*i + j)
			c, s := podKinds[client], podKinds[server]
			flows = append(flows, c.calls(s, "node", n, 0)...)
			tx += uint64(n)
			from, to := c.peer["netconn.peer.name"], s.peer["netconn.peer.name"]
			want = append(want, fmt.Sprintf("shop/%v -> shop/%v %d/0", from, to, n))
		}
	}
	w.collect(flows...)
	slices.Sort(want)
	for _, tag := range []string{"workload", "name"} {
		g := w.graph(t, tag, "namespace", "")
		if diff := cmp.Diff(want, lines(g)); diff != "" {
			t.Errorf("edges by %s (-want +got):\n%s", tag, diff)
		}
		if len(g.Nodes.Name) != len(podKinds) || g.Totals.Tx != tx {
			t.Errorf("by %s: %d nodes and %d bytes, want %d and %d", tag, len(g.Nodes.Name), g.Totals.Tx, len(podKinds), tx)
		}
	}
}
