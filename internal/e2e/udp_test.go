//go:build linux

package e2e

import (
	"maps"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// A client and a server, in containers of two namespaces, report every datagram and byte that they exchange by UDP, and
// the refusal of a datagram to a port without a socket. A connection of TCP to the same port is a flow of its own.
func TestUDP(t *testing.T) {
	sink := newSignals(t)
	own := "network.io.direction, netconn.role, network.transport, server.port, netconn.peer.type, netconn.peer.name"
	run(t, setup{Receiver: []string{
		"collection_interval: 500ms", "udp: used", "networks: {lab: [10.79.0.0/24]}",
		"metrics: {netconn.io: {attributes: [" + own + "]}, netconn.packets: {enabled: true, attributes: [" + own + "]}}",
	}, OTLP: sink.address})
	sink.await(t)

	here, there := testnet.New(t), testnet.New(t)
	testnet.Link(here, there, "nc0", "10.79.0.1/24", "10.79.0.2/24")
	appID, statsID := cgroup.NewID(), cgroup.NewID()
	app := startIn(t, "app", cgroup.SystemdPod(cgroup.NewUID(), appID), here.Namespace)
	stats := startIn(t, "stats", cgroup.SystemdPod(cgroup.NewUID(), statsID), there.Namespace)
	of := map[string]string{appID: "app", statsID: "stats"}
	reported := func() map[string]int64 { return reportedDatagrams(sink, of, own) }

	// The first datagrams of a cgroup pass before the programs for its packets are attached.
	stats.do("udp-listen discard 10.79.0.2:9")
	app.do("udp-dial discard 10.79.0.2:9")
	until(t, "both ends are counted", func() bool {
		app.do("udp-send discard 1")
		return len(sink.sum("netconn.io", func(n number) string {
			return of[n.resource["container.id"]]
		})) == 2
	})

	exchangeDatagrams(app, stats)
	connect("tcp", app, stats, "10.79.0.2:8125")
	transfer("tcp", app, stats, 33)
	want := map[string]int64{
		"netconn.io app transmit client udp 8125 pod stats":        1507,
		"netconn.io app receive client udp 8125 pod stats":         53,
		"netconn.io stats transmit server udp 8125 pod app":        53,
		"netconn.io stats receive server udp 8125 pod app":         1507,
		"netconn.packets app transmit client udp 8125 pod stats":   4,
		"netconn.packets app receive client udp 8125 pod stats":    2,
		"netconn.packets stats transmit server udp 8125 pod app":   2,
		"netconn.packets stats receive server udp 8125 pod app":    4,
		"netconn.io app transmit client udp 8126 private lab":      9,
		"netconn.packets app transmit client udp 8126 private lab": 1,
		"netconn.udp.errors app refused client udp 8126":           1,
		"netconn.io app transmit client tcp 8125 pod stats":        33,
		"netconn.io stats receive server tcp 8125 pod app":         33,
	}
	sink.settle(t, want, reported)

	app.do("udp-close c")
	stats.do("udp-close s")
	sink.settle(t, want, reported)
}

// exchangeDatagrams has the two exchange datagrams of several sizes, and the first send one to a port without a socket.
func exchangeDatagrams(app, stats *driver) {
	stats.do("udp-listen s 10.79.0.2:8125")
	app.do("udp-dial c 10.79.0.2:8125")
	for _, bytes := range []int{100, 0, 1400, 7} {
		app.do("udp-send c %d", bytes)
	}
	stats.do("udp-answer s 50 3")
	app.do("udp-receive c")
	app.do("udp-receive c")
	app.do("udp-dial closed 10.79.0.2:8126")
	app.do("udp-send closed 9")
	stats.do("listen 10.79.0.2:8125")
}

// reportedDatagrams returns what is reported of both, by transport.
func reportedDatagrams(sink *signals, of map[string]string, own string) map[string]int64 {
	all := make(map[string]int64)
	for metric, attributes := range map[string][]string{
		"netconn.io": strings.Split(own, ", "), "netconn.packets": strings.Split(own, ", "),
		"netconn.udp.errors": {"error.type", "netconn.role", "network.transport", "server.port"},
	} {
		maps.Copy(all, sink.sum(metric, func(n number) string {
			who := of[n.resource["container.id"]]
			if who == "" || n.point["server.port"] == "9" || metric == "netconn.packets" && n.point["network.transport"] == "tcp" {
				return ""
			}
			return metric + " " + who + " " + n.point.of(attributes...)
		}))
	}
	return all
}
