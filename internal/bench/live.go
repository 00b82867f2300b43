//go:build linux

package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/netconn/netconn/internal/bench/sink"
	"github.com/netconn/netconn/internal/bench/subject"
)

// sizes are numbers of sockets; the last is 100,000 connections with both ends on this machine.
var sizes = []int{10_000, 100_000, 200_000}

// idleFor is two collections of the default interval.
const idleFor = 20 * time.Second

// live is the part of that name.
func (b *bench) live() error {
	passes := &table{
		title: "Many open connections: the steps of a collection",
		notes: []string{"The receiver's pipeline in the benchmark's own process. A socket is one end of a connection; both ends " +
			"are here. New, changed, idle: a pass over the sockets, with decoding; where it says folded, with owner, pair and flow " +
			"too. Credit: the rest of the collection after the pass of new ones, up to the points. Heap: what all of it keeps."},
		head: []string{"sockets", "new, folded", "credit", "idle", "changed", "changed, folded", "all, folded", "heap a socket"},
	}
	memory := &table{
		title: "Many open connections: the distribution",
		notes: []string{"The distribution with its default interval of 10 s, which exports to this program. Memory: with the " +
			"sockets, and what is more than without any; the heap is what is live right after a garbage collection. Kernel: the " +
			"kmalloc caches' growth while the sockets are opened, less that without a collector."},
		head: []string{"sockets", "reported active", "resident", "more", "live heap", "more", "CPU while idle", "kernel a socket"},
	}
	b.say("no sockets")
	base, err := b.lifetimeWith(0)
	if err != nil {
		return fmt.Errorf("collect no sockets: %w", err)
	}
	memory.add(base.row(0, "", "", "")...)
	for _, n := range sizes {
		b.say("%d sockets", n)
		if err := b.passes(n, passes); err != nil {
			return fmt.Errorf("read %d sockets: %w", n, err)
		}
		if err := b.resident(n, base, memory); err != nil {
			return fmt.Errorf("collect %d sockets: %w", n, err)
		}
	}
	b.tables = append(b.tables, passes, memory)
	return nil
}

// passes times the steps.
func (b *bench) passes(n int, t *table) (err error) {
	before := liveHeap()
	r, err := newReader()
	if err != nil {
		return err
	}
	defer r.sockets.Close()
	c, err := newCrowd(b.load, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := c.do("open"); err != nil {
		return err
	}
	var times []time.Duration
	var errs []error
	pass := func(all, fold bool, want int) {
		d, err := r.snapshot(all, fold)
		if err == nil && r.seen < want-want/10_000 { // one pass may skip a socket, or find it locked
			err = fmt.Errorf("take a snapshot: it has %d of %d sockets", r.seen, want)
		}
		times, errs = append(times, d), append(errs, err)
	}
	pass(false, true, n)
	times = append(times, r.collect())
	pass(false, true, 0)
	errs = append(errs, c.do("touch"))
	pass(false, false, n)
	errs = append(errs, c.do("touch"))
	pass(false, true, n)
	pass(true, true, n)
	r.collect()
	kept := liveHeap() - before
	runtime.KeepAlive(r)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	row := []string{fmt.Sprint(n)}
	for _, d := range times {
		row = append(row, fmt.Sprintf("%.1f ms", millis(d)))
	}
	t.add(append(row, fmt.Sprintf("%.0f B", float64(kept)/float64(n)))...)
	if n >= 100_000 {
		b.goals = append(b.goals, goal{what: fmt.Sprintf("snapshot, %d sockets, all changed", n), limit: 0.5, aim: 0.2, unit: "s",
			measured: times[3].Seconds(), note: fmt.Sprintf("%.3f s with owner, pair and flow", times[4].Seconds())})
	}
	return nil
}

// A lifetime is what a collector takes while a number of sockets are open and idle.
type lifetime struct {
	resident, heap uint64
	idle           time.Duration // of CPU, during idleFor
	active         int64         // sockets that it reports
	kernel         int64         // bytes that the kernel's caches grew by as the sockets were opened
}

// over returns how much more it takes than one without sockets.
func (l lifetime) over(base lifetime) (resident, heap, kernel float64) {
	return float64(l.resident) - float64(base.resident), float64(l.heap) - float64(base.heap), float64(l.kernel - base.kernel)
}

// resident adds the row of a number of sockets.
func (b *bench) resident(n int, base lifetime, t *table) error {
	plain, err := b.plainSockets(n)
	if err != nil {
		return err
	}
	l, err := b.lifetimeWith(n)
	if err != nil {
		return err
	}
	base.kernel = plain
	resident, heap, kernel := l.over(base)
	t.add(l.row(n, mib(resident), mib(heap), fmt.Sprintf("%.0f B", kernel/float64(n)))...)
	if n == sizes[0] {
		b.goals = append(b.goals, goal{what: fmt.Sprintf("%d idle sockets, CPU a second", n), limit: 5, aim: 5, unit: "ms",
			measured: millis(l.idle) / idleFor.Seconds(), note: fmt.Sprintf("%d reported as active", l.active)})
		return nil
	}
	b.goals = append(b.goals,
		goal{what: fmt.Sprintf("resident memory, %d sockets", n), limit: 120, aim: 80, unit: "MB", measured: resident / 1e6,
			note: "of the distribution, more than without them"},
		goal{what: fmt.Sprintf("kernel memory a socket, of %d", n), limit: 500, aim: 300, unit: "B", measured: kernel / float64(n)})
	return nil
}

func (l lifetime) row(n int, resident, heap, kernel string) []string {
	return []string{fmt.Sprint(n), fmt.Sprint(l.active), mib(float64(l.resident)), resident, mib(float64(l.heap)), heap,
		fmt.Sprintf("%.2f ms/s", millis(l.idle)/idleFor.Seconds()), kernel}
}

// lifetimeWith runs a collector, opens the sockets, and measures it then, and what its end changes while they stay.
func (b *bench) lifetimeWith(n int) (l lifetime, err error) {
	c, err := newCrowd(b.load, n)
	if err != nil {
		return l, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	to, err := sink.New()
	if err != nil {
		return l, err
	}
	defer to.Close()
	active := func() (int64, int) { return to.Sum(sink.Executable(b.loadName())).Active, to.Exports() }
	s, err := subject.Start(subject.Options{Program: b.program, Dir: b.dir, Interval: 10 * time.Second, OTLP: to.URL})
	if err != nil {
		return l, err
	}
	if err := l.watch(n, c, s, active); err != nil {
		return l, errors.Join(err, s.Stop())
	}
	return l, errors.Join(s.Stop(), to.Err())
}

// plainSockets returns by how much the kernel's caches grow as sockets are opened that nobody watches.
func (b *bench) plainSockets(n int) (grown int64, err error) {
	c, err := newCrowd(b.load, n)
	if err != nil {
		return 0, err
	}
	grown, err = c.openWeighed()
	return grown, errors.Join(err, c.stop())
}

// watch opens the sockets, waits until all are reported, leaves them alone for a while, and measures.
func (l *lifetime) watch(n int, c *crowd, s *subject.Collector, active func() (sockets int64, exports int)) (err error) {
	if l.kernel, err = c.openWeighed(); err != nil {
		return err
	}
	all := func() bool {
		sockets, exports := active()
		return sockets >= int64(n) && exports > 1
	}
	if err := until("the collector to report all", all); err != nil {
		sockets, exports := active()
		return fmt.Errorf("%w: it reported %d of %d in %d collections", err, sockets, n, exports)
	}
	if l.idle, err = spent(s.PID, idleFor); err != nil {
		return err
	}
	l.active, _ = active()
	if l.resident, err = subject.Resident(s.PID); err != nil {
		return err
	}
	l.heap, err = s.Heap()
	return err
}

// spent returns the processor time that a process takes in a while.
func spent(pid int, d time.Duration) (time.Duration, error) {
	before, err := subject.CPU(pid)
	if err != nil {
		return 0, err
	}
	time.Sleep(d)
	after, err := subject.CPU(pid)
	return after - before, err
}

// until asks until the answer is yes. It gives up after a time that only a defect needs.
func until(what string, yes func() bool) error {
	for deadline := time.Now().Add(time.Minute); !yes(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for %s: it did not come", what)
		}
	}
	return nil
}

func mib(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }
