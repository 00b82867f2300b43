//go:build linux

package untraced

import (
	"net"
	"os"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A packet on the loopback interface is handled while its sender is the current task. For this process, tracing
// programs run.
func TestWatch(t *testing.T) {
	mine := int32(os.Getpid())
	t.Run("this process", func(t *testing.T) {
		n := testnet.New(t)
		p := visited(t, n, mine, n)
		if got := p.read(); got.Filtered < 4 || got.Traced < got.Filtered {
			t.Errorf("counted %+v, want 4 packets at least, by both programs", got)
		}
		if got := p.Count(); got != 0 {
			t.Errorf("%d packets without programs, beside a tracing program that runs", got)
		}
	})
	t.Run("another namespace", func(t *testing.T) {
		if got := visited(t, testnet.New(t), mine, testnet.New(t)).read(); got.Filtered != 0 {
			t.Errorf("counted %+v", got)
		}
	})
	t.Run("no process", func(t *testing.T) {
		n := testnet.New(t)
		if got := visited(t, n, mine+1_000_000_000, n).read(); got != (counts{}) {
			t.Errorf("counted %+v", got)
		}
	})
}

// visited watches a namespace for a process while connections are made in n, of both families.
func visited(t *testing.T, n *testnet.Namespace, pid int32, watched *testnet.Namespace) Packets {
	t.Helper()
	p := watch(t, pid, []*netns.Namespace{watched.Namespace})
	if p.counts == nil {
		t.Skip("this kernel cannot count")
	}
	for _, address := range []string{"127.0.0.1:9080", "[::1]:9080"} {
		before := p.read()
		l := n.Listen(address)
		c, err := n.TryDial(net.Dialer{}, address)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		l.Close()
		if int(pid) == os.Getpid() && n == watched && p.read() == before {
			t.Errorf("%s: nothing is counted", address)
		}
	}
	return p
}

// Packets count only if no tracing program ran for any.
func TestCount(t *testing.T) {
	for name, x := range map[string]struct {
		counted counts
		want    uint64
	}{
		"no packet":                 {},
		"without tracing programs":  {counts{Filtered: 5}, 5},
		"with tracing programs":     {counts{Filtered: 5, Traced: 5}, 0},
		"with one of them":          {counts{Filtered: 5, Traced: 1}, 0},
		"one packet":                {counts{Filtered: 1}, 1},
		"more than 32 bits hold":    {counts{Filtered: 1 << 40}, 1 << 40},
		"of other namespaces, seen": {counts{Traced: 9}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := Packets{t, newCounts(t)}
			if err := p.counts.Put(uint32(0), x.counted); err != nil {
				t.Fatal(err)
			}
			if got := p.Count(); got != x.want {
				t.Errorf("%d packets, want %d", got, x.want)
			}
		})
	}
	if got := (Packets{t: t}).Count(); got != 0 {
		t.Errorf("a kernel that cannot count has counted %d", got)
	}
}

// The program changes one count by one, and only for its process.
func TestCountFor(t *testing.T) {
	mine := int32(os.Getpid())
	for name, x := range map[string]struct {
		pid    int32
		offset uint32
		want   counts
	}{
		"filtered":        {mine, filtered, counts{Filtered: 3}},
		"traced":          {mine, traced, counts{Traced: 3}},
		"another process": {mine + 1_000_000_000, filtered, counts{}},
	} {
		t.Run(name, func(t *testing.T) {
			p := Packets{t, newCounts(t)}
			program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
				Type: ebpf.RawTracepoint, License: "GPL", Instructions: countFor(x.pid, p.counts, x.offset),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer program.Close()
			for range 3 {
				accepted, err := program.Run(&ebpf.RunOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if accepted != 1 {
					t.Errorf("the program returned %d, want 1 (NF_ACCEPT)", accepted)
				}
			}
			if got := p.read(); got != x.want {
				t.Errorf("counted %+v, want %+v", got, x.want)
			}
		})
	}
}

// Each of several namespaces is watched.
func TestWatchSeveral(t *testing.T) {
	first, second := testnet.New(t), testnet.New(t)
	p := watch(t, int32(os.Getpid()), []*netns.Namespace{first.Namespace, second.Namespace})
	if p.counts == nil {
		t.Skip("this kernel cannot count")
	}
	for _, n := range []*testnet.Namespace{first, second} {
		before := p.read().Filtered
		l := n.Listen("127.0.0.1:9080")
		c, err := n.TryDial(net.Dialer{}, "127.0.0.1:9080")
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		l.Close()
		if p.read().Filtered == before {
			t.Error("nothing is counted in a namespace")
		}
	}
}

// The packets of this process do not count for process 1, but for the few at which a softirq interrupts it.
func TestWatchProcess1(t *testing.T) {
	n := testnet.New(t)
	p := visited(t, n, 1, n)
	if got := p.read(); got.Filtered >= 4 {
		t.Errorf("counted %+v for process 1, which sent nothing", got)
	}
}
