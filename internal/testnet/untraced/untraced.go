//go:build linux

// Package untraced counts the packets that the kernel handled without running tracing programs. Some hardened kernels
// run no tracing program while process 1 is the current task, and no counter shows it. A softirq may interrupt process
// 1 too, so the changes of state in that softirq are not reported. Programs of netfilter do run then, and one of them
// counts here. It needs root.
package untraced

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet/netns"
)

// Packets is a count of packets.
type Packets struct {
	t      testing.TB
	counts *ebpf.Map // one value of type counts; nil: this kernel cannot count
}

// counts are of packets that are handled while a process is the current task: by a program of netfilter, in the
// watched namespaces, and by a tracing program, in all namespaces.
type counts struct{ Filtered, Traced uint64 }

// The offsets in counts.
const (
	filtered = 0
	traced   = 8
)

// Watch counts, until the end of the test, the packets that these namespaces receive while process 1 is the current
// task, unless a tracing program runs for such a packet. A kernel without netfilter programs (before Linux 6.4) is
// taken for one that runs tracing programs.
func Watch(t testing.TB, namespaces ...*netns.Namespace) Packets {
	t.Helper()
	return watch(t, 1, namespaces)
}

// Count returns the number of packets so far. A packet ends one connection at most, so no more ends were unseen.
func (p Packets) Count() uint64 {
	p.t.Helper()
	n := p.read()
	if n.Traced > 0 {
		return 0
	}
	return n.Filtered
}

func (p Packets) read() (n counts) {
	p.t.Helper()
	if p.counts == nil {
		return n
	}
	if err := p.counts.Lookup(uint32(0), &n); err != nil {
		p.t.Fatal(err)
	}
	return n
}

// watch counts the packets that are handled while a process is the current task.
func watch(t testing.TB, pid int32, namespaces []*netns.Namespace) Packets {
	t.Helper()
	m := newCounts(t)
	if err := trace(t, pid, m); err != nil {
		t.Fatal(err)
	}
	err := filter(t, pid, m, namespaces)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EACCES) {
		t.Logf("this kernel cannot count the packets that it handles without tracing programs: %v", err)
		return Packets{t: t}
	}
	if err != nil {
		t.Fatal(err)
	}
	return Packets{t, m}
}

// newCounts returns a map with one value of type counts.
func newCounts(t testing.TB) *ebpf.Map {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 16, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// trace counts with a tracing program, before filter does.
func trace(t testing.TB, pid int32, m *ebpf.Map) error {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "traced", Type: ebpf.RawTracepoint, License: "GPL", Instructions: countFor(pid, m, traced),
	})
	if err != nil {
		return fmt.Errorf("load a tracing program: %w", err)
	}
	defer program.Close()
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: "netif_receive_skb", Program: program})
	if err != nil {
		return fmt.Errorf("attach a tracing program: %w", err)
	}
	t.Cleanup(func() { l.Close() })
	return nil
}

// filter counts with a program of netfilter.
func filter(t testing.TB, pid int32, m *ebpf.Map, namespaces []*netns.Namespace) error {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "untraced", Type: ebpf.Netfilter, AttachType: ebpf.AttachNetfilter, License: "GPL",
		Instructions: countFor(pid, m, filtered),
	})
	if err != nil {
		return fmt.Errorf("load a netfilter program: %w", err)
	}
	defer program.Close()
	for _, n := range namespaces {
		for _, family := range []link.NetfilterProtocolFamily{link.NetfilterProtoIPv4, link.NetfilterProtoIPv6} {
			l, err := attach(n, program, family)
			if err != nil {
				return err
			}
			t.Cleanup(func() { l.Close() })
		}
	}
	return nil
}

func attach(n *netns.Namespace, p *ebpf.Program, family link.NetfilterProtocolFamily) (attached io.Closer, err error) {
	err = n.Do(func() error {
		attached, err = link.AttachNetfilter(link.NetfilterOptions{
			Program: p, ProtocolFamily: family, Hook: link.NetfilterInetLocalIn, Priority: -1000,
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("attach a netfilter program: %w", err)
	}
	return attached, nil
}

// countFor returns a program that accepts every packet.
func countFor(pid int32, m *ebpf.Map, offset uint32) asm.Instructions {
	return asm.Instructions{
		asm.FnGetCurrentPidTgid.Call(),
		asm.RSh.Imm(asm.R0, 32),
		asm.JNE.Imm(asm.R0, pid, "accept"),
		asm.LoadMapValue(asm.R1, m.FD(), offset),
		asm.Mov.Imm(asm.R2, 1),
		asm.AddAtomic.Mem(asm.R1, asm.R2, asm.DWord, 0),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("accept"), // NF_ACCEPT; not read from a tracing program
		asm.Return(),
	}
}
