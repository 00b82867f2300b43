//go:build linux

package kernel

import (
	"cmp"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// load returns the size of a test that takes long, a tenth if tests are to be short: a kernel that runs in emulation is ten
// times slower.
func load(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv("NETCONN_TEST_ROLE")]; ok {
		role()
		return
	}
	os.Exit(m.Run())
}

// groupKey names a cgroup.
type groupKey struct {
	id uint64
	v1 bool
}

// observer keeps what the kernel reports of the test's own namespaces.
type observer struct {
	*Sockets
	t         *testing.T
	mine      map[uint32]bool
	everyone  bool // also the rest of the machine's
	ended     []conn.Conn
	live      map[conn.ID]conn.Conn
	liveCount int // live reports, repeated ones included
	listeners map[conn.ID]conn.Listener
	cgroups   map[groupKey]string
}

func observe(t *testing.T, o Options, of ...*testnet.Namespace) *observer {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &observer{Sockets: s, t: t, mine: map[uint32]bool{}, live: map[conn.ID]conn.Conn{}, listeners: map[conn.ID]conn.Listener{},
		cgroups: map[groupKey]string{}}
	for _, n := range of {
		w.mine[n.Inode] = true
	}
	return w
}

func (w *observer) handler() Handler {
	return Handler{
		Conn: func(c conn.Conn) {
			switch {
			case !w.mine[c.Namespace.Inode] && !w.everyone:
			case c.Phase == conn.Open:
				w.live[c.ID] = c
				w.liveCount++
			default:
				w.ended = append(w.ended, c)
			}
		},
		Listener: func(l conn.Listener) {
			if w.mine[l.Inode] {
				w.listeners[l.ID] = l
			}
		},
		Cgroup: func(c conn.Cgroup) { w.cgroups[groupKey{c.ID, c.V1}] = c.Path },
	}
}

// until drains until the condition holds. It gives up after a time that only a defect needs.
func (w *observer) until(what string, holds func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if err := w.Drain(w.handler()); err != nil {
			w.t.Fatal(err)
		}
		if holds() {
			return
		}
		if time.Now().After(deadline) {
			losses, err := w.Losses()
			w.t.Fatalf("waited in vain for %s; ended: %+v; lost by the machine: %v %v", what, w.ended, losses, err)
		}
	}
}

// waitEnded waits for n ends and returns all there are, clients first, and those of one socket in order.
func (w *observer) waitEnded(n int) []conn.Conn {
	w.t.Helper()
	w.until("ends", func() bool { return len(w.ended) >= n })
	sorted := slices.Clone(w.ended)
	slices.SortStableFunc(sorted, func(a, b conn.Conn) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.ID.Generation, b.ID.Generation))
	})
	return sorted
}

func (w *observer) snapshot(all bool) {
	w.t.Helper()
	w.live, w.liveCount = map[conn.ID]conn.Conn{}, 0
	if err := w.Snapshot(all, w.handler()); err != nil {
		w.t.Fatal(err)
	}
}

// wantComplete skips a test of sockets without a file where a snapshot has none of them.
func (w *observer) wantComplete() {
	w.t.Helper()
	if !w.Complete() {
		w.t.Skip("this kernel forbids programs that iterate over maps, so a socket without a file is in no snapshot")
	}
}

func (w *observer) liveOf(role conn.Role) conn.Conn {
	w.t.Helper()
	for _, c := range w.live {
		if c.Role == role {
			return c
		}
	}
	w.t.Fatalf("no live %s in %+v", role, w.live)
	return conn.Conn{}
}

// outcome is what a test compares of a report as a whole.
type outcome struct {
	Role           conn.Role
	Phase          conn.Phase
	Error          string
	Sent, Received uint64
}

func outcomeOf(c conn.Conn) outcome {
	return outcome{c.Role, c.Phase, c.Error.String(), c.Counts[conn.Sent], c.Counts[conn.Received]}
}

// outcomes counts what has ended. If the kernel did not run the program at an end, another one reports it later, when
// the application has taken the errno: so many ends may have no known reason.
func (w *observer) outcomes() map[outcome]int {
	w.t.Helper()
	missed := must(w.Stats())(w.t).Missed
	got := make(map[outcome]int)
	for _, c := range w.ended {
		o := outcomeOf(c)
		if c.Error == conn.Other && missed > 0 {
			missed--
			o.Error = ""
		}
		got[o]++
	}
	return got
}

func (w *observer) wantEnded(want ...outcome) []conn.Conn {
	w.t.Helper()
	ended := w.waitEnded(len(want))
	var got []outcome
	for _, c := range ended {
		got = append(got, outcomeOf(c))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		w.t.Fatalf("ended connections (-want +got):\n%s", diff)
	}
	return ended
}

func wantEqual[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	equal := gocmp.Options{gocmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), gocmp.Comparer(func(a, b netip.Addr) bool { return a == b })}
	if diff := gocmp.Diff(want, got, equal); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}
