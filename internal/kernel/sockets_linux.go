package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/attach"
	"github.com/netconn/netconn/internal/clock"
	"github.com/netconn/netconn/internal/conn"
)

// adoptShare bounds searches for owners to one part in so many of the time. A small machine is searched at every
// snapshot that needs it, so that a connection has its owner in its first report.
const adoptShare = 50

// Sockets are the TCP sockets of this machine, from Open to Close.
type Sockets struct {
	objects      sockObjects
	ended        *ring
	failed       *ring
	live         *ring
	changed, all *link.Iter
	overFiles    bool   // they visit open files
	again        bool   // socket_state_again is attached
	passes       uint32 // so far
	programs     []Program
	unowned      uint64      // Stats.Unowned at the last search for owners
	nextAdopt    time.Time   // of the next search, at the earliest
	adopting     atomic.Bool // Adopt runs
	room         room
	closers      []io.Closer // in the order of opening
}

// Open loads and attaches the programs, and adopts the connections that exist already. The error says in one sentence
// what is missing and what to do.
func Open(o Options) (*Sockets, error) {
	s := &Sockets{}
	if err := s.open(o); err != nil {
		return nil, errors.Join(explain(err), s.Close())
	}
	return s, nil
}

func (s *Sockets) open(o Options) error {
	if err := s.load(o); err != nil {
		return err
	}
	if err := s.openRings(); err != nil {
		return err
	}
	if err := s.attach(); err != nil {
		return err
	}
	if o.AdoptLater {
		return nil
	}
	return s.Adopt(context.Background())
}

// Adopt tracks the connections that are older than the programs. It visits every open file, which takes seconds where
// there are hundreds of thousands, and stops early when ctx ends. It may run beside the other methods, but for Close.
func (s *Sockets) Adopt(ctx context.Context) error {
	s.adopting.Store(true)
	defer s.adopting.Store(false)
	// Twice: a file may move from one process to another while the first pass visits a third.
	for i := 0; i < 2 && ctx.Err() == nil; i++ {
		if err := s.adopt(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sockets) load(o Options) error {
	spec, err := loadSock()
	if err != nil {
		return fmt.Errorf("read BPF object: %w", err)
	}
	s.overFiles = attach.ChoosePass(spec, o.overFiles)
	if s.again = o.again || preempted(); !s.again {
		spec.Programs["socket_state_again"] = attach.Placeholder()
	}
	resize(spec.Maps[sockMapEnded], o.RingBytes)
	resize(spec.Maps[sockMapFailed], o.FailedRingBytes)
	resize(spec.Maps[sockMapSnapshots], o.SnapshotRingBytes)
	if err := spec.LoadAndAssign(&s.objects, nil); err != nil {
		return fmt.Errorf("load BPF programs: %w", err)
	}
	s.closers = append(s.closers, &s.objects)
	return nil
}

// resize gives a ring another size than the object's. The kernel accepts powers of two, and at least a page.
func resize(ring *ebpf.MapSpec, bytes int) {
	if bytes > 0 {
		ring.MaxEntries = max(uint32(os.Getpagesize()), 1<<bits.Len32(uint32(bytes-1)))
	}
}

func (s *Sockets) openRings() error {
	for _, r := range []struct {
		ring **ring
		of   *ebpf.Map
	}{{&s.ended, s.objects.Ended}, {&s.failed, s.objects.Failed}, {&s.live, s.objects.Snapshots}} {
		opened, err := openRing(r.of)
		if err != nil {
			return err
		}
		*r.ring = opened
		s.closers = append(s.closers, opened.reader)
	}
	return nil
}

// attach comes before adopt, so that no connection opens unseen between the two.
func (s *Sockets) attach() (err error) {
	if err := s.attachTracing("socket_state", s.objects.SocketState); err != nil {
		return err
	}
	if s.again { // Without it some connections are missed, which Stats counts.
		s.again = s.attachTracing("socket_state_again", s.objects.SocketStateAgain) == nil
	}
	// Without it some ends are missed, which Stats counts.
	_ = s.attachTracing("socket_destroyed", s.objects.SocketDestroyed)
	// Without it a container that ends before it is looked up has no name. Stats shows that; the rest works.
	_ = s.attachTracing("cgroup_made", s.objects.CgroupMade)
	s.changed, err = attach.Pass(s.overFiles, s.objects.FilesChanged, s.objects.SnapshotChanged, s.objects.Sockets)
	if err := s.attached("snapshot_changed", s.changed, err); err != nil {
		return err
	}
	s.all, err = attach.Pass(s.overFiles, s.objects.FilesAll, s.objects.SnapshotAll, s.objects.Sockets)
	return s.attached("snapshot_all", s.all, err)
}

// preempted reports whether the kernel may preempt a task inside a tracing program: since Linux 7.0 (a46023d5616e).
func preempted() bool {
	version, err := features.LinuxVersionCode()
	return err == nil && version >= 7<<16
}

func (s *Sockets) attachTracing(name string, p *ebpf.Program) error {
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	return s.attached(name, l, err)
}

// attached records the result of an attachment, and keeps the link.
func (s *Sockets) attached(name string, l io.Closer, err error) error {
	s.programs = append(s.programs, Program{Name: name, Err: err})
	if err != nil {
		return fmt.Errorf("attach %s: %w", name, err)
	}
	s.closers = append(s.closers, l)
	return nil
}

// adopt visits every open file of every process once.
func (s *Sockets) adopt(ctx context.Context) error {
	l, err := link.AttachIter(link.IterOptions{Program: s.objects.Adopt})
	if err != nil {
		return fmt.Errorf("attach adopt: %w", err)
	}
	defer l.Close()
	began := uint64(clock.Monotonic())
	err = errors.Join(
		run(l, func() (int, error) { return 1, ctx.Err() }),
		s.objects.SearchedNs.Set(began), // after a search that failed too, or what it has not found is never reported
	)
	if err != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// run reads an iterator to its end. The kernel interrupts it (EAGAIN) after a million objects, or when a program finds
// its ring full: then empty is called, which returns the number of records that it removed.
func run(l *link.Iter, empty func() (int, error)) error {
	pass, err := l.Open()
	if err != nil {
		return fmt.Errorf("open iterator: %w", err)
	}
	defer pass.Close()
	buffer := make([]byte, 64)
	for idle := 0; idle < 100; {
		_, err := pass.Read(buffer)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("read iterator: %w", err)
		}
		records, err := empty()
		if err != nil {
			return err
		}
		if idle++; records > 0 {
			idle = 0
		}
	}
	return errors.New("read iterator: no progress")
}

// adoptMissing looks for connections that no process had open when netconn started (they were in an accept queue, or on
// the way from one process to another), and for owners that were not known when a connection opened: systemd listens,
// or bpf/multipath.h does not know the listener, which is older than netconn and has no file. It visits every open file
// (1 to 2 us each), so it runs only if there is such a connection, and for a bounded share of the time.
// No snapshot has a connection before a search for its owner.
func (s *Sockets) adoptMissing(all bool) error {
	unowned, err := s.count(sockCounterCOUNT_UNOWNED)
	if err != nil {
		return err
	}
	start := time.Now()
	if s.adopting.Load() || !all && (unowned == s.unowned || start.Before(s.nextAdopt)) {
		return nil
	}
	err = s.adopt(context.Background())
	s.unowned, s.nextAdopt = unowned, time.Now().Add(adoptShare*time.Since(start))
	return err
}

// Rings returns file descriptors, one of which is readable when Drain has something to hand over. They are valid until
// Close.
func (s *Sockets) Rings() []int { return []int{s.objects.Ended.FD(), s.objects.Failed.FD()} }

// Drain hands over the ends of connections, the new cgroups and the failed attempts that were reported since the last
// call. Call it often enough: at 10,000 connections a second with both ends on this machine, the default ring of ends
// fills up in a second. That of failed attempts holds 4,800 of them.
func (s *Sockets) Drain(h Handler) error {
	if _, err := s.ended.drain(h); err != nil {
		return err
	}
	_, err := s.failed.drain(h)
	return errors.Join(err, s.makeRoom())
}

// Snapshot hands over the live connections that have changed since the last one, or all of them; before and after them
// it does what Drain does. A pass may skip a socket or show it twice if sockets open and close meanwhile.
func (s *Sockets) Snapshot(all bool, h Handler) error {
	if err := s.Drain(h); err != nil {
		return err
	}
	if err := s.adoptMissing(all); err != nil {
		return err
	}
	pass := s.changed
	if all {
		pass = s.all
	}
	empty := func() (int, error) { // all rings, or the others fill up meanwhile
		records, err := s.live.drain(h)
		return records, errors.Join(err, s.Drain(h))
	}
	err := s.beginPass()
	if err == nil {
		err = s.countPass(func() error { return run(pass, empty) })
	}
	if err != nil {
		err = fmt.Errorf("snapshot: %w", err)
	}
	_, emptyErr := empty() // after a failed pass too, so that none of its records come with the next one
	return errors.Join(err, emptyErr, s.Drain(h))
}

// beginPass numbers a pass over open files, in which several processes may have the same socket.
func (s *Sockets) beginPass() error {
	if s.passes++; !s.overFiles {
		return nil
	}
	if err := s.objects.Pass.Set(s.passes); err != nil {
		return fmt.Errorf("number a pass: %w", err)
	}
	return nil
}

// Complete reports whether a Snapshot of all connections has every one that is open. Where the kernel forbids iterators
// over maps, it has those with a file.
func (s *Sockets) Complete() bool { return !s.overFiles }

// Losses returns the sums of what was not reported one by one since Open. A change of state that no program saw counts
// as the end of a known connection, because it may be one.
func (s *Sockets) Losses() (conn.Losses, error) {
	var cpus []sockLosses
	if err := s.objects.Lost.Lookup(uint32(0), &cpus); err != nil {
		return conn.Losses{}, fmt.Errorf("read losses: %w", err)
	}
	missed, err := s.missed()
	sum := conn.Losses{conn.LostKnown: missed}
	for _, l := range cpus {
		sum[conn.LostOpenings] += l.Opened
		sum[conn.LostFailures] += l.Failed
		sum[conn.LostCloses] += l.Closed
		sum[conn.LostKnown] += l.Known
		sum[conn.LostSent] += l.Sent
		sum[conn.LostReceived] += l.Received
		sum[conn.LostRetransmits] += l.Retransmits
	}
	return sum, err
}

// missed returns how often the kernel did not run socket_state because it had interrupted that program. It does so
// since Linux 6.1 (05b24ff9b2cf). Where socket_state_again does what that has missed, its own missed runs count: no
// more changes can have been missed by both.
func (s *Sockets) missed() (uint64, error) {
	program := s.objects.SocketState
	if s.again {
		program = s.objects.SocketStateAgain
	}
	stats, err := program.Stats()
	if err != nil {
		return 0, fmt.Errorf("read program statistics: %w", err)
	}
	return stats.RecursionMisses, nil
}

// Stats returns the health of the kernel side.
func (s *Sockets) Stats() (Stats, error) {
	var counts [sockCounterCOUNTERS]uint64
	for i := range counts {
		n, err := s.count(sockCounter(i))
		if err != nil {
			return Stats{}, err
		}
		counts[i] = n
	}
	missed, err := s.missed()
	return Stats{
		Tracked:        counts[sockCounterCOUNT_TRACKED],
		Adopted:        counts[sockCounterCOUNT_ADOPTED],
		Unowned:        counts[sockCounterCOUNT_UNOWNED],
		StorageRefused: counts[sockCounterCOUNT_STORAGE_REFUSED],
		NoRoom:         counts[sockCounterCOUNT_NO_ROOM],
		Full:           s.room.full,
		RingRefused:    counts[sockCounterCOUNT_RING_REFUSED],
		FailedRefused:  counts[sockCounterCOUNT_FAILED_REFUSED],
		EndedUntracked: counts[sockCounterCOUNT_ENDED_UNTRACKED],
		SnapshotAgain:  counts[sockCounterCOUNT_SNAPSHOT_AGAIN],
		Missed:         missed,
		Programs:       s.programs,
	}, err
}

// count returns the sum of one counter over all processors.
func (s *Sockets) count(what sockCounter) (sum uint64, err error) {
	var cpus []uint64
	if err := s.objects.Counts.Lookup(uint32(what), &cpus); err != nil {
		return 0, fmt.Errorf("read counters: %w", err)
	}
	for _, n := range cpus {
		sum += n
	}
	return sum, nil
}

// Close detaches and unloads everything. A second call does nothing.
func (s *Sockets) Close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i].Close())
	}
	s.closers = nil
	return errors.Join(errs...)
}
