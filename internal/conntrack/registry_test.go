//go:build linux

package conntrack

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"
)

// registryOf returns a registry that knows some namespaces, without a kernel behind it.
func registryOf(namespaces ...*netns) *registry {
	g := newRegistry("/nowhere")
	g.nextSearch = time.Now().Add(time.Hour)
	for _, n := range namespaces {
		g.add(n)
	}
	return g
}

func (g *registry) wantIDs(t *testing.T, what string, want ...int32) {
	t.Helper()
	wantEqual(t, what, slices.Sorted(maps.Keys(g.byID)), want)
}

// The inode of a deleted namespace is soon given to another one. The cookies tell them apart, where both are known.
func TestKnown(t *testing.T) {
	a, old := &netns{inode: 10, cookie: 100, id: 1}, &netns{inode: 20, id: 2} // the second has no known cookie
	g := registryOf(a, old)
	for name, c := range map[string]struct {
		key  netnsKey
		want *netns
	}{
		"the same cookie":                 {netnsKey{10, 100}, a},
		"another cookie":                  {netnsKey{10, 101}, nil},
		"a cookie that is not known":      {netnsKey{10, 0}, a},
		"a namespace whose cookie is not": {netnsKey{20, 5}, old},
		"another inode":                   {netnsKey{30, 100}, nil},
	} {
		if got := g.known(c.key); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		got, tooEarly := g.find(time.Now(), c.key, 0)
		if got != c.want || tooEarly != (c.want == nil) {
			t.Errorf("find, %s: %v, too early %v; want %v", name, got, tooEarly, c.want)
		}
	}
}

// A path by a thread may lead elsewhere a moment after the search has read it. It is too early then, not in vain: the
// namespace is there, and the next search may find another path.
func TestMoved(t *testing.T) {
	p := newFakeProc(t)
	p.inNamespace("100/task/101", 1) // a link that leads nowhere
	g := newRegistry(p.root)
	g.events = &events{fd: -1}
	for inode, want := range map[uint32]bool{1: true, 2: false} {
		g.finder = newFinder(p.root) // the search is complete
		if n, tooEarly := g.find(time.Now(), netnsKey{inode: inode}, 0); n != nil || tooEarly != want {
			t.Errorf("namespace %d: %v, too early %v; want %v", inode, n, tooEarly, want)
		}
	}
	g.finder = newFinder(p.root)
	known := &netns{inode: 3, id: 1, path: "/proc/self/ns/net"}
	g.add(known)
	if _, err := g.open(time.Now(), known); !errors.Is(err, ErrTooEarly) || !errors.Is(err, errMoved) {
		t.Errorf("open by a path that leads to another namespace: %v", err)
	}
}

// Where another namespace has the inode of a deleted one, only the deleted one is forgotten.
func TestRemove(t *testing.T) {
	deleted, successor := &netns{inode: 10, id: 1}, &netns{inode: 10, id: 2}
	g := registryOf(deleted, successor)
	g.remove(deleted)
	g.wantIDs(t, "after the first", 2)
	if g.byInode[10] != successor {
		t.Error("the successor is forgotten")
	}
	g.remove(deleted)
	g.remove(successor)
	g.remove(successor)
	g.wantIDs(t, "after both")
	if len(g.byInode) != 0 {
		t.Errorf("%d inodes are left", len(g.byInode))
	}
}

// An id is never given twice, whatever is removed.
func TestIDsOnlyIncrease(t *testing.T) {
	g := registryOf(&netns{inode: 1, id: 1}, &netns{inode: 2, id: 9})
	g.add(&netns{inode: 3, id: 4}) // one that had its id already
	g.remove(g.byID[9])
	if g.lastID != 9 {
		t.Errorf("the last id is %d, want 9", g.lastID)
	}
}

func TestKeepOnly(t *testing.T) {
	g := registryOf(&netns{inode: 1, id: 1}, &netns{inode: 2, id: 2}, &netns{inode: 3, id: 3})
	g.keepOnly(map[int32]bool{1: true, 3: true, 7: true})
	g.wantIDs(t, "namespaces", 1, 3)
	g.keepOnly(nil)
	g.wantIDs(t, "namespaces when there are none")
}

func TestApply(t *testing.T) {
	changed := &netns{inode: 1, id: 1, interfaces: &interfaces{}}
	same := &netns{inode: 2, id: 2, interfaces: &interfaces{}}
	g := registryOf(changed, same)
	g.apply(event{id: 1})
	g.apply(event{id: 7})
	g.apply(event{id: 7, deleted: true})
	if changed.interfaces != nil || same.interfaces == nil {
		t.Error("not the namespace that has changed is read again")
	}
	g.apply(event{id: 2, deleted: true})
	g.wantIDs(t, "namespaces", 1)
}

// Interfaces are read again when the namespace around is gone, and when it was not found and a search may find it.
func TestCurrent(t *testing.T) {
	outer, gone := &netns{inode: 2, id: 2}, &netns{inode: 3, id: 3}
	now := time.Now()
	for name, c := range map[string]struct {
		egress egress
		search bool // is possible
		want   bool
	}{
		"not searched":                        {egress{}, true, true},
		"a known namespace around":            {egress{searched: true, outer: outer}, true, true},
		"the namespace around was deleted":    {egress{searched: true, outer: gone}, false, false},
		"an unknown one, before a search":     {egress{searched: true}, false, true},
		"an unknown one, a search could help": {egress{searched: true}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := registryOf(outer)
			g.events = &events{fd: -1}
			if c.search {
				g.nextSearch = time.Time{}
			}
			i := &interfaces{readAt: now, links: map[uint32]*egress{1: {}, 2: &c.egress}}
			if got := g.current(i, now); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
	g := registryOf()
	for after, want := range map[time.Duration]bool{0: true, interfacesTimeout - 1: true, interfacesTimeout: false} {
		if got := g.current(&interfaces{readAt: now}, now.Add(after)); got != want {
			t.Errorf("without events, after %v: %v, want %v", after, got, want)
		}
	}
}
