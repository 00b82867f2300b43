//go:build linux

package conntrack

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// routeMessage is a route as a dump has it.
func routeMessage(route unix.RtMsg, attributes ...[]byte) []byte {
	message := bytesOf(&route)
	for _, a := range attributes {
		message = append(message, a...)
	}
	return message
}

func leavesBy(index uint32) []byte { return appendUint32(nil, unix.RTA_OIF, index) }

func nextHops(indexes ...uint32) (hops []byte) {
	for _, index := range indexes {
		hop := unix.RtNexthop{Len: unix.SizeofRtNexthop + 8, Ifindex: int32(index)}
		hops = append(hops, bytesOf(&hop)...)
		hops = appendBytes(hops, unix.RTA_GATEWAY, []byte{10, 0, 0, 1})
	}
	return hops
}

// Only a route that leads to other networks makes its interface a way there.
func TestAddRoute(t *testing.T) {
	static := unix.RtMsg{Family: unix.AF_INET, Dst_len: 12, Protocol: unix.RTPROT_STATIC, Type: unix.RTN_UNICAST}
	change := func(f func(*unix.RtMsg)) unix.RtMsg { r := static; f(&r); return r }
	for name, c := range map[string]struct {
		message     []byte
		ways        []uint32
		conditional bool
	}{
		"a static route": {routeMessage(static, leavesBy(2)), []uint32{2}, false},
		"the default route": {
			routeMessage(change(func(r *unix.RtMsg) { r.Dst_len = 0 }), leavesBy(2)), []uint32{2}, false},
		"a route of a routing protocol": {
			routeMessage(change(func(r *unix.RtMsg) { r.Protocol = unix.RTPROT_BGP }), leavesBy(3)), []uint32{3},
			false},
		"a connected network": {
			routeMessage(change(func(r *unix.RtMsg) { r.Protocol = unix.RTPROT_KERNEL }), leavesBy(2)), nil, false},
		"one address, as a node has for a pod": {
			routeMessage(change(func(r *unix.RtMsg) { r.Dst_len = 32 }), leavesBy(2)), nil, false},
		"one IPv6 address": {
			routeMessage(change(func(r *unix.RtMsg) { r.Family, r.Dst_len = unix.AF_INET6, 128 }), leavesBy(2)),
			nil, false},
		"32 bits of IPv6": {
			routeMessage(change(func(r *unix.RtMsg) { r.Family, r.Dst_len = unix.AF_INET6, 32 }), leavesBy(2)),
			[]uint32{2}, false},
		"an own address": {
			routeMessage(change(func(r *unix.RtMsg) { r.Type = unix.RTN_LOCAL }), leavesBy(1)), nil, false},
		"an unreachable network": {
			routeMessage(change(func(r *unix.RtMsg) { r.Type = unix.RTN_UNREACHABLE }), leavesBy(1)), nil, false},
		"two next hops": {
			routeMessage(static, appendBytes(nil, unix.RTA_MULTIPATH, nextHops(2, 3))), []uint32{2, 3}, true},
		"a next hop that is cut off": {
			routeMessage(static, appendBytes(nil, unix.RTA_MULTIPATH, nextHops(2, 3)[:20])), []uint32{2}, true},
		"a part of a message": {routeMessage(static)[:5], nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := routing{ways: make(map[uint32]bool)}
			r.addRoute(c.message)
			want := make(map[uint32]bool)
			for _, index := range c.ways {
				want[index] = true
			}
			wantEqual(t, "ways", r.ways, want)
			if r.conditional != c.conditional {
				t.Errorf("conditional %v, want %v", r.conditional, c.conditional)
			}
		})
	}
}

// A rule by destination is in the kernel's answer. No lookup knows a mark, a user or a port.
func TestAddRule(t *testing.T) {
	const fraDestination, fraTable = 1, 15
	for name, c := range map[string]struct {
		kind                  uint16
		tos                   uint8
		conditional, bySource bool
	}{
		"no selector":        {fraTable, 0, false, false},
		"by destination":     {fraDestination, 0, false, false},
		"by source":          {fraSource, 0, false, true},
		"by mark":            {fraMark, 0, true, false},
		"by user":            {fraUserRange, 0, true, false},
		"by interface":       {fraInterfaceIn, 0, true, false},
		"by bound interface": {fraInterfaceOut, 0, true, false},
		"by protocol":        {fraProtocol, 0, true, false},
		"by port":            {fraDestPorts, 0, true, false},
		"by source port":     {fraSourcePorts, 0, true, false},
		"of a VRF":           {fraL3Master, 0, true, false},
		"by type of service": {fraTable, 8, true, false},
	} {
		var r routing
		header := ruleHeader(unix.AF_INET)
		header[3] = c.tos
		r.addRule(appendUint32(header, c.kind, 1))
		if r.conditional != c.conditional || r.bySource != c.bySource {
			t.Errorf("%s: conditional %v, by source %v", name, r.conditional, r.bySource)
		}
	}
	var r routing
	r.addRule(make([]byte, sizeofFibRuleHdr-1))
	if r.conditional || r.bySource {
		t.Errorf("a part of a message: %+v", r)
	}
}

func TestParseInterface(t *testing.T) {
	veth := recorded(t, "rtnetlink/link/veth")
	if l, ok := parseInterface(veth); !ok || l != (link{index: 2, nsid: 0, linked: true}) {
		t.Errorf("veth: %+v, %v", l, ok)
	}
	if l, ok := parseInterface(recorded(t, "rtnetlink/link/loopback")); ok {
		t.Errorf("loopback: %+v", l)
	}
	binary.NativeEndian.PutUint32(veth[8:], 0)
	if l, ok := parseInterface(veth); ok {
		t.Errorf("an interface that is down: %+v", l)
	}
	if l, ok := parseInterface(veth[:10]); ok {
		t.Errorf("a part of a message: %+v", l)
	}
}

// Where all ways lead to the same place, it does not matter which one a packet takes.
func TestSameOuter(t *testing.T) {
	physical, tunnel := &egress{link: link{index: 2}}, &egress{link: link{index: 3}}
	node, vpn := &egress{link: link{index: 4, nsid: 0, linked: true}}, &egress{link: link{index: 5, nsid: 1, linked: true}}
	second := &egress{link: link{index: 6, nsid: 0, linked: true}} // to the node, too
	for name, c := range map[string]struct {
		ways []*egress
		e    *egress
		want bool
	}{
		"the only way":                     {[]*egress{node}, node, true},
		"no way":                           {nil, node, true},
		"two that leave the machine":       {[]*egress{physical, tunnel}, physical, true},
		"two to one namespace":             {[]*egress{node, second}, node, true},
		"two to two namespaces":            {[]*egress{node, vpn}, node, false},
		"to a namespace, and off the host": {[]*egress{physical, vpn}, vpn, false},
		"off the host, and to a namespace": {[]*egress{physical, vpn}, physical, false},
		"no route, and ways off the host":  {[]*egress{physical, tunnel}, nil, true},
		"no route, and a namespace":        {[]*egress{physical, node}, nil, false},
	} {
		i := &interfaces{links: make(map[uint32]*egress)}
		r := &routing{ways: map[uint32]bool{99: true}} // an interface that is down
		for _, w := range c.ways {
			i.links[w.index] = w
			r.ways[w.index] = true
		}
		if got := i.sameOuter(r, c.e); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAppendRouteRequestWithSource(t *testing.T) {
	message := appendRouteRequest(netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"))
	if message[1] != 32 || message[2] != 32 {
		t.Errorf("%d bits of the destination, %d of the source; want 32", message[1], message[2])
	}
	wantEqual(t, "attributes", collect(message[unix.SizeofRtMsg:]), []attribute{
		{unix.RTA_DST, []byte{10, 0, 0, 2}}, {unix.RTA_SRC, []byte{10, 0, 0, 1}},
	})
}
