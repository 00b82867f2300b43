package conntrack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

// Messages and attributes of ctnetlink: uapi/linux/netfilter/nfnetlink_conntrack.h.
const (
	ctGet = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1 // IPCTNL_MSG_CT_GET

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

// requestsAtOnce is how many requests go into one datagram. Their answers have to find room in the socket, and the kernel answers each
// before it looks at the next.
const requestsAtOnce = 32

// An asker is the source that asks ctnetlink. It has a socket in a namespace only while it asks: a socket would keep the namespace alive.
type asker struct {
	enter func(*namespace) (*os.File, error)
}

// ask answers queries namespace by namespace.
func (k *asker) ask(queries []query, answers []Answer) {
	var order []*namespace
	of := make(map[*namespace][]int)
	for i, q := range queries {
		if of[q.namespace] == nil {
			order = append(order, q.namespace)
		}
		of[q.namespace] = append(of[q.namespace], i)
	}
	for _, n := range order {
		if err := k.askIn(n, queries, of[n], answers); err != nil {
			result := NoNamespace
			if errors.Is(err, ErrEarly) {
				result = Early
			}
			for _, i := range of[n] {
				answers[i] = Answer{Result: result}
			}
		}
	}
}

func (k *asker) askIn(n *namespace, queries []query, which []int, answers []Answer) error {
	file, err := k.enter(n)
	if err != nil {
		return err
	}
	defer file.Close()
	c, err := dial(unix.NETLINK_NETFILTER, file)
	if err != nil {
		return err
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("use netlink socket: %w", err)
	}
	buffer := make([]byte, 1<<14)
	for len(which) > 0 {
		some := which[:min(len(which), requestsAtOnce)]
		which = which[len(some):]
		err := errors.Join(raw.Control(func(fd uintptr) { askSome(int(fd), queries, some, answers, buffer) }))
		if err != nil {
			return fmt.Errorf("use netlink socket: %w", err)
		}
	}
	return nil
}

// askSome sends requests in one datagram and reads an answer to each, in order: an entry, or an error.
func askSome(fd int, queries []query, which []int, answers []Answer, buffer []byte) {
	out := buffer[:0]
	for sequence, i := range which {
		answers[i] = Answer{Result: Failed}
		out = appendRequest(out, uint32(sequence), queries[i])
	}
	if err := unix.Sendto(fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return
	}
	for answered := 0; answered < len(which); answered++ {
		n, err := unix.Read(fd, buffer) // the socket does not block
		if errors.Is(err, unix.EINTR) {
			answered--
			continue
		}
		if err != nil {
			return
		}
		if sequence, a, ok := parseReply(buffer[:n], queries, which); ok {
			answers[which[sequence]] = a
		}
	}
}

// parseReply reads one message, and tells by its sequence number which query it answers.
func parseReply(data []byte, queries []query, which []int) (sequence uint32, a Answer, ok bool) {
	if len(data) < unix.SizeofNlMsghdr {
		return 0, a, false
	}
	kind, sequence := binary.NativeEndian.Uint16(data[4:]), binary.NativeEndian.Uint32(data[8:])
	if int64(sequence) >= int64(len(which)) {
		return 0, a, false
	}
	data = data[unix.SizeofNlMsghdr:]
	if kind == unix.NLMSG_ERROR {
		return sequence, Answer{Result: resultOf(data)}, true
	}
	e, err := parseEntry(data)
	if err != nil {
		return 0, a, false
	}
	return sequence, e.answer(queries[which[sequence]].tuple), true
}

func resultOf(errorMessage []byte) Result {
	if len(errorMessage) >= 4 && unix.Errno(-int32(binary.NativeEndian.Uint32(errorMessage))) == unix.ENOENT {
		return NoEntry
	}
	return Failed
}

// appendRequest appends the request for the entry that has the query's tuple in either direction.
func appendRequest(out []byte, sequence uint32, q query) []byte {
	start := len(out)
	out = appendHeader(out, ctGet, sequence, family(q.tuple))
	out = appendAttribute(out, ctaTupleOrig|unix.NLA_F_NESTED, func(b []byte) []byte { return appendTuple(b, q) })
	if q.zone != 0 {
		out = appendPort(out, ctaZone, q.zone)
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
	out = binary.NativeEndian.AppendUint32(out, 0) // from whom: the kernel knows
	return append(out, family, unix.NFNETLINK_V0, 0, 0)
}

func family(t conn.Tuple) uint8 {
	if t.Source.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func appendTuple(b []byte, q query) []byte {
	from, to := uint16(ctaIPv6Src), uint16(ctaIPv6Dst)
	if family(q.tuple) == unix.AF_INET {
		from, to = ctaIPv4Src, ctaIPv4Dst
	}
	b = appendAttribute(b, ctaTupleIP|unix.NLA_F_NESTED, func(b []byte) []byte {
		b = appendAddress(b, from, q.tuple.Source.Addr())
		return appendAddress(b, to, q.tuple.Destination.Addr())
	})
	return appendAttribute(b, ctaTupleProto|unix.NLA_F_NESTED, func(b []byte) []byte {
		b = appendAttribute(b, ctaProtoNum, func(b []byte) []byte { return append(b, q.protocol) })
		b = appendPort(b, ctaProtoSrcPort, q.tuple.Source.Port())
		return appendPort(b, ctaProtoDstPort, q.tuple.Destination.Port())
	})
}

func appendAddress(b []byte, kind uint16, a netip.Addr) []byte {
	return appendAttribute(b, kind, func(b []byte) []byte {
		if a.Is4() {
			v4 := a.As4()
			return append(b, v4[:]...)
		}
		v6 := a.As16()
		return append(b, v6[:]...)
	})
}

func appendPort(b []byte, kind, p uint16) []byte {
	return appendAttribute(b, kind, func(b []byte) []byte { return binary.BigEndian.AppendUint16(b, p) })
}

// An entry is what ctnetlink tells of a connection.
type entry struct {
	original, reply conn.Tuple
	state           State
	zones           []uint16 // of either direction, without zone 0
}

// answer tells what became of a packet of the connection.
func (e entry) answer(packet conn.Tuple) Answer {
	switch packet {
	case e.original:
		return Answer{Tuple: e.reply.Reverse(), State: e.state}
	case e.reply:
		return Answer{Tuple: e.original.Reverse(), Reply: true, State: e.state}
	}
	return Answer{Result: Failed} // the kernel answered something else
}

func parseEntry(data []byte) (e entry, err error) {
	if len(data) < sizeofNfgenmsg {
		return e, errShort
	}
	for kind, value := range attributes(data[sizeofNfgenmsg:]) {
		switch kind {
		case ctaTupleOrig:
			e.original = e.parseTuple(value)
		case ctaTupleReply:
			e.reply = e.parseTuple(value)
		case ctaProtoinfo:
			e.parseProtocol(value)
		case ctaZone:
			e.zones = append(e.zones, port(value))
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
			e.zones = append(e.zones, port(value))
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
			source = address(value)
		case ctaIPv4Dst, ctaIPv6Dst:
			destination = address(value)
		}
	}
	return source, destination
}

func parsePorts(data []byte) (source, destination uint16) {
	for kind, value := range attributes(data) {
		switch kind {
		case ctaProtoSrcPort:
			source = port(value)
		case ctaProtoDstPort:
			destination = port(value)
		}
	}
	return source, destination
}

func (e *entry) parseProtocol(data []byte) {
	for kind, value := range attributes(data) {
		if kind != ctaProtoinfoTCP {
			continue
		}
		for kind, value := range attributes(value) {
			if kind == ctaProtoinfoTCPState && len(value) == 1 {
				e.state = State(value[0])
			}
		}
	}
}

// port reads a number of two bytes, in the order of the network. One of another size is 0.
func port(value []byte) uint16 {
	if len(value) != 2 {
		return 0
	}
	return binary.BigEndian.Uint16(value)
}
