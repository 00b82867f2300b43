//go:build linux

package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/bench/totals"
	"github.com/netconn/netconn/internal/harness"
)

// live is the part of that name.
func (b *bench) live() error {
	passes := &report.Table{
		Title: "Many open connections: the steps of a collection",
		Notes: []string{`
			The receiver's pipeline in the benchmark's own process. A socket is one end of a connection; both ends
			are on this host. New, changed, idle: a pass over the sockets, with decoding. Folded: with owner, pair
			and flow too. Credit: the rest of the collection after the pass of new sockets, up to the points. Heap:
			what all of it keeps.`},
		Head: []string{"sockets", "new, folded", "credit", "idle", "changed", "changed, folded", "all, folded",
			"heap per socket"},
	}
	memory := &report.Table{
		Title: "Many open connections: the distribution",
		Notes: []string{`
			The distribution with its default interval of 10 s, which exports to this program. More: than without
			the sockets. Live heap: right after a garbage collection. Kernel: the growth of the kmalloc caches while
			the sockets are opened, less the growth without a collector.`},
		Head: []string{"sockets", "reported active", "resident", "more", "live heap", "more", "CPU while idle",
			"kernel per socket"},
	}
	b.say("no sockets")
	base, err := b.memoryWith(0)
	if err != nil {
		return fmt.Errorf("collect no sockets: %w", err)
	}
	memory.Add(base.row(0, b.idle, "", "", "")...)
	for _, n := range b.sockets {
		b.say("%d sockets", n)
		if err := b.passes(n, passes); err != nil {
			return fmt.Errorf("read %d sockets: %w", n, err)
		}
		if err := b.memory(n, base, memory); err != nil {
			return fmt.Errorf("collect %d sockets: %w", n, err)
		}
	}
	b.tables = append(b.tables, passes, memory)
	return nil
}

// passes times the steps.
func (b *bench) passes(n int, t *report.Table) (err error) {
	before := liveHeap()
	r, err := newReader()
	if err != nil {
		return err
	}
	defer r.Close()
	c, err := newIdleSockets(b.load, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.do("open"); err != nil {
		return err
	}
	times, err := r.timePasses(n, func() error { return c.do("touch") })
	if err != nil {
		return err
	}
	kept := liveHeap() - before
	runtime.KeepAlive(r)
	b.addPasses(t, n, times, kept)
	return nil
}

// timePasses times the snapshots of a number of sockets, in the order of the table's columns: new ones and the rest of
// that collection, idle ones, changed ones without and with the pipeline, and all of them.
func (r *reader) timePasses(n int, touch func() error) ([]time.Duration, error) {
	var errs []error
	seen := func(want int) {
		if r.seen < want-want/10_000 { // one pass may skip a socket, or find it locked
			errs = append(errs, fmt.Errorf("take a snapshot: it has %d of %d sockets", r.seen, want))
		}
	}
	collect := func(want int) (snapshot, rest time.Duration) {
		snapshot, rest, err := r.collect()
		errs = append(errs, err)
		seen(want)
		return snapshot, rest
	}
	added, credit := collect(n)
	idle, _ := collect(0)
	errs = append(errs, touch())
	read, err := r.read()
	errs = append(errs, err)
	seen(n)
	errs = append(errs, touch())
	changed, _ := collect(n)
	r.whole = true
	whole, _ := collect(n)
	return []time.Duration{added, credit, idle, read, changed, whole}, errors.Join(errs...)
}

func (b *bench) addPasses(t *report.Table, n int, times []time.Duration, kept uint64) {
	row := []string{fmt.Sprint(n)}
	for _, d := range times {
		row = append(row, fmt.Sprintf("%.1f ms", report.Millis(d)))
	}
	t.Add(append(row, fmt.Sprintf("%.0f B", float64(kept)/float64(n)))...)
	if n >= 100_000 {
		b.goals = append(b.goals, report.Goal{
			What: fmt.Sprintf("snapshot, %d sockets, all changed", n), Limit: 0.5, Aim: 0.2, Unit: "s",
			Measured: times[3].Seconds(),
			Remark:   fmt.Sprintf("%.3f s with owner, pair and flow", times[4].Seconds()),
		})
	}
}

// A footprint is what a collector needs while a number of sockets are open and idle.
type footprint struct {
	resident, heap uint64
	cpu            time.Duration // while they are idle
	active         int64         // sockets that it reports
	kernel         int64         // growth of the kernel's caches while the sockets were opened, in bytes
}

// over returns how much more it is than another one.
func (f footprint) over(base footprint) (resident, heap, kernel float64) {
	return float64(f.resident) - float64(base.resident), float64(f.heap) - float64(base.heap),
		float64(f.kernel - base.kernel)
}

func (f footprint) row(n int, idle time.Duration, resident, heap, kernel string) []string {
	cpu := fmt.Sprintf("%.2f ms/s", report.Millis(f.cpu)/idle.Seconds())
	return []string{fmt.Sprint(n), fmt.Sprint(f.active), report.MiB(float64(f.resident)), resident,
		report.MiB(float64(f.heap)), heap, cpu, kernel}
}

// memory adds the row of a number of sockets.
func (b *bench) memory(n int, base footprint, t *report.Table) error {
	plain, err := b.plainSockets(n)
	if err != nil {
		return err
	}
	f, err := b.memoryWith(n)
	if err != nil {
		return err
	}
	base.kernel = plain
	b.addMemory(t, n, f, base)
	return nil
}

func (b *bench) addMemory(t *report.Table, n int, f, base footprint) {
	resident, heap, kernel := f.over(base)
	t.Add(f.row(n, b.idle, report.MiB(resident), report.MiB(heap), fmt.Sprintf("%.0f B", kernel/float64(n)))...)
	if n == b.sockets[0] {
		b.goals = append(b.goals, report.Goal{
			What: fmt.Sprintf("%d idle sockets, CPU per second", n), Limit: 5, Aim: 5, Unit: "ms",
			Measured: report.Millis(f.cpu) / b.idle.Seconds(),
			Remark:   fmt.Sprintf("%d reported as active", f.active),
		})
		return
	}
	b.goals = append(b.goals,
		report.Goal{
			What: fmt.Sprintf("resident memory, %d sockets", n), Limit: 120, Aim: 80, Unit: "MB",
			Measured: resident / 1e6, Remark: "of the distribution, more than without them",
		},
		report.Goal{
			What: fmt.Sprintf("kernel memory per socket, of %d", n), Limit: 500, Aim: 300, Unit: "B",
			Measured: kernel / float64(n),
		})
}

// plainSockets returns by how many bytes the kernel's caches grow while sockets are opened without a collector.
func (b *bench) plainSockets(n int) (grown int64, err error) {
	s, err := newIdleSockets(b.load, n)
	if err != nil {
		return 0, err
	}
	grown, err = s.open()
	return grown, errors.Join(err, s.close())
}

// memoryWith runs a collector, opens the sockets, waits until all are reported and idle, and measures.
func (b *bench) memoryWith(n int) (f footprint, err error) {
	s, err := newIdleSockets(b.load, n)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	o, err := b.observe()
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, o.stop()) }()
	if f.kernel, err = s.open(); err != nil {
		return f, err
	}
	active := func() int64 { return o.totals.Sum(totals.Executable(b.loadName())).Active }
	all := func() bool { return o.totals.Exports() > 1 && active() >= int64(n) }
	err = harness.Until(waitLimit, "the collector to report all", all)
	if err != nil {
		return f, fmt.Errorf("%w: it has reported %d of %d in %d collections", err, active(), n, o.totals.Exports())
	}
	if f.cpu, err = o.cpuDuring(b.idle); err != nil {
		return f, err
	}
	f.active = active()
	if f.resident, err = collector.Resident(o.PID); err != nil {
		return f, err
	}
	f.heap, err = o.Heap()
	return f, err
}
