//go:build linux

package e2e

import (
	"fmt"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// Where the other end is, seen from each of the two: in the same container, in another one of the pod, elsewhere on
// this machine. A container is named after its first process, whichever of its processes talks.
func TestScopes(t *testing.T) {
	sink := newSink(t)
	run(t, setup{Receiver: []string{"collection_interval: 1s"}, OTLP: sink.address})
	sink.next(1)

	pod, elsewhere := testnet.New(t), testnet.New(t)
	testnet.Link(pod, elsewhere, "nc0", "10.78.0.1/24", "10.78.0.2/24")
	uid, appID, proxyID, otherID := cgroup.NewUID(), cgroup.NewID(), cgroup.NewID(), cgroup.NewID()
	inApp := newCgroup(t, cgroup.SystemdPod(uid, appID))
	app := start(t, "app", pod.Namespace, inApp)
	worker := start(t, "worker", pod.Namespace, inApp)
	proxy := startIn(t, "proxy", cgroup.SystemdPod(uid, proxyID), pod.Namespace)
	other := startIn(t, "other", cgroup.SystemdPod(cgroup.NewUID(), otherID), elsewhere.Namespace)
	backup := startIn(t, "netconn-backup", "plain", elsewhere.Namespace)

	for _, meeting := range []struct {
		client, server *driver
		address        string
	}{
		{worker, app, "127.0.0.1:8001"},
		{app, proxy, "127.0.0.1:8002"},
		{proxy, other, "10.78.0.2:8003"},
		{backup, app, "10.78.0.1:8004"},
	} {
		meeting.server.do("listen %s", meeting.address)
		connect(meeting.address, meeting.client, meeting.server, meeting.address)
		transfer(meeting.address, meeting.client, meeting.server, 1)
	}
	inPod := func(name string) []string {
		return []string{"netconn.peer.type=pod", "netconn.peer.name=" + name, "netconn.peer.container.name=" + name}
	}
	host := []string{"netconn.peer.type=host", "netconn.peer.name=netconn-backup"}
	sink.want(counts{
		appID: merge(
			met("client", 8001, "container", inPod("app")),
			met("server", 8001, "container", inPod("app")),
			met("client", 8002, "pod", inPod("proxy")),
			met("server", 8004, "node", host),
		),
		proxyID: merge(
			met("server", 8002, "pod", inPod("app")),
			met("client", 8003, "node", inPod("other")),
		),
		otherID: merge(
			met("server", 8003, "node", inPod("proxy")),
		),
		"netconn-backup": met("client", 8004, "node", inPod("app")),
	}, 3)
	checkHistory(t, sink.all())
}

// met returns the counts of an end of a connection on which the client has sent one byte.
func met(role string, port int, scope string, peer []string) map[string]int64 {
	flow := append(peer, "netconn.role="+role, fmt.Sprint("server.port=", port),
		"netconn.peer.scope="+scope, "netconn.nat=none")
	sent, received := int64(1), int64(0)
	if role == "server" {
		sent, received = received, sent
	}
	return map[string]int64{
		of(flow, "netconn.io", "network.io.direction=transmit"): sent,
		of(flow, "netconn.io", "network.io.direction=receive"):  received,
		of(flow, "netconn.attempts"):                            1,
		of(flow, "netconn.active"):                              1,
	}
}

func merge(all ...map[string]int64) map[string]int64 {
	merged := make(map[string]int64)
	for _, m := range all {
		for name, value := range m {
			merged[name] = value
		}
	}
	return merged
}
