package conntrack

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

// batch is how many lookups the program takes at once: BATCH in bpf/conntrack.bpf.c.
const batch = 4096

// The size of the options of the kernel's function, and what it was before the function knew zones.
const (
	optionsZoned   = 16
	optionsUnzoned = 12
)

// A query is a question to one zone of a namespace that has an id.
type query struct {
	namespace *namespace
	zone      uint16
	protocol  uint8
	tuple     conn.Tuple
}

// A lookup is the source that runs the kernel's function.
type lookup struct {
	room    *room
	objects conntrackObjects
	memory  *ebpf.Memory
	zones   bool // the kernel's function knows zones
}

// openLookup loads the program. It tries the options with zones first: what the kernel takes is found out by asking for anything.
func openLookup(r *room) (*lookup, error) {
	var err error
	for _, size := range []uint32{optionsZoned, optionsUnzoned} {
		var l *lookup
		if l, err = loadLookup(r, size); err != nil {
			return nil, err
		}
		if err = l.try(); err == nil {
			return l, nil
		}
		l.Close()
	}
	return nil, err
}

func loadLookup(r *room, optionsSize uint32) (*lookup, error) {
	spec, err := loadConntrack()
	if err != nil {
		return nil, fmt.Errorf("read BPF object: %w", err)
	}
	if err := spec.Variables[conntrackVarOptionsSize].Set(optionsSize); err != nil {
		return nil, fmt.Errorf("set the size of the options: %w", err)
	}
	l := &lookup{room: r, zones: optionsSize == optionsZoned}
	if err := spec.LoadAndAssign(&l.objects, nil); err != nil {
		return nil, fmt.Errorf("load BPF program: %w", err)
	}
	if l.memory, err = l.objects.Lookups.Memory(); err != nil {
		return nil, errors.Join(fmt.Errorf("map the lookups: %w", err), l.Close())
	}
	return l, nil
}

// try asks the room's own namespace, which has no connections.
func (l *lookup) try() error {
	nobody := netip.AddrPortFrom(netip.IPv4Unspecified(), 1)
	here := &namespace{id: currentNamespace}
	answers := make([]Answer, 1)
	err := l.ask([]query{{namespace: here, protocol: TCP, tuple: conn.Tuple{Source: nobody, Destination: nobody}}}, answers)
	if err == nil && answers[0].Result != NoEntry {
		err = fmt.Errorf("look up: %v", answers[0].Result)
	}
	return err
}

// ask answers as many queries as there are, batch by batch. An error is that of all.
func (l *lookup) ask(queries []query, answers []Answer) error {
	for len(queries) > 0 {
		n := min(len(queries), batch)
		if err := l.askBatch(queries[:n], answers[:n]); err != nil {
			return err
		}
		queries, answers = queries[n:], answers[n:]
	}
	return nil
}

func (l *lookup) askBatch(queries []query, answers []Answer) error {
	for i, q := range queries {
		if err := write(l.memory, i, encode(q)); err != nil {
			return fmt.Errorf("write lookups: %w", err)
		}
	}
	if err := l.run(len(queries)); err != nil {
		return err
	}
	for i := range queries {
		r, err := read(l.memory, i)
		if err != nil {
			return fmt.Errorf("read lookups: %w", err)
		}
		answers[i] = decode(&r)
	}
	return nil
}

func (l *lookup) run(count int) (err error) {
	packet := make([]byte, 64) // the kernel wants an Ethernet header at least
	binary.NativeEndian.PutUint32(packet, uint32(count))
	l.room.do(func() { _, err = l.objects.AskConntrack.Run(&ebpf.RunOptions{Data: packet}) })
	if err != nil {
		return fmt.Errorf("run BPF program: %w", err)
	}
	return nil
}

func (l *lookup) Close() error { return l.objects.Close() }

const recordSize = int(unsafe.Sizeof(conntrackLookup{}))

func write(m *ebpf.Memory, i int, r conntrackLookup) error {
	_, err := m.WriteAt(unsafe.Slice((*byte)(unsafe.Pointer(&r)), recordSize), int64(i*recordSize))
	return err
}

func read(m *ebpf.Memory, i int) (r conntrackLookup, err error) {
	_, err = m.ReadAt(unsafe.Slice((*byte)(unsafe.Pointer(&r)), recordSize), int64(i*recordSize))
	return r, err
}

func encode(q query) conntrackLookup {
	return conntrackLookup{
		Source:          q.tuple.Source.Addr().As16(),
		Destination:     q.tuple.Destination.Addr().As16(),
		SourcePort:      q.tuple.Source.Port(),
		DestinationPort: q.tuple.Destination.Port(),
		Netns:           q.namespace.id,
		Zone:            q.zone,
		Protocol:        q.protocol,
	}
}

// decode turns the tuple of the other direction round: then it is that of the packet as it leaves.
func decode(r *conntrackLookup) Answer {
	switch unix.Errno(-r.Error) {
	case 0:
		return Answer{
			Tuple: conn.Tuple{
				Source:      endpoint(r.OtherDestination, r.OtherDestinationPort),
				Destination: endpoint(r.OtherSource, r.OtherSourcePort),
			},
			Reply: r.Direction != 0,
			State: State(r.TcpState),
		}
	case unix.ENOENT:
		return Answer{Result: NoEntry}
	case unix.ENONET:
		return Answer{Result: NoNamespace}
	}
	return Answer{Result: Failed}
}

func endpoint(address [16]byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(address).Unmap(), port)
}
