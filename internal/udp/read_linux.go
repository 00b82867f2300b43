package udp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/clock"
	"github.com/netconn/netconn/internal/conn"
)

// past is a deadline that has passed: a reader with it never waits.
var past = time.Unix(1, 0)

// record reads the bytes of a ring as one of the structs of bpf/records.h. It copies, because the ring's memory may be
// unaligned.
func record[T any](raw []byte) (r T, ok bool) {
	if len(raw) < int(unsafe.Sizeof(r)) {
		return r, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r)), raw)
	return r, true
}

// run reads an iterator to its end. The kernel interrupts it (EAGAIN) when a program finds its ring full: then empty is
// called.
func run(l *link.Iter, empty func() error) error {
	pass, err := l.Open()
	if err != nil {
		return fmt.Errorf("open iterator: %w", err)
	}
	defer pass.Close()
	buffer := make([]byte, 64)
	for range 10_000 {
		_, err := pass.Read(buffer)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("read iterator: %w", err)
		}
		if err := empty(); err != nil {
			return err
		}
	}
	return errors.New("read iterator: no progress")
}

// drain takes the waiting records of a ring.
func (s *Sockets) drain(r *ringbuf.Reader, at reading, h Handler) error {
	var raw ringbuf.Record
	for r.AvailableBytes() > 0 {
		err := r.ReadInto(&raw)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read ring: %w", err)
		}
		if rec, ok := record[datagramsDatagramRecord](raw.RawSample); ok {
			s.known.socket(&rec, s.late(rec.Process.Cgroup, rec.OpenedNs), at, h)
		}
	}
	return nil
}

// Rings returns file descriptors, one of which is readable when Drain has something to hand over. They are valid until
// Close.
func (s *Sockets) Rings() []int { return []int{s.objects.Ended.FD()} }

// Drain hands over the ends of sockets that had one peer. Those that had more end with the next Snapshot.
func (s *Sockets) Drain(now time.Time, h Handler) error {
	return s.drain(s.ended, reading{now: now, clock: clock.Read()}, h)
}

// Snapshot hands over what has changed since the last one, or everything.
func (s *Sockets) Snapshot(all bool, now time.Time, h Handler) error {
	pass := s.changed
	if all {
		pass = s.all
	}
	if s.passes++; s.overFiles {
		if err := s.objects.Pass.Set(s.passes); err != nil {
			return fmt.Errorf("number a pass: %w", err)
		}
	}
	at := reading{now: now, clock: clock.Read()}
	empty := func() error { return errors.Join(s.drain(s.live, at, h), s.drain(s.ended, at, h)) }
	if err := run(pass, empty); err != nil {
		return fmt.Errorf("snapshot of UDP: %w", err)
	}
	if err := empty(); err != nil {
		return err
	}
	forget, err := s.readTable(all, at, h)
	if err != nil {
		return err
	}
	if all {
		s.known.passed()
	}
	for _, id := range append(forget, s.known.expire(now, h)...) {
		k := keyOf(id)
		if err := s.objects.Exchanges.Delete(&k); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("remove an exchange: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.packets.Expire()
}

// readTable reads the exchanges beyond each socket's first, and returns those that the kernel's table is to forget.
func (s *Sockets) readTable(all bool, at reading, h Handler) (forget []exchangeID, err error) {
	keys, values := make([]datagramsDatagramKey, 1024), make([]datagramsDatagramExchange, 1024)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := s.objects.Exchanges.BatchLookup(&cursor, keys, values, nil)
		for i := range n {
			id := exchangeID{cookie: keys[i].Cookie, remote: endpoint(keys[i].Remote, keys[i].RemotePort)}
			if s.known.further(id, &values[i], all, at, h) {
				forget = append(forget, id)
			}
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return forget, nil
		}
		if err != nil {
			return forget, fmt.Errorf("read exchanges: %w", err)
		}
	}
}

func keyOf(id exchangeID) datagramsDatagramKey {
	return datagramsDatagramKey{Cookie: id.cookie, Remote: id.remote.Addr().As16(), RemotePort: id.remote.Port()}
}

// Stats returns the health of UDP.
func (s *Sockets) Stats() (Stats, error) {
	var all [datagramsDatagramCounterDATAGRAM_COUNTERS]uint64
	for i := range all {
		var cpus []uint64
		if err := s.objects.Counts.Lookup(uint32(i), &cpus); err != nil {
			return Stats{}, fmt.Errorf("read counters of UDP: %w", err)
		}
		for _, n := range cpus {
			all[i] += n
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Cgroups:        s.packets.Len(),
		Exchanges:      len(s.known.exchanges),
		StorageRefused: all[datagramsDatagramCounterDATAGRAMS_STORAGE_REFUSED],
		RingRefused:    all[datagramsDatagramCounterDATAGRAMS_RING_REFUSED],
		Rest:           all[datagramsDatagramCounterDATAGRAMS_REST],
		Unparsed:       all[datagramsDatagramCounterDATAGRAMS_UNPARSED],
		LostSent:       all[datagramsDatagramCounterDATAGRAMS_LOST_SENT],
		LostReceived:   all[datagramsDatagramCounterDATAGRAMS_LOST_RECEIVED],
		NoDrops:        s.lacks[bufferFull],
		NoErrors:       s.lacks[socketError],
		NotAttached:    s.notAttached,
		Err:            s.err,
	}, nil
}

func process(p *datagramsProcess) conn.Process {
	name := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(p.Executable[:]))), len(p.Executable))
	end := 0
	for end < len(name) && name[end] != 0 {
		end++
	}
	return conn.Process{
		PID: p.Pid, Cgroup: p.Cgroup, CgroupV1: p.CgroupV1, Executable: string(name[:end]),
		Truncated: end >= len(name)-1,
	}
}
