package dns

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/netconn/netconn/internal/attach"
	"github.com/netconn/netconn/internal/clock"
	"github.com/netconn/netconn/internal/conn"
)

// sweepEvery is how often queries without a response are looked for.
const sweepEvery = time.Second

// Reader follows the exchanges of this machine, from Open to Close. It is not safe for concurrent use.
type Reader struct {
	objects kernelObjects
	ring    *ringbuf.Reader
	record  ringbuf.Record
	tree    *attach.Tree
	set     *attach.Set
	timeout time.Duration
	swept   time.Time
	decoder decoder
	stats   Stats
	inRoot  bool // a server in the root cgroup was found
	closers []io.Closer
}

// Open loads and attaches the programs.
func Open(o Options) (*Reader, error) {
	r := &Reader{timeout: o.Timeout, decoder: newDecoder()}
	if r.timeout == 0 {
		r.timeout = Timeout
	}
	if err := r.open(o); err != nil {
		return nil, errors.Join(fmt.Errorf("follow DNS: %w", err), r.Close())
	}
	return r, nil
}

func (r *Reader) open(o Options) (err error) {
	if err := r.load(o); err != nil {
		return err
	}
	if r.ring, err = ringbuf.NewReader(r.objects.Messages); err != nil {
		return fmt.Errorf("open the ring: %w", err)
	}
	r.closers = append(r.closers, r.ring)
	r.ring.SetDeadline(time.Unix(1, 0)) // in the past: to read never waits
	if r.tree, err = attach.OpenTree(o.Root); err != nil {
		return err
	}
	r.closers = append(r.closers, r.tree)
	r.set = attach.NewSet(r.tree,
		attach.Program{Program: r.objects.DnsEgress, At: ebpf.AttachCGroupInetEgress},
		attach.Program{Program: r.objects.DnsIngress, At: ebpf.AttachCGroupInetIngress},
		attach.Program{Program: r.objects.DnsSendmsg4, At: ebpf.AttachCGroupUDP4Sendmsg},
		attach.Program{Program: r.objects.DnsSendmsg6, At: ebpf.AttachCGroupUDP6Sendmsg},
	)
	r.closers = append(r.closers, r.set)
	if o.Mode == All {
		return r.set.Add(attach.RootID)
	}
	return r.findServers()
}

func (r *Reader) load(o Options) error {
	spec, err := loadKernel()
	if err != nil {
		return fmt.Errorf("read BPF object: %w", err)
	}
	if o.RingBytes > 0 {
		spec.Maps["messages"].MaxEntries = max(uint32(os.Getpagesize()), 1<<bits.Len32(uint32(o.RingBytes-1)))
	}
	if err := spec.LoadAndAssign(&r.objects, nil); err != nil {
		return fmt.Errorf("load BPF programs: %w", err)
	}
	r.closers = append(r.closers, &r.objects)
	return nil
}

// findServers learns of each socket that is bound to a port of DNS, first of those to come and then of those that are
// there, so that it misses none between the two.
func (r *Reader) findServers() error {
	bound := attach.NewSet(r.tree,
		attach.Program{Program: r.objects.DnsBound4, At: ebpf.AttachCGroupInet4PostBind},
		attach.Program{Program: r.objects.DnsBound6, At: ebpf.AttachCGroupInet6PostBind},
	)
	r.closers = append(r.closers, bound)
	if err := bound.Add(attach.RootID); err != nil {
		return err
	}
	files, err := link.AttachIter(link.IterOptions{Program: r.objects.DnsServers})
	if err != nil {
		return fmt.Errorf("attach dns_servers: %w", err)
	}
	defer files.Close()
	pass, err := files.Open()
	if err != nil {
		return fmt.Errorf("open the iterator over files: %w", err)
	}
	defer pass.Close()
	if _, err := io.Copy(io.Discard, pass); err != nil {
		return fmt.Errorf("look for the servers that run: %w", err)
	}
	return r.Drain(time.Now(), func(conn.Lookup, []Address) {})
}

// Rings returns file descriptors, one of which is readable when Drain has something to hand over. They are valid until
// Close.
func (r *Reader) Rings() []int { return []int{r.objects.Messages.FD()} }

// Drain hands over the exchanges since the last call, and follows the servers that were started since. Call it more
// often than the ring fills up: it holds 5,000 large responses.
func (r *Reader) Drain(now time.Time, h Handler) error {
	r.decoder.clock = clock.Read()
	for left := r.ring.BufferSize(); left > 0 && r.ring.AvailableBytes() > 0; left -= len(r.record.RawSample) {
		err := r.ring.ReadInto(&r.record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the ring of DNS: %w", err)
		}
		if err := r.take(r.record.RawSample, h); err != nil {
			return err
		}
	}
	idle := r.set.Len() == 0 && r.stats.Waiting == 0
	if idle || now.Sub(r.swept) < sweepEvery {
		return nil
	}
	r.swept = now
	return errors.Join(r.set.Expire(), r.sweep(h)) // a removed cgroup may have left queries behind
}

func (r *Reader) take(raw []byte, h Handler) error {
	kind, err := record[uint32](raw)
	if err != nil {
		return err
	}
	switch kernelRecordKind(kind) {
	case kernelRecordKindRECORD_DNS:
		return r.decoder.response(raw, h)
	case kernelRecordKindRECORD_DNS_SERVER:
		server, err := record[kernelDnsServerRecord](raw)
		if err != nil {
			return err
		}
		r.follow(server.Cgroup)
		return nil
	}
	return fmt.Errorf("%w: %d", errKind, kind)
}

// follow attaches to the cgroup of a server. The root cgroup includes every socket of the machine, and only servers are
// to pay for Servers.
func (r *Reader) follow(cgroup uint64) {
	if cgroup == attach.RootID {
		r.inRoot = true
		return
	}
	if err := r.set.Add(cgroup); err != nil && !errors.Is(err, attach.ErrGone) {
		r.stats.NotAttached++
	}
}

// sweep hands over the queries that have waited for too long, and forgets them. Who forgets a query counts it: an
// iteration shows an entry again if another one goes meanwhile, and a response may come between the two.
func (r *Reader) sweep(h Handler) error {
	type waited struct {
		key   kernelDnsKey
		query kernelDnsQuery
	}
	var q waited
	var late []waited
	now := uint64(clock.Monotonic())
	r.stats.Waiting = 0
	all := r.objects.Queries.Iterate()
	for all.Next(&q.key, &q.query) {
		if q.query.TimeNs+uint64(r.timeout) > now {
			r.stats.Waiting++
		} else {
			late = append(late, q)
		}
	}
	for i := range late {
		err := r.objects.Queries.Delete(&late[i].key)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("forget a query: %w", err)
		}
		h(r.decoder.unanswered(&late[i].key, &late[i].query), nil)
	}
	if err := all.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) { // the next sweep sees the rest
		return fmt.Errorf("read the queries: %w", err)
	}
	return nil
}

// Stats returns the present numbers and the counts since Open.
func (r *Reader) Stats() (Stats, error) {
	s := r.stats
	s.Cgroups, s.Malformed = r.set.Len(), r.decoder.malformed
	if r.inRoot {
		s.NotAttached++
	}
	for _, c := range []struct {
		of kernelDnsCounter
		to *uint64
	}{
		{kernelDnsCounterDNS_COUNT_RING_REFUSED, &s.Lost},
		{kernelDnsCounterDNS_COUNT_QUERIES_REFUSED, &s.QueriesRefused},
		{kernelDnsCounterDNS_COUNT_UNREADABLE, &s.Unreadable},
	} {
		var cpus []uint64
		if err := r.objects.DnsCounts.Lookup(uint32(c.of), &cpus); err != nil {
			return s, fmt.Errorf("read the counters of DNS: %w", err)
		}
		for _, n := range cpus {
			*c.to += n
		}
	}
	return s, nil
}

// Close detaches and unloads everything. A second call does nothing.
func (r *Reader) Close() error {
	var errs []error
	for i := len(r.closers) - 1; i >= 0; i-- {
		errs = append(errs, r.closers[i].Close())
	}
	r.closers = nil
	return errors.Join(errs...)
}
