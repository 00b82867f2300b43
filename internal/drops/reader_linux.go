package drops

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"github.com/netconn/netconn/internal/attach"
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// The two programs in the object, one of which is loaded.
const withReceiver, withReason = "dropped_with_receiver", "dropped_with_reason"

// idleAfter is how many readings in a row find an entry unchanged before it is removed.
const idleAfter = 30

// reasonsOf is how many reasons the kernel's counters have room for.
const reasonsOf = int(kernelDropSizeDROP_REASONS)

var errNoReason = errors.New("the kernel gives no reason for dropped packets (Linux 5.17 or newer does)")

// Reader is a loaded program, from Open to Close.
type Reader struct {
	objects  kernelObjects
	reasons  [reasonsOf]reason
	program  *ebpf.Program
	receiver bool
	known    map[kernelDropKey]*entry
	noRoom   [reasonsOf]uint64 // that were handed over
	closers  []io.Closer
}

// reason is what a number of this kernel stands for.
type reason struct {
	index    int // of names.DropReason or names.ExcludedDrop
	excluded bool
}

// entry is what was handed over of one of the kernel's entries.
type entry struct {
	packets uint64
	idle    int // readings
}

// Open loads and attaches the program. The error says in a sentence what is missing.
func Open() (*Reader, error) { return open(options{}) }

// options are for tests.
type options struct {
	room  uint32 // entries that the kernel has room for; 0: the default
	older bool   // load the program for kernels that do not name the receiving socket
}

func open(o options) (*Reader, error) {
	r := &Reader{known: make(map[kernelDropKey]*entry)}
	if err := r.open(o); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reader) open(o options) error {
	_ = rlimit.RemoveMemlock() // of kernels before 5.11, which charge maps to it
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return fmt.Errorf("read the kernel's types: %w", err)
	}
	if r.reasons, err = readReasons(kernel); err != nil {
		return err
	}
	if err := r.load(o); err != nil {
		return err
	}
	r.closers = append(r.closers, &r.objects)
	l, err := link.AttachTracing(link.TracingOptions{Program: r.program})
	if err != nil {
		return fmt.Errorf("attach kfree_skb: %w", err)
	}
	r.closers = append(r.closers, l)
	return nil
}

// readReasons reads what the numbers of this kernel stand for.
func readReasons(kernel *btf.Spec) (reasons [reasonsOf]reason, err error) {
	var numbers *btf.Enum
	if err := kernel.TypeByName("skb_drop_reason", &numbers); err != nil {
		return reasons, fmt.Errorf("%w: %w", errNoReason, err)
	}
	return parseReasons(numbers.Values), nil
}

func parseReasons(values []btf.EnumValue) (reasons [reasonsOf]reason) {
	for i := range reasons {
		reasons[i].index = names.DropReasons - 1
	}
	for _, v := range values {
		if v.Value < uint64(reasonsOf-1) && !strings.HasSuffix(v.Name, "_MAX") {
			r := &reasons[v.Value]
			r.index, r.excluded = names.ReadDropReason(v.Name)
		}
	}
	return reasons
}

// load loads the program that knows the receiving socket, or else the one for older kernels.
func (r *Reader) load(o options) error {
	spec, err := loadKernel()
	if err != nil {
		return fmt.Errorf("read BPF object: %w", err)
	}
	var excluded [reasonsOf]uint8
	for i, reason := range r.reasons {
		if reason.excluded {
			excluded[i] = 1
		}
	}
	if err := spec.Variables["excluded"].Set(excluded); err != nil {
		return fmt.Errorf("configure BPF object: %w", err)
	}
	if o.room > 0 {
		spec.Maps["dropped"].MaxEntries = o.room
	}
	newer, older := spec.Programs[withReceiver], spec.Programs[withReason]
	if !o.older {
		spec.Programs[withReceiver], spec.Programs[withReason] = newer, attach.Placeholder()
		if err = spec.LoadAndAssign(&r.objects, nil); err == nil {
			r.program, r.receiver = r.objects.DroppedWithReceiver, true
			return nil
		}
	}
	spec.Programs[withReceiver], spec.Programs[withReason] = attach.Placeholder(), older
	if olderErr := spec.LoadAndAssign(&r.objects, nil); olderErr != nil {
		return fmt.Errorf("load BPF programs: %w", errors.Join(err, olderErr))
	}
	r.program = r.objects.DroppedWithReason
	return nil
}

// Read hands over what was dropped since the last call.
func (r *Reader) Read(h Handler) error {
	var k kernelDropKey
	var cpus []uint64
	var idle []kernelDropKey
	all := r.objects.Dropped.Iterate()
	for all.Next(&k, &cpus) {
		if r.take(k, sum(cpus), h) {
			idle = append(idle, k)
		}
	}
	if err := all.Err(); err != nil {
		return fmt.Errorf("read drops: %w", err)
	}
	for _, k := range idle {
		if err := r.forget(k, h); err != nil {
			return err
		}
	}
	return r.readNoRoom(h)
}

// take hands over what an entry has more than at the last reading, and reports whether it is to be removed.
func (r *Reader) take(k kernelDropKey, packets uint64, h Handler) (idle bool) {
	e := r.known[k]
	if e == nil {
		e = &entry{}
		r.known[k] = e
	}
	if packets == e.packets {
		e.idle++
		return e.idle >= idleAfter
	}
	h(r.drops(k, packets-e.packets))
	e.packets, e.idle = packets, 0
	return false
}

// forget removes an entry, and hands over what was dropped meanwhile.
func (r *Reader) forget(k kernelDropKey, h Handler) error {
	var cpus []uint64
	if err := r.objects.Dropped.LookupAndDelete(&k, &cpus); err != nil {
		return fmt.Errorf("remove an entry of drops: %w", err)
	}
	r.take(k, sum(cpus), h)
	delete(r.known, k)
	return nil
}

func (r *Reader) drops(k kernelDropKey, packets uint64) Drops {
	i := r.reasons[min(int(k.Reason), reasonsOf-1)].index
	return Drops{
		Cgroup: k.Cgroup, Namespace: k.Netns, Protocol: conn.Protocol(k.Protocol), Reason: conn.DropReasonOf(i),
		Packets: packets,
	}
}

// readNoRoom hands over what was counted without a socket, because the kernel's entries were all taken.
func (r *Reader) readNoRoom(h Handler) error {
	counts, err := readAll(r.objects.NoRoom)
	if err != nil {
		return err
	}
	for i, n := range counts {
		if n > r.noRoom[i] {
			h(r.drops(kernelDropKey{Reason: uint16(i)}, n-r.noRoom[i]))
		}
	}
	r.noRoom = counts
	return nil
}

// Stats returns what is not handed over.
func (r *Reader) Stats() (Stats, error) {
	s := Stats{Receiver: r.receiver}
	counts, err := readAll(r.objects.LeftOut)
	if err != nil {
		return s, err
	}
	for i, n := range counts {
		if reason := r.reasons[i]; reason.excluded {
			s.Excluded[reason.index] += n
		} else {
			s.Excluded[names.ExcludedDrops-1] += n
		}
	}
	program, err := r.program.Stats()
	if err != nil {
		return s, fmt.Errorf("read the statistics of a program: %w", err)
	}
	s.Missed = program.RecursionMisses
	return s, nil
}

func readAll(m *ebpf.Map) (counts [reasonsOf]uint64, err error) {
	for i := range counts {
		var cpus []uint64
		if err := m.Lookup(uint32(i), &cpus); err != nil {
			return counts, fmt.Errorf("read counters of drops: %w", err)
		}
		counts[i] = sum(cpus)
	}
	return counts, nil
}

func sum(cpus []uint64) (n uint64) {
	for _, c := range cpus {
		n += c
	}
	return n
}

// Close detaches the program, and leaves nothing in the kernel. A second call does nothing.
func (r *Reader) Close() error {
	var errs []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i].Close())
	}
	r.closers = nil
	return errors.Join(errs...)
}
