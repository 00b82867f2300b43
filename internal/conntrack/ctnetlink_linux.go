package conntrack

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

// Messages and attributes of ctnetlink: uapi/linux/netfilter/nfnetlink_conntrack.h.
const (
	ctGet      = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1 // IPCTNL_MSG_CT_GET
	ctGetStats = unix.NFNL_SUBSYS_CTNETLINK<<8 | 5 // IPCTNL_MSG_CT_GET_STATS

	ctaStatsGlobalEntries = 1

	ctaTupleOrig  = 1
	ctaTupleReply = 2
	ctaProtoinfo  = 4
	ctaZone       = 18

	ctaTupleIP    = 1
	ctaTupleProto = 2
	ctaTupleZone  = 3

	ctaIPv4Src = 1
	ctaIPv4Dst = 2
	ctaIPv6Src = 3
	ctaIPv6Dst = 4

	ctaProtoNum     = 1
	ctaProtoSrcPort = 2
	ctaProtoDstPort = 3

	ctaProtoinfoTCP      = 1
	ctaProtoinfoTCPState = 1
)

// sizeofNfgenmsg is the size of what follows the header of every message of netfilter: family, version, resource id.
const sizeofNfgenmsg = 4

// appendRequest appends the request for the entry that has the tuple of a lookup in either direction.
func appendRequest(out []byte, sequence uint32, l *zoneLookup) []byte {
	start := len(out)
	out = appendHeader(out, ctGet, sequence, family(l.tuple.Source.Addr()))
	out = appendAttribute(out, ctaTupleOrig|unix.NLA_F_NESTED, func(b []byte) []byte { return appendTuple(b, l) })
	if l.zone != 0 {
		out = appendPort(out, ctaZone, l.zone)
	}
	binary.NativeEndian.PutUint32(out[start:], uint32(len(out)-start))
	return out
}

// appendHeader appends the header of a request without attributes (struct nlmsghdr, struct nfgenmsg).
func appendHeader(out []byte, kind uint16, sequence uint32, family uint8) []byte {
	out = binary.NativeEndian.AppendUint32(out, unix.SizeofNlMsghdr+sizeofNfgenmsg)
	out = binary.NativeEndian.AppendUint16(out, kind)
	out = binary.NativeEndian.AppendUint16(out, unix.NLM_F_REQUEST)
	out = binary.NativeEndian.AppendUint32(out, sequence)
	out = binary.NativeEndian.AppendUint32(out, 0) // the sender, which the kernel knows
	return append(out, family, unix.NFNETLINK_V0, 0, 0)
}

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func appendTuple(b []byte, l *zoneLookup) []byte {
	source, destination := uint16(ctaIPv6Src), uint16(ctaIPv6Dst)
	if l.tuple.Source.Addr().Is4() {
		source, destination = ctaIPv4Src, ctaIPv4Dst
	}
	b = appendAttribute(b, ctaTupleIP|unix.NLA_F_NESTED, func(b []byte) []byte {
		b = appendBytes(b, source, l.tuple.Source.Addr().AsSlice())
		return appendBytes(b, destination, l.tuple.Destination.Addr().AsSlice())
	})
	return appendAttribute(b, ctaTupleProto|unix.NLA_F_NESTED, func(b []byte) []byte {
		b = appendBytes(b, ctaProtoNum, []byte{l.protocol})
		b = appendPort(b, ctaProtoSrcPort, l.tuple.Source.Port())
		return appendPort(b, ctaProtoDstPort, l.tuple.Destination.Port())
	})
}

func appendPort(b []byte, kind, port uint16) []byte {
	return appendAttribute(b, kind, func(b []byte) []byte { return binary.BigEndian.AppendUint16(b, port) })
}

// parseReply reads one message, and returns the sequence number of the request that it answers.
func parseReply(data []byte) (sequence uint32, e entry, r Result, err error) {
	if len(data) < unix.SizeofNlMsghdr {
		return 0, e, Failed, errShort
	}
	kind, sequence := binary.NativeEndian.Uint16(data[4:]), binary.NativeEndian.Uint32(data[8:])
	data = data[unix.SizeofNlMsghdr:]
	if kind == unix.NLMSG_ERROR {
		return sequence, e, parseError(data), nil
	}
	e, err = parseEntry(data)
	return sequence, e, Found, err
}

func parseError(data []byte) Result {
	if len(data) >= 4 && unix.Errno(-int32(binary.NativeEndian.Uint32(data))) == unix.ENOENT {
		return NoEntry
	}
	return Failed
}

// entry is what ctnetlink reports of a connection.
type entry struct {
	original, reply conn.Tuple
	state           State
	zones           []uint16 // of either direction, without zone 0
}

// answer returns what becomes of a packet of the connection.
func (e *entry) answer(packet conn.Tuple) Answer {
	switch packet {
	case e.original:
		return Answer{Tuple: e.reply.Reverse(), State: e.state}
	case e.reply:
		return Answer{Tuple: e.original.Reverse(), Reply: true, State: e.state}
	}
	return Answer{Result: Failed} // the kernel has answered another request
}

func parseEntry(data []byte) (e entry, err error) {
	if len(data) < sizeofNfgenmsg {
		return e, errShort
	}
	for kind, value := range attributesAfter(sizeofNfgenmsg, data) {
		switch kind {
		case ctaTupleOrig:
			e.original = e.parseTuple(value)
		case ctaTupleReply:
			e.reply = e.parseTuple(value)
		case ctaProtoinfo:
			e.state = parseState(value)
		case ctaZone:
			e.zones = append(e.zones, parsePort(value))
		}
	}
	return e, nil
}

func (e *entry) parseTuple(data []byte) conn.Tuple {
	var source, destination netip.Addr
	var sourcePort, destinationPort uint16
	for kind, value := range attributes(data) {
		switch kind {
		case ctaTupleIP:
			source, destination = parseAddresses(value)
		case ctaTupleProto:
			sourcePort, destinationPort = parsePorts(value)
		case ctaTupleZone:
			e.zones = append(e.zones, parsePort(value))
		}
	}
	return conn.Tuple{
		Source:      netip.AddrPortFrom(source, sourcePort),
		Destination: netip.AddrPortFrom(destination, destinationPort),
	}
}

func parseAddresses(data []byte) (source, destination netip.Addr) {
	for kind, value := range attributes(data) {
		switch kind {
		case ctaIPv4Src, ctaIPv6Src:
			source = parseAddr(value)
		case ctaIPv4Dst, ctaIPv6Dst:
			destination = parseAddr(value)
		}
	}
	return source, destination
}

func parsePorts(data []byte) (source, destination uint16) {
	for kind, value := range attributes(data) {
		switch kind {
		case ctaProtoSrcPort:
			source = parsePort(value)
		case ctaProtoDstPort:
			destination = parsePort(value)
		}
	}
	return source, destination
}

func parseState(data []byte) (s State) {
	for kind, value := range attributes(data) {
		if kind != ctaProtoinfoTCP {
			continue
		}
		for kind, value := range attributes(value) {
			if kind == ctaProtoinfoTCPState && len(value) == 1 {
				s = State(value[0])
			}
		}
	}
	return s
}

// parseTableSize reads the answer to IPCTNL_MSG_CT_GET_STATS: how many entries a namespace has.
func parseTableSize(message []byte) (entries uint32, err error) {
	for kind, value := range attributesAfter(unix.SizeofNlMsghdr+sizeofNfgenmsg, message) {
		if kind == ctaStatsGlobalEntries && len(value) == 4 {
			return binary.BigEndian.Uint32(value), nil
		}
	}
	return 0, errors.New("read the size of a table: no answer")
}
