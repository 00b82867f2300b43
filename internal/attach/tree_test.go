//go:build linux

package attach

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// A cgroup is found by its handle, and without the right to open handles by a search.
func TestOpen(t *testing.T) {
	outer := newGroup(t, "netconn-tree")
	middle := outer.below("middle")
	inner := middle.below("inner")
	tree := openTree(t)
	for name, open := range map[string]func(uint64) (*os.File, error){"handle": tree.open, "search": tree.search} {
		t.Run(name, func(t *testing.T) {
			f, err := open(inner.id)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if id, err := idOf(f); err != nil || id != inner.id {
				t.Errorf("opened %d (%v), want %d", id, err, inner.id)
			}
			got, err := above(f)
			if want := []uint64{middle.id, outer.id, RootID}; err != nil || !slices.Equal(got, want) {
				t.Errorf("above: %d (%v), want %d", got, err, want)
			}
			if f, err := open(1 << 60); !errors.Is(err, ErrGone) {
				t.Errorf("open an id that no cgroup has: %v %v", f, err)
			}
		})
	}
}

func TestRootHasNothingAbove(t *testing.T) {
	f, err := openTree(t).open(RootID)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if ids, err := above(f); err != nil || len(ids) > 0 {
		t.Errorf("above the root: %d %v", ids, err)
	}
}

func TestOpenTreeErrors(t *testing.T) {
	part := t.TempDir()
	at := filepath.Join(part, "sys/fs/cgroup")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(newGroup(t, "netconn-part").Path(), at, "", unix.MS_BIND, ""); err != nil {
		testnet.Require(t, err)
	}
	defer unix.Unmount(at, unix.MNT_DETACH)
	for root, want := range map[string]string{
		t.TempDir(): "mount the host's /sys/fs/cgroup there",
		part:        "a cgroup namespace shows a part of them only",
	} {
		if tree, err := OpenTree(root); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open %s: %v %v, want %q", root, tree, err, want)
		}
	}
}

func TestCloseTwice(t *testing.T) {
	tree := openTree(t)
	if err := errors.Join(tree.Close(), tree.Close()); err != nil {
		t.Error(err)
	}
}
