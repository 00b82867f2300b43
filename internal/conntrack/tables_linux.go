package conntrack

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

// kernelHasConntrack is a file that exists if the kernel has connection tracking, as a module or built in. It belongs
// to the initial namespace, and every namespace shows it.
const kernelHasConntrack = "/proc/sys/net/netfilter/nf_conntrack_max"

// Tables are the connection tracking tables of every network namespace of the machine, from Open to Close.
type Tables struct {
	only     Source // tests limit it to one; SourceNone: whichever is faster
	home     *homeThread
	registry *registry
	bpf      *bpfSource     // nil: the kernel has no lookup function (yet)
	netlink  *netlinkSource // nil: the kernel has no connection tracking (yet)
	bpfErr   error          // why ctnetlink is asked instead
	closers  []io.Closer    // in the order in which they were opened
	stats    Stats
	now      time.Time // of the current call of LookUp

	// Kept from one call of LookUp to the next, so that it allocates nothing.
	lookups     []zoneLookup
	of          []int // the Lookup of each zoneLookup
	zoneAnswers []Answer
	answers     []Answer
}

// Open prepares lookups. Root is where the host's /proc is, such as /hostfs; empty: /. The error is a sentence that
// says what is missing.
func Open(root string, now time.Time) (*Tables, error) { return open(root, SourceNone, now) }

func open(root string, only Source, now time.Time) (*Tables, error) {
	t := &Tables{only: only}
	if err := t.open(filepath.Join("/", root, "proc"), now); err != nil {
		return nil, errors.Join(explain(err), t.Close())
	}
	return t, nil
}

func (t *Tables) open(proc string, now time.Time) (err error) {
	if t.home, err = openHome(); err != nil {
		return err
	}
	t.closers = append(t.closers, t.home)
	if t.registry, err = openRegistry(t.home, proc, now); err != nil {
		return err
	}
	t.closers = append(t.closers, t.registry)
	return t.chooseSource()
}

func explain(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("address translation is not resolved: it takes CAP_SYS_ADMIN and CAP_NET_ADMIN: %w", err)
	}
	return fmt.Errorf("address translation is not resolved: %w", err)
}

// chooseSource looks for a source. A kernel without connection tracking has none, and translates nothing. No lookup may
// load the module of connection tracking, hence the look at the file.
func (t *Tables) chooseSource() error {
	if _, err := os.Stat(kernelHasConntrack); err != nil {
		return nil
	}
	t.netlink = &netlinkSource{open: func(n *netns) (*os.File, error) { return t.registry.open(t.now, n) }}
	t.stats.Source = SourceNetlink
	if t.only == SourceNetlink {
		return nil
	}
	s, err := openBPF(t.home)
	if err != nil {
		t.bpfErr = err
		if t.only == SourceBPF {
			return err
		}
		return nil
	}
	t.bpf, t.stats.Source = s, SourceBPF
	t.closers = append(t.closers, s)
	return nil
}

// Warnings say what costs more, or is known later, than on another machine: a sentence for each.
func (t *Tables) Warnings() (warnings []string) {
	if err := t.registry.eventsErr; err != nil {
		warnings = append(warnings, fmt.Sprintf("changes of interfaces are seen a minute late: %v", err))
	}
	if err := t.bpfErr; err != nil {
		warnings = append(warnings,
			fmt.Sprintf("connection tracking is asked through netlink, which takes longer: %v", err))
	}
	if t.bpf != nil && !t.bpf.zones {
		warnings = append(warnings,
			"zones of connection tracking are asked about through netlink: it takes Linux 6.11 to do better")
	}
	return warnings
}

// Local reports whether an interface of a namespace has an address. The error says that this is not known, or not known
// yet (ErrTooEarly).
func (t *Tables) Local(now time.Time, inode uint32, a netip.Addr) (bool, error) {
	if a.IsLoopback() {
		return true, nil
	}
	_, i, err := t.interfaces(now, inode)
	if err != nil {
		return false, err
	}
	_, local := i.addresses[a.WithZone("")]
	return local, nil
}

func (t *Tables) interfaces(now time.Time, inode uint32) (*netns, *interfaces, error) {
	n, tooEarly := t.registry.find(now, netnsKey{inode: inode}, 0)
	switch {
	case tooEarly:
		return nil, nil, fmt.Errorf("find network namespace %d: %w", inode, ErrTooEarly)
	case n == nil:
		return nil, nil, fmt.Errorf("find network namespace %d: it has ended, or cannot be entered", inode)
	}
	i, err := t.registry.interfacesOf(now, n)
	return n, i, err
}

// Outer returns the namespace that a packet arrives in when it leaves a namespace; 0: it leaves the machine, or goes
// nowhere. The packet is as it leaves. certain: it can have left by no other way that leads to another namespace. The
// error says that there is such a namespace, and that it is not known which, or not known yet (ErrTooEarly).
func (t *Tables) Outer(now time.Time, inode uint32, packet conn.Tuple) (outer uint32, certain bool, err error) {
	n, i, err := t.interfaces(now, inode)
	if err != nil {
		return 0, false, err
	}
	e, certain, err := t.registry.findEgress(now, n, i, packet)
	switch {
	case err != nil:
		return 0, false, err
	case e == nil || !e.linked:
		return 0, certain, nil
	case e.tooEarly:
		return 0, false, fmt.Errorf("find the namespace around %d: %w", inode, ErrTooEarly)
	case e.outer == nil:
		return 0, false, fmt.Errorf("find the namespace around %d: no process and no mount shows it", inode)
	}
	return e.outer.inode, certain, nil
}

// Stats returns the counters of this package.
func (t *Tables) Stats() Stats {
	s := t.stats
	s.Searches, s.Namespaces = t.registry.searches, len(t.registry.byInode)
	return s
}

// Close releases everything. It may be called twice.
func (t *Tables) Close() error {
	var errs []error
	for i := len(t.closers) - 1; i >= 0; i-- {
		errs = append(errs, t.closers[i].Close())
	}
	t.closers = nil
	return errors.Join(errs...)
}
