//go:build linux

package e2e

import (
	"slices"
	"testing"

	"github.com/netconn/netconn/internal/testcluster"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// Two cgroups have names as a kubelet gives them. One is of a pod that the API does not have, the other is of the
// victim's container in such a pod. Both connect to the victim. Neither becomes a pod, and nothing that they send is the
// victim's.
func TestClusterForgedPods(t *testing.T) {
	t.Parallel() // it reads its own connections only, so another test may use the same addresses
	c := testcluster.New(t)
	s, sink := newKnownTestbed(t, c), newSignals(t)
	a := runAgent(t, c.KubeConfig("agent", c.Admin), sink)
	until(t, "all watches", func() bool { return slices.Equal(a.connected(), watched) })
	sink.await(t)
	object := c.MakePod(kinds[0].object())
	victim := kinds[0].start(s, object.UID, 150)
	report(t, c, object, victim.listens.Addr(), victim.id)

	absent := kinds[1].start(s, "0badc0de-0000-4000-8000-000000000001", 151)
	copied := kinds[1].start(s, "0badc0de-0000-4000-8000-000000000002", 152)
	forged, err := cgroup.New("forged", cgroup.SystemdPod(copied.pod.UID, victim.id))
	s.check(err)
	t.Cleanup(func() { s.check(forged.Close()) })
	copied.driver = start(t, "copied", copied.in, forged)
	for name, from := range map[string]*workload{"absent": absent.workload, "copied": copied.workload} {
		dialAndExchange(from, victim.workload, name, victim.listens, victim.listens)
	}

	want := map[string]int64{
		"victim receive": 2000, "victim transmit": 40_000, "absent receive": 20_000, "absent transmit": 1000,
	}
	sink.settle(t, want, func() map[string]int64 {
		return sink.sum("netconn.io", func(n number) string {
			role, direction := n.point["netconn.role"], n.point["network.io.direction"]
			switch id := n.resource["container.id"]; {
			case id == victim.id && role == "server" && n.point["netconn.peer.k8s.namespace.name"] == "":
				return "victim " + direction
			case id == absent.id && role == "client" && n.resource["k8s.pod.uid"] == "" && n.resource["k8s.pod.name"] == "":
				return "absent " + direction
			}
			return ""
		})
	})
	for _, n := range sink.ever("netconn.io") {
		switch uid := n.resource["k8s.pod.uid"]; {
		case uid == absent.pod.UID || uid == copied.pod.UID:
			t.Errorf("a forged pod: %v %v", n.resource, n.point)
		case n.resource["container.id"] == victim.id && n.point["netconn.role"] == "client":
			t.Errorf("the victim has not connected to anything: %v %v", n.resource, n.point)
		}
	}
	if got := readPage(t, a.telemetry).values["otelcol_netconn_kubernetes_pods_contradicted{}"]; got < 2 {
		t.Errorf("%v owners are contradicted, want 2 at least", got)
	}
}
