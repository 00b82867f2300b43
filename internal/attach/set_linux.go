package attach

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Set is the cgroups that some programs are attached to.
type Set struct {
	tree     *Tree
	programs []Program
	attached map[uint64]attachment
}

// attachment keeps the links, because a link that nothing refers to is closed by its finalizer, which detaches.
type attachment struct {
	links []link.Link
	above []uint64
}

// NewSet returns a set of no cgroup. The programs stay the caller's.
func NewSet(t *Tree, programs ...Program) *Set {
	return &Set{tree: t, programs: programs, attached: make(map[uint64]attachment)}
}

// Add attaches all programs to a cgroup, or none. It does nothing if the set includes the cgroup already. The error
// wraps ErrGone if the cgroup is removed by now.
func (s *Set) Add(id uint64) error {
	if s.has(id) {
		return nil
	}
	f, err := s.tree.open(id)
	if err != nil {
		return err
	}
	defer f.Close()
	ids, err := above(f)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(ids, s.has) {
		return nil
	}
	if err := s.removeBelow(id); err != nil {
		return err
	}
	links, err := s.attach(f)
	if err != nil {
		return err
	}
	s.attached[id] = attachment{links: links, above: ids}
	return nil
}

func (s *Set) has(id uint64) bool {
	_, has := s.attached[id]
	return has
}

// removeBelow detaches from all cgroups that a cgroup includes.
func (s *Set) removeBelow(id uint64) error {
	var errs []error
	for below, a := range s.attached {
		if slices.Contains(a.above, id) {
			errs = append(errs, closeAll(a.links))
			delete(s.attached, below)
		}
	}
	return errors.Join(errs...)
}

func (s *Set) attach(f *os.File) (links []link.Link, err error) {
	for _, p := range s.programs {
		path := fmt.Sprint("/proc/self/fd/", f.Fd())
		l, err := link.AttachCgroup(link.CgroupOptions{Path: path, Program: p.Program, Attach: p.At})
		if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) {
			err = ErrGone
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("attach %s to %s: %w", p.At, f.Name(), err), closeAll(links))
		}
		links = append(links, l)
	}
	return links, nil
}

// Expire forgets the cgroups that were removed: the kernel has detached the programs then.
func (s *Set) Expire() error {
	var errs []error
	for id, a := range s.attached {
		if alive(a.links) {
			continue
		}
		errs = append(errs, closeAll(a.links))
		delete(s.attached, id)
	}
	return errors.Join(errs...)
}

// alive reports whether the links are attached. A link of a cgroup that was freed has the id 0. The programs run for
// the sockets of a removed cgroup until the last one is freed.
func alive(links []link.Link) bool {
	return !slices.ContainsFunc(links, func(l link.Link) bool {
		info, err := l.Info()
		return err == nil && info.Cgroup() != nil && info.Cgroup().CgroupId == 0
	})
}

// Len returns the number of cgroups.
func (s *Set) Len() int { return len(s.attached) }

// Close detaches everything. A second call does nothing. The tree stays open.
func (s *Set) Close() error {
	var errs []error
	for _, a := range s.attached {
		errs = append(errs, closeAll(a.links))
	}
	clear(s.attached)
	return errors.Join(errs...)
}

func closeAll(links []link.Link) error {
	var errs []error
	for _, l := range links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
