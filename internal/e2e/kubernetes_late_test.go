//go:build linux

package e2e

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testcluster"
)

// The API knows one pod without its container, and nothing of a static pod: the kubelet has not reported them yet, and
// may not reach the API for a while. Nothing of both is emitted until it has. Then everything is there once, with the
// names.
func TestClusterLateContainers(t *testing.T) {
	t.Parallel() // it reads its own connections only, so another test may use the same addresses
	c := testcluster.New(t)
	s, sink := newKnownTestbed(t, c), newSignals(t)
	a := runAgent(t, c.KubeConfig("agent", c.Admin), sink)
	until(t, "all watches", func() bool { return slices.Equal(a.connected(), watched) })
	sink.await(t)

	alone, static := kinds[0], kinds[2]
	object := c.MakePod(alone.object())
	pods := map[string]knownPod{"alone": alone.start(s, object.UID, 150), "static": static.start(s, "", 151)}
	want := make(map[string]int64)
	for client, server := range map[string]string{"alone": "static", "static": "alone"} {
		name, from, to := "from "+client, pods[client], pods[server]
		dialAndExchange(from.workload, to.workload, client, to.listens, to.listens)
		want[name+" receive"], want[name+" transmit"] = 20_000, 1000
	}
	time.Sleep(8 * time.Second) // patience, and three collections and batches
	for _, n := range sink.ever("netconn.io") {
		if id := n.resource["container.id"]; id == pods["alone"].id || id == pods["static"].id {
			t.Errorf("it is reported before the API knows it: %v %v", n.resource, n.point)
		}
	}

	report(t, c, object, pods["alone"].listens.Addr(), pods["alone"].id)
	report(t, c, c.MakePod(static.object()), pods["static"].listens.Addr(), pods["static"].id)
	client := func(n number) string {
		for name, p := range pods {
			if n.resource["container.id"] == p.id && n.point["netconn.role"] == "client" {
				return "from " + name + " " + n.point["network.io.direction"]
			}
		}
		return ""
	}
	sink.settle(t, want, func() map[string]int64 { return sink.sum("netconn.io", client) })
	ever := make(map[string]int64)
	for _, n := range sink.ever("netconn.io") {
		ever[client(n)] += n.value
		named := n.resource["k8s.pod.name"] != "" && n.resource["k8s.container.name"] == "app" && n.resource["container.image.tag"] == "v7"
		if client(n) != "" && !named {
			t.Errorf("without a name: %v", n.resource)
		}
	}
	if delete(ever, ""); !maps.Equal(ever, want) {
		t.Errorf("in all series that there ever were %v, want %v", ever, want)
	}
}
