//go:build linux

package attach

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

func TestMain(m *testing.M) {
	switch os.Getenv("NETCONN_TEST_ROLE") {
	case "send":
		send()
	case "attach":
		attachAndWait()
	default:
		os.Exit(m.Run())
	}
}

// send sends as many datagrams to itself as a variable says.
func send() {
	n, _ := strconv.Atoi(os.Getenv("NETCONN_TEST_DATAGRAMS"))
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	for range n {
		if err == nil {
			_, err = c.WriteTo([]byte("x"), c.LocalAddr())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// attachAndWait attaches to the cgroup of a variable until it is killed.
func attachAndWait() {
	id, _ := strconv.ParseUint(os.Getenv("NETCONN_TEST_CGROUP"), 10, 64)
	tree, err := OpenTree("/")
	if err == nil {
		p, _ := newCounter()
		err = NewSet(tree, Program{p, ebpf.AttachCGroupInetEgress}).Add(id)
	}
	fmt.Println(err)
	select {}
}

// counterName is that of the test's programs. A collector that runs beside the test attaches others.
const counterName = "attach_test"

// newCounter returns a program that counts the packets that it lets through.
func newCounter() (*ebpf.Program, *ebpf.Map) {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return nil, nil
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: counterName, Type: ebpf.CGroupSKB, AttachType: ebpf.AttachCGroupInetEgress, License: "GPL",
		Instructions: asm.Instructions{
			asm.LoadMapValue(asm.R1, m.FD(), 0),
			asm.Mov.Imm(asm.R2, 1),
			asm.AddAtomic.Mem(asm.R1, asm.R2, asm.DWord, 0),
			asm.Mov.Imm(asm.R0, 1),
			asm.Return(),
		},
	})
	if err != nil {
		return nil, nil
	}
	return p, m
}

type counter struct {
	*ebpf.Program
	t *testing.T
	m *ebpf.Map
}

func count(t *testing.T) counter {
	t.Helper()
	p, m := newCounter()
	if p == nil {
		testnet.Require(t, errors.New("load a program of cgroups"))
	}
	t.Cleanup(func() {
		p.Close()
		m.Close()
	})
	return counter{p, t, m}
}

func (c counter) want(what string, n uint64) {
	c.t.Helper()
	var got uint64
	if err := c.m.Lookup(uint32(0), &got); err != nil {
		c.t.Fatal(err)
	}
	if got != n {
		c.t.Errorf("%s: %d packets are counted, want %d", what, got, n)
	}
}

// group is a cgroup of the test.
type group struct {
	*cgroup.Cgroup
	t    *testing.T
	path string
	id   uint64
}

func newGroup(t *testing.T, path string) group {
	t.Helper()
	c, err := cgroup.New(path)
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() {
		c.Close()
		cgroup.Remove(path)
	})
	info, err := os.Stat(c.Path())
	if err != nil {
		t.Fatal(err)
	}
	return group{c, t, path, info.Sys().(*syscall.Stat_t).Ino}
}

func (g group) below(name string) group { return newGroup(g.t, g.path+"/"+name) }

// send has a process in the cgroup send n datagrams.
func (g group) send(n int) {
	g.t.Helper()
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), "NETCONN_TEST_ROLE=send", fmt.Sprint("NETCONN_TEST_DATAGRAMS=", n))
	child.SysProcAttr = &syscall.SysProcAttr{}
	g.Put(child.SysProcAttr)
	if out, err := child.CombinedOutput(); err != nil {
		g.t.Fatalf("%v: %s", err, out)
	}
}

// wantPrograms compares the number of the test's programs that are attached to the cgroup itself.
func (g group) wantPrograms(what string, n int) {
	g.t.Helper()
	dir, err := os.Open(g.Path())
	if err != nil {
		g.t.Fatal(err)
	}
	defer dir.Close()
	found, err := link.QueryPrograms(link.QueryOptions{Target: int(dir.Fd()), Attach: ebpf.AttachCGroupInetEgress})
	if err != nil {
		g.t.Fatal(err)
	}
	got := 0
	for _, attached := range found.Programs {
		if nameOf(attached.ID) == counterName {
			got++
		}
	}
	if got != n {
		g.t.Errorf("%s: %d programs are attached, want %d", what, got, n)
	}
}

// nameOf returns the name of a program, or none if it is gone by now.
func nameOf(id ebpf.ProgramID) string {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return ""
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return ""
	}
	return info.Name
}

func openTree(t *testing.T) *Tree {
	t.Helper()
	tree, err := OpenTree("/")
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

func newSet(t *testing.T, programs ...Program) *Set {
	s := NewSet(openTree(t), programs...)
	t.Cleanup(func() { s.Close() })
	return s
}

func egress(c counter) Program { return Program{c.Program, ebpf.AttachCGroupInetEgress} }

func add(t *testing.T, s *Set, groups ...group) {
	t.Helper()
	for _, g := range groups {
		if err := s.Add(g.id); err != nil {
			t.Fatal(err)
		}
	}
}

func wantLen(t *testing.T, s *Set, n int) {
	t.Helper()
	if s.Len() != n {
		t.Errorf("%d cgroups are attached to, want %d", s.Len(), n)
	}
}

func TestOnlyPacketsOfTheCgroup(t *testing.T) {
	one, other, c := newGroup(t, "netconn-attach-one"), newGroup(t, "netconn-attach-other"), count(t)
	s := newSet(t, egress(c))
	one.send(5)
	c.want("before", 0)
	add(t, s, one)
	one.send(7)
	other.send(11)
	c.want("attached", 7)
	one.below("inner").send(13)
	c.want("in a cgroup below", 20)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	one.send(3)
	c.want("detached", 20)
	one.wantPrograms("detached", 0)
}

// A packet runs the program once, in whichever order a cgroup and one below it are added.
func TestOncePerPacket(t *testing.T) {
	for name, order := range map[string]func(outer, inner group) []group{
		"outer first": func(outer, inner group) []group { return []group{outer, inner} },
		"inner first": func(outer, inner group) []group { return []group{inner, outer} },
		"repeated":    func(outer, inner group) []group { return []group{outer, outer, inner, inner} },
	} {
		t.Run(name, func(t *testing.T) {
			outer, c := newGroup(t, "netconn-attach-outer"), count(t)
			inner := outer.below("middle").below("inner")
			s := newSet(t, egress(c))
			add(t, s, order(outer, inner)...)
			inner.send(5)
			c.want("in the inner cgroup", 5)
			outer.send(3)
			c.want("in the outer cgroup", 8)
			inner.wantPrograms("the inner cgroup", 0)
			outer.wantPrograms("the outer cgroup", 1)
			wantLen(t, s, 1)
		})
	}
}

// An inner cgroup beside the one that is added keeps its links.
func TestOthersBelowStay(t *testing.T) {
	outer, c := newGroup(t, "netconn-attach-outer"), count(t)
	a, b := outer.below("a"), outer.below("b")
	inner := b.below("inner")
	s := newSet(t, egress(c))
	add(t, s, a, inner, b)
	wantLen(t, s, 2)
	a.send(2)
	inner.send(3)
	c.want("both", 5)
}

func TestProgramsOfOthersStay(t *testing.T) {
	g, theirs, ours := newGroup(t, "netconn-attach-others"), count(t), count(t)
	before, err := link.AttachCgroup(link.CgroupOptions{Path: g.Path(), Attach: ebpf.AttachCGroupInetEgress, Program: theirs.Program})
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	s := newSet(t, egress(ours))
	add(t, s, g)
	g.send(4)
	theirs.want("theirs", 4)
	ours.want("ours", 4)
	s.Close()
	g.send(1)
	theirs.want("theirs after ours", 5)
	g.wantPrograms("after ours", 1)
}

// A finalizer would close a link that nothing refers to.
func TestLinksAreNotFinalized(t *testing.T) {
	g, c := newGroup(t, "netconn-attach-gc"), count(t)
	s := newSet(t, egress(c))
	add(t, s, g)
	for range 3 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	g.wantPrograms("after garbage collections", 1)
	wantLen(t, s, 1)
}

func TestRemovedCgroup(t *testing.T) {
	gone, stays, c := newGroup(t, "netconn-attach-gone"), newGroup(t, "netconn-attach-stays"), count(t)
	s := newSet(t, egress(c))
	add(t, s, gone, stays)
	gone.Close()
	if err := cgroup.Remove(gone.path); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); s.Len() > 1 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err := s.Expire(); err != nil { // the kernel frees a cgroup some time after its removal
			t.Fatal(err)
		}
	}
	wantLen(t, s, 1)
	stays.wantPrograms("the other cgroup", 1)
	if err := s.Add(gone.id); !errors.Is(err, ErrGone) {
		t.Errorf("add a removed cgroup: %v", err)
	}
}

// If one program cannot be attached, none is.
func TestAllProgramsOrNone(t *testing.T) {
	g, c := newGroup(t, "netconn-attach-none"), count(t)
	s := newSet(t, egress(c), Program{c.Program, ebpf.AttachCGroupInet4Connect})
	if err := s.Add(g.id); err == nil {
		t.Error("a program was attached to what it is not for")
	}
	g.wantPrograms("after the failure", 0)
	wantLen(t, s, 0)
}

func TestKilledProcessLeavesNothing(t *testing.T) {
	g := newGroup(t, "netconn-attach-killed")
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), "NETCONN_TEST_ROLE=attach", fmt.Sprint("NETCONN_TEST_CGROUP=", g.id))
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	if said, err := bufio.NewReader(out).ReadString('\n'); err != nil || said != "<nil>\n" {
		t.Fatalf("%q %v", said, err)
	}
	g.wantPrograms("before the end", 1)
	child.Process.Kill()
	child.Wait()
	g.wantPrograms("after the end", 0)
}
