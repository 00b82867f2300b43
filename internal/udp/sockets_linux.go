package udp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/netconn/netconn/internal/attach"
	"github.com/netconn/netconn/internal/clock"
)

// The programs that are optional, by their names in the object.
const bufferFull, socketError = "buffer_full", "socket_error"

// maxSince bounds the cgroups with a known time of attachment.
const maxSince = 1 << 16

// Sockets are the UDP sockets of this machine, from Open to Close.
type Sockets struct {
	objects      datagramsObjects
	tree         *attach.Tree
	root         *attach.Set
	changed, all *link.Iter
	overFiles    bool   // they visit open files
	passes       uint16 // so far
	ended, live  *ringbuf.Reader
	lacks        map[string]bool // the optional programs that this kernel has no hook for
	known        table
	closers      []io.Closer // in the order of opening
	watching     sync.WaitGroup

	mu      sync.Mutex
	packets *attach.Set
	closed  bool
	since   map[uint64]uint64 // when the programs for packets ran for a cgroup, by the monotonic clock
	err     error             // of the last attachment that failed
	// how many cgroups were refused
	notAttached uint64
}

// Open loads and attaches the programs, and looks for the sockets that exist already.
func Open(o Options) (*Sockets, error) {
	s := &Sockets{since: make(map[uint64]uint64), lacks: make(map[string]bool), known: newTable()}
	if err := s.open(o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Sockets) open(o Options) (err error) {
	if s.tree, err = attach.OpenTree(o.Root); err != nil {
		return err
	}
	s.closers = append(s.closers, s.tree)
	if err := s.load(o); err != nil {
		return err
	}
	if err := s.openRings(); err != nil {
		return err
	}
	if err := s.attach(o); err != nil {
		return err
	}
	return s.adopt()
}

func (s *Sockets) load(o Options) error {
	_ = rlimit.RemoveMemlock() // of kernels before 5.11, which charge maps to it
	spec, err := loadDatagrams()
	if err != nil {
		return fmt.Errorf("read BPF object: %w", err)
	}
	if err := spec.Variables["skip_dns"].Set(!o.All); err != nil {
		return fmt.Errorf("configure BPF object: %w", err)
	}
	if o.Peers > 0 {
		spec.Maps["exchanges"].MaxEntries = o.Peers
	}
	if err := s.loadInto(spec); err != nil {
		return fmt.Errorf("load BPF programs: %w", err)
	}
	s.closers = append(s.closers, &s.objects)
	return nil
}

// loadInto loads the programs. Those that an older kernel has no hook for are replaced by one that does nothing, and is
// not attached.
func (s *Sockets) loadInto(spec *ebpf.CollectionSpec) error {
	s.overFiles = attach.ChoosePass(spec, false)
	first := spec.LoadAndAssign(&s.objects, nil)
	err := first
	for _, name := range []string{bufferFull, socketError} {
		if err == nil {
			return nil
		}
		s.lacks[name] = true
		spec.Programs[name] = attach.Placeholder()
		err = spec.LoadAndAssign(&s.objects, nil)
	}
	if err != nil {
		return first
	}
	return nil
}

func (s *Sockets) openRings() error {
	uses, err := ringbuf.NewReader(s.objects.Uses)
	if err != nil {
		return fmt.Errorf("open ring: %w", err)
	}
	s.watching.Go(func() { s.watch(uses) })
	s.closers = append(s.closers, uses)
	for _, r := range []struct {
		reader **ringbuf.Reader
		of     *ebpf.Map
	}{{&s.ended, s.objects.Ended}, {&s.live, s.objects.Snapshots}} {
		if *r.reader, err = ringbuf.NewReader(r.of); err != nil {
			return fmt.Errorf("open ring: %w", err)
		}
		(*r.reader).SetDeadline(past)
		s.closers = append(s.closers, *r.reader)
	}
	return nil
}

// attach begins with the programs for packets, so that no cgroup is reported before they can be attached.
func (s *Sockets) attach(o Options) (err error) {
	s.mu.Lock()
	s.packets = attach.NewSet(s.tree,
		attach.Program{Program: s.objects.NetconnEgress, At: ebpf.AttachCGroupInetEgress},
		attach.Program{Program: s.objects.NetconnIngress, At: ebpf.AttachCGroupInetIngress},
		attach.Program{Program: s.objects.NetconnRelease, At: ebpf.AttachCgroupInetSockRelease})
	s.closers = append(s.closers, s.packets)
	s.mu.Unlock()
	if o.All {
		if err := s.add(attach.RootID); err != nil {
			return err
		}
	}
	s.root = attach.NewSet(s.tree,
		attach.Program{Program: s.objects.NetconnConn4, At: ebpf.AttachCGroupInet4Connect},
		attach.Program{Program: s.objects.NetconnConn6, At: ebpf.AttachCGroupInet6Connect},
		attach.Program{Program: s.objects.NetconnBind4, At: ebpf.AttachCGroupInet4Bind},
		attach.Program{Program: s.objects.NetconnBind6, At: ebpf.AttachCGroupInet6Bind},
		attach.Program{Program: s.objects.NetconnSend4, At: ebpf.AttachCGroupUDP4Sendmsg},
		attach.Program{Program: s.objects.NetconnSend6, At: ebpf.AttachCGroupUDP6Sendmsg})
	s.closers = append(s.closers, s.root)
	if err := s.root.Add(attach.RootID); err != nil {
		return err
	}
	optional := map[string]*ebpf.Program{bufferFull: s.objects.BufferFull, socketError: s.objects.SocketError}
	for name, p := range optional {
		s.lacks[name] = s.lacks[name] || s.attachTracing(p) != nil
	}
	if s.changed, err = s.attachPass(s.objects.FilesChanged, s.objects.SnapshotChanged); err != nil {
		return err
	}
	s.all, err = s.attachPass(s.objects.FilesAll, s.objects.SnapshotAll)
	return err
}

func (s *Sockets) attachTracing(p *ebpf.Program) error {
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err == nil {
		s.closers = append(s.closers, l)
	}
	return err
}

func (s *Sockets) attachPass(overFiles, overStorage *ebpf.Program) (*link.Iter, error) {
	l, err := attach.Pass(s.overFiles, overFiles, overStorage, s.objects.UdpSockets)
	if err == nil {
		s.closers = append(s.closers, l)
	}
	return l, err
}

// watch attaches to the cgroups that are reported, at once.
func (s *Sockets) watch(uses *ringbuf.Reader) {
	for {
		r, err := uses.Read()
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if use, ok := record[datagramsCgroupUse](r.RawSample); ok {
			_ = s.add(use.Id)
		}
	}
}

// add attaches the programs for packets to a cgroup.
func (s *Sockets) add(id uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.packets == nil || s.closed {
		return nil
	}
	err := s.packets.Add(id)
	if err != nil && !errors.Is(err, attach.ErrGone) {
		s.err, s.notAttached = err, s.notAttached+1
	}
	if _, known := s.since[id]; err != nil || known {
		return err
	}
	if len(s.since) >= maxSince {
		clear(s.since)
	}
	s.since[id] = uint64(clock.Monotonic())
	return nil
}

// late reports whether a socket is older than the programs of its cgroup, or that is not known.
func (s *Sockets) late(cgroup, opened uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, attached := s.since[attach.RootID]; attached && at < opened {
		return false
	}
	at, attached := s.since[cgroup]
	return !attached || opened < at
}

// adopt visits every open file of every process once.
func (s *Sockets) adopt() error {
	l, err := link.AttachIter(link.IterOptions{Program: s.objects.Adopt})
	if err != nil {
		return fmt.Errorf("attach adopt: %w", err)
	}
	defer l.Close()
	return run(l, func() error { return nil })
}

// Close detaches and unloads everything. A second call does nothing.
func (s *Sockets) Close() error {
	s.mu.Lock()
	s.closed = true // no cgroup is attached to any more
	s.mu.Unlock()
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i].Close())
	}
	s.closers = nil
	s.watching.Wait()
	return errors.Join(errs...)
}
