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

// batch is how many lookups the program does at once: BATCH in bpf/conntrack.bpf.c.
const batch = 4096

// The size of struct bpf_ct_opts, and its size before Linux 6.11 (ece4b2969041), when it had no zone. The kernel
// accepts no other size than its own.
const (
	optionsZoned   = 16
	optionsUnzoned = 12
)

// bpfSource runs the kernel's lookup function in a BPF program. The lookups are in slots of an array that is mapped
// into this process.
type bpfSource struct {
	home    *homeThread
	objects conntrackObjects
	slots   *ebpf.Memory
	zones   bool // the kernel's function knows zones
}

// openBPF loads the program. It tries the options with zones first: only a lookup shows which size the kernel accepts.
func openBPF(home *homeThread) (*bpfSource, error) {
	var err error
	for _, size := range []uint32{optionsZoned, optionsUnzoned} {
		var s *bpfSource
		if s, err = loadBPF(home, size); err != nil {
			return nil, err
		}
		if err = s.try(); err == nil {
			return s, nil
		}
		s.Close()
	}
	return nil, err
}

func loadBPF(home *homeThread, optionsSize uint32) (*bpfSource, error) {
	spec, err := loadConntrack()
	if err != nil {
		return nil, fmt.Errorf("read BPF object: %w", err)
	}
	if err := spec.Variables[conntrackVarOptionsSize].Set(optionsSize); err != nil {
		return nil, fmt.Errorf("set the size of the options: %w", err)
	}
	s := &bpfSource{home: home, zones: optionsSize == optionsZoned}
	if err := spec.LoadAndAssign(&s.objects, nil); err != nil {
		return nil, fmt.Errorf("load BPF program: %w", err)
	}
	if s.slots, err = s.objects.Lookups.Memory(); err != nil {
		return nil, errors.Join(fmt.Errorf("map the lookups: %w", err), s.Close())
	}
	return s, nil
}

// try looks up a packet in the home namespace, which has no connections.
func (s *bpfSource) try() error {
	unused := netip.AddrPortFrom(netip.IPv4Unspecified(), 1)
	home := &netns{id: currentNetns}
	answers := make([]Answer, 1)
	tuple := conn.Tuple{Source: unused, Destination: unused}
	err := s.lookUp([]zoneLookup{{netns: home, protocol: TCP, tuple: tuple}}, answers)
	if err == nil && answers[0].Result != NoEntry {
		err = fmt.Errorf("look up: %v", answers[0].Result)
	}
	return err
}

// lookUp does lookups batch by batch. An error is that of all.
func (s *bpfSource) lookUp(lookups []zoneLookup, answers []Answer) error {
	for len(lookups) > 0 {
		n := min(len(lookups), batch)
		if err := s.lookUpBatch(lookups[:n], answers[:n]); err != nil {
			return err
		}
		lookups, answers = lookups[n:], answers[n:]
	}
	return nil
}

func (s *bpfSource) lookUpBatch(lookups []zoneLookup, answers []Answer) error {
	for i := range lookups {
		if err := writeSlot(s.slots, i, encode(&lookups[i])); err != nil {
			return fmt.Errorf("write lookups: %w", err)
		}
	}
	if err := s.run(len(lookups)); err != nil {
		return err
	}
	for i := range lookups {
		slot, err := readSlot(s.slots, i)
		if err != nil {
			return fmt.Errorf("read lookups: %w", err)
		}
		answers[i] = decode(&slot)
	}
	return nil
}

func (s *bpfSource) run(count int) (err error) {
	packet := make([]byte, 64) // at least an Ethernet header, or the kernel refuses to run an XDP program
	binary.NativeEndian.PutUint32(packet, uint32(count))
	s.home.do(func() { _, err = s.objects.AskConntrack.Run(&ebpf.RunOptions{Data: packet}) })
	if err != nil {
		return fmt.Errorf("run BPF program: %w", err)
	}
	return nil
}

func (s *bpfSource) Close() error { return s.objects.Close() }

const slotSize = int(unsafe.Sizeof(conntrackLookup{}))

func writeSlot(m *ebpf.Memory, i int, slot conntrackLookup) error {
	_, err := m.WriteAt(unsafe.Slice((*byte)(unsafe.Pointer(&slot)), slotSize), int64(i*slotSize))
	return err
}

func readSlot(m *ebpf.Memory, i int) (slot conntrackLookup, err error) {
	_, err = m.ReadAt(unsafe.Slice((*byte)(unsafe.Pointer(&slot)), slotSize), int64(i*slotSize))
	return slot, err
}

func encode(l *zoneLookup) conntrackLookup {
	return conntrackLookup{
		Source:          l.tuple.Source.Addr().As16(),
		Destination:     l.tuple.Destination.Addr().As16(),
		SourcePort:      l.tuple.Source.Port(),
		DestinationPort: l.tuple.Destination.Port(),
		Netns:           l.netns.id,
		Zone:            l.zone,
		Protocol:        l.protocol,
	}
}

// decode reads an answer. The kernel gives the tuple of the other direction; reversed, it is that of the packet as it
// leaves.
func decode(slot *conntrackLookup) Answer {
	switch unix.Errno(-slot.Error) {
	case 0:
		return Answer{
			Tuple: conn.Tuple{
				Source:      addrPort(slot.OtherDestination, slot.OtherDestinationPort),
				Destination: addrPort(slot.OtherSource, slot.OtherSourcePort),
			},
			Reply: slot.Direction != 0,
			State: State(slot.TcpState),
		}
	case unix.ENOENT:
		return Answer{Result: NoEntry}
	case unix.ENONET:
		return Answer{Result: NoNamespace}
	}
	return Answer{Result: Failed}
}

func addrPort(address [16]byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(address).Unmap(), port)
}
