//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/netconn/netconn/internal/testnet/mesh"
)

// meshMetrics configures the counts, and the attributes that distinguish the hops by their way, not by their ends.
func meshMetrics(more ...string) string {
	flow := append([]string{
		"netconn.role", "server.port", "netconn.peer.type", "netconn.peer.scope", "netconn.peer.name",
		"netconn.peer.container.name", "netconn.peer.container.id", "netconn.nat", "netconn.original_destination.name",
		"netconn.original_destination.port", "netconn.original_destination.address",
	}, more...)
	var all []string
	for metric, own := range map[string][]string{
		"netconn.io": {"network.io.direction"}, "netconn.attempts": {"error.type"}, "netconn.closed": {"error.type"}, "netconn.active": {},
	} {
		all = append(all, fmt.Sprintf("%s: {attributes: [%s]}", metric, strings.Join(append(own, flow...), ", ")))
	}
	off := append([]string{"netconn.tcp.rtt", "netconn.tcp.handshake.duration", "netconn.listen.drops"}, kernelTiming...)
	for _, metric := range off {
		all = append(all, metric+": {enabled: false}")
	}
	return "metrics: {" + strings.Join(all, ", ") + "}"
}

// A member is a process of a mesh: what netconn is to call it, and where it is.
type member struct {
	name string    // of its executable
	id   string    // of its container; empty: it is a process of the host
	pod  *mesh.Pod // nil: it is in none
}

// key is what its resource is known by.
func (m member) key() string {
	if m.id != "" {
		return m.id
	}
	return m.name
}

// seenFrom returns the attributes of the member as the other end of another one's connection.
func (m member) seenFrom(own member) []string {
	if m.id == "" {
		return []string{"netconn.peer.type=host", "netconn.peer.scope=node", "netconn.peer.name=" + m.name}
	}
	scope := "node"
	switch {
	case own.id == m.id:
		scope = "container"
	case own.pod == m.pod:
		scope = "pod"
	}
	return []string{"netconn.peer.type=pod", "netconn.peer.scope=" + scope, "netconn.peer.name=" + m.name,
		"netconn.peer.container.name=" + m.name, "netconn.peer.container.id=" + m.id}
}

// A hop is the connections between two members of a mesh that have everything in common.
type hop struct {
	client, server    member
	port              int    // server.port
	nat               string // netconn.nat
	original          netip.AddrPort
	connections, open int
	there, back       int64  // bytes
	views             *views // nil: the addresses are not asked for
}

// views are the addresses of a hop: who is really there, and what the two sockets say.
type views struct {
	client, server         netip.Addr // really
	clientLocal, clientFar netip.Addr // of the client's socket
	serverLocal, serverFar netip.Addr
}

// of returns the attributes of an end.
func (v *views) of(role string) []string {
	if v == nil {
		return nil
	}
	local, far := v.clientLocal, v.clientFar
	if role == "server" {
		local, far = v.serverLocal, v.serverFar
	}
	return []string{
		"client.address=" + v.client.String(), "server.address=" + v.server.String(),
		"network.local.address=" + local.String(), "network.peer.address=" + far.String(),
	}
}

// expect returns what both ends of every hop are to report. Equal series are added up.
func expect(hops []hop) counts {
	want := make(counts)
	for _, h := range hops {
		for _, end := range []struct {
			own, other     member
			role           string
			sent, received int64
		}{{h.client, h.server, "client", h.there, h.back}, {h.server, h.client, "server", h.back, h.there}} {
			flow := append(h.way(), "netconn.role="+end.role)
			flow = append(flow, h.views.of(end.role)...)
			flow = append(flow, end.other.seenFrom(end.own)...)
			want.add(end.own, flow, h.connections, h.open, end.sent, end.received)
		}
	}
	return want
}

// add adds connections of a flow to a member's counts.
func (want counts) add(m member, flow []string, connections, open int, sent, received int64) {
	if want[m.key()] == nil {
		want[m.key()] = make(map[string]int64)
	}
	of := func(metric string, more ...string) string { return of(flow, metric, more...) }
	series := want[m.key()]
	series[of("netconn.io", "network.io.direction=transmit")] += sent
	series[of("netconn.io", "network.io.direction=receive")] += received
	series[of("netconn.attempts")] += int64(connections)
	series[of("netconn.active")] += int64(open)
	if closed := connections - open; closed > 0 {
		series[of("netconn.closed")] += int64(closed)
	}
}

// way returns the attributes that describe the translation.
func (h hop) way() []string {
	way := []string{fmt.Sprint("server.port=", h.port), "netconn.nat=" + h.nat}
	if h.original.IsValid() {
		way = append(way, "netconn.original_destination.name=private", fmt.Sprint("netconn.original_destination.port=", h.original.Port()),
			"netconn.original_destination.address="+h.original.Addr().String())
	}
	return way
}
