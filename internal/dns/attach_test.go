//go:build linux

package dns

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/netconn/netconn/internal/attach"
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

func TestMain(m *testing.M) {
	switch os.Getenv("NETCONN_TEST_ROLE") {
	case "follow":
		_, err := Open(Options{Mode: All, Root: "/"})
		fmt.Println(err)
		time.Sleep(time.Minute)
	case "serve":
		serve()
	case "look up":
		lookUp()
	default:
		os.Exit(m.Run())
	}
}

// A program of a cgroup that returns anything but 1 drops the packet, or refuses the call. So in each of them, whatever
// the path, 1 is what the last instruction before an exit puts into the result.
func TestEveryPathPasses(t *testing.T) {
	spec, err := loadKernel()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for name, p := range spec.Programs {
		if p.Type == ebpf.Tracing {
			continue
		}
		main := true
		for i, ins := range p.Instructions {
			if ins.Symbol() != "" {
				main = ins.Symbol() == name
			}
			if !main || ins.OpCode.JumpOp() != asm.Exit {
				continue
			}
			before := p.Instructions[i-1]
			if before.Dst != asm.R0 || before.OpCode.ALUOp() != asm.Mov || before.Constant != 1 ||
				before.OpCode.Source() != asm.ImmSource {
				t.Errorf("%s: %v stands before an exit", name, before)
			}
			if target(p.Instructions, i) {
				t.Errorf("%s: a jump leads to an exit past its result", name)
			}
			checked++
		}
	}
	if checked < 6 {
		t.Errorf("only %d exits of 6 programs", checked)
	}
}

// target reports whether a jump leads to an instruction.
func target(all asm.Instructions, i int) bool {
	symbol := all[i].Symbol()
	return symbol != "" && slices.ContainsFunc(all, func(ins asm.Instruction) bool { return ins.Reference() == symbol })
}

// The kernel detaches with the last file of a link, so a process that is killed leaves nothing.
func TestKilledLeavesNothing(t *testing.T) {
	mount, err := cgroup.Mount()
	if err != nil {
		testnet.Require(t, err)
	}
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "NETCONN_TEST_ROLE=follow")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said, _ := bufio.NewReader(out).ReadString('\n')
	programs, err := cgroup.Programs(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	during := attached(t, mount, programs)
	_ = c.Process.Signal(syscall.SIGKILL)
	_ = c.Wait()
	if said != "<nil>\n" || during != 4 {
		testnet.Require(t, fmt.Errorf("said %q with %d programs attached", said, during))
	}
	for attached(t, mount, programs) > 0 { // the kernel detaches them after the process has ended
		time.Sleep(10 * time.Millisecond)
	}
}

// attached counts which of some programs are at a cgroup.
func attached(t *testing.T, path string, programs map[uint32]bool) (n int) {
	t.Helper()
	dir, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, at := range []ebpf.AttachType{ebpf.AttachCGroupInetEgress, ebpf.AttachCGroupInetIngress,
		ebpf.AttachCGroupUDP4Sendmsg, ebpf.AttachCGroupUDP6Sendmsg} {
		r, err := link.QueryPrograms(link.QueryOptions{Target: int(dir.Fd()), Attach: at})
		if err != nil {
			testnet.Require(t, err)
		}
		for _, p := range r.Programs {
			if programs[uint32(p.ID)] {
				n++
			}
		}
	}
	return n
}

// serve is a scripted server in a process, that says when it is bound.
func serve() {
	c, err := listenUDP(os.Getenv("NETCONN_TEST_ADDRESS"))
	fmt.Println(err)
	if err == nil {
		serveUDP(c)
	}
}

// start starts a server in a namespace and a cgroup of its own.
func start(t *testing.T, n *testnet.Namespace, group, address string) {
	t.Helper()
	g, err := cgroup.New(group)
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() {
		g.Close()
		if err := cgroup.Remove(group); err != nil {
			t.Error(err)
		}
	})
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "NETCONN_TEST_ROLE=serve", "NETCONN_TEST_ADDRESS="+address)
	c.SysProcAttr = &syscall.SysProcAttr{}
	g.Put(c.SysProcAttr)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	n.Start(c)
	if said, _ := bufio.NewReader(out).ReadString('\n'); said != "<nil>\n" {
		t.Fatalf("the server says %q", said)
	}
}

// The cgroups of servers are followed: one that was there before, and one that comes later. Their clients, in other
// cgroups, are not, and neither is a server of another port.
func TestServers(t *testing.T) {
	n := network(t)
	n.Command("ip", "address", "add", "10.99.53.2/24", "dev", "lo")
	n.Command("ip", "address", "add", "10.99.53.3/24", "dev", "lo")
	start(t, n, "netconn-test-dns-before", "10.99.53.1:53")
	w := observe(t, Options{Mode: Servers, Timeout: time.Second})
	start(t, n, "netconn-test-dns-later", "10.99.53.2:15053")
	start(t, n, "netconn-test-dns-other", "10.99.53.3:5353")
	w.drain()
	if s, err := w.Stats(); err != nil || s.Cgroups < 2 { // other tests have servers too, one of them in the root cgroup
		t.Fatalf("%+v: %v", s, err)
	}
	n.Do(func() {
		for _, address := range []string{"10.99.53.1:53", "10.99.53.2:15053", "10.99.53.3:5353"} {
			askAt(t, address, "ok.example.com.")
		}
	})
	w.drain()
	if got := strings.Join(w.said(conn.RoleServer), ", "); got != "udp 53 ok.example.com NOERROR, udp 15053 ok.example.com NOERROR" {
		t.Errorf("servers: %s", got)
	}
	if got := w.said(conn.RoleClient); len(got) > 0 {
		t.Errorf("clients: %v", got)
	}
	for _, l := range w.lookups {
		if l.Namespace.Inode != n.Inode {
			t.Errorf("the namespace is %+v, want %d", l.Namespace, n.Inode)
		}
	}
}

// A server that ends takes its cgroup with it. What it never answered is still reported.
func TestQueriesOfARemovedCgroup(t *testing.T) {
	n := network(t)
	w := observe(t, Options{Mode: Servers, Timeout: time.Second})
	t.Run("server", func(t *testing.T) {
		start(t, n, "netconn-test-dns-ends", "10.99.53.1:53")
		w.drain()
		n.Do(func() { ask(t, true, "silent.example.com.") })
	})
	for deadline := time.Now().Add(5 * time.Second); w.set.Len() > 0; time.Sleep(10 * time.Millisecond) {
		if w.swept = (time.Time{}); time.Now().After(deadline) {
			t.Skip("another DNS server of this machine is followed")
		}
		w.drain()
	}
	time.Sleep(time.Second)
	w.swept = time.Time{}
	w.drain()
	if got := strings.Join(w.said(conn.RoleServer), ", "); got != "udp 53  timeout 1" {
		t.Errorf("the server: %q", got)
	}
	if w.drain(); w.stats.Waiting != 0 {
		t.Errorf("%d queries wait for ever", w.stats.Waiting)
	}
}

// A server in the root cgroup is not followed, because every socket of the machine would run the programs.
func TestServerInTheRoot(t *testing.T) {
	w := observe(t, Options{Mode: Servers})
	before, err := w.Stats()
	if err != nil {
		t.Fatal(err)
	}
	w.inRoot = false
	w.follow(attach.RootID)
	w.follow(attach.RootID)
	after, err := w.Stats()
	if err != nil || after.NotAttached != 1 || after.Cgroups != before.Cgroups {
		t.Errorf("%+v, and before %+v: %v", after, before, err)
	}
}

// A response that finds the ring full is counted.
func TestRingFull(t *testing.T) {
	n := network(t)
	w := observe(t, Options{Mode: All, RingBytes: 4096})
	script(t, n, 53)
	const asked = 100
	n.Do(func() {
		for range asked {
			askAt(t, "10.99.53.1:53", "ok.example.com.")
		}
	})
	w.drain()
	s, err := w.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if got := len(w.lookups) + int(s.Lost); got < 2*asked || len(w.lookups) >= 2*asked || s.Lost == 0 {
		t.Errorf("%d reports and %d lost of %d at both ends", len(w.lookups), s.Lost, asked)
	}
}
