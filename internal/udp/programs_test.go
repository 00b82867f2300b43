//go:build linux

package udp

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// A program of a cgroup that returns anything but 1 drops the packet, or refuses the call. So in each of them, whatever
// the path, 1 is what the last instruction before an exit puts into the result.
func TestEveryPathPasses(t *testing.T) {
	spec, err := loadDatagrams()
	if err != nil {
		t.Fatal(err)
	}
	checked := map[string]bool{}
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
			checked[name] = true
		}
	}
	if len(checked) != 9 {
		t.Errorf("%d programs have exits, want 9: %v", len(checked), checked)
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
	c.Env = append(os.Environ(), "NETCONN_TEST_ROLE=count")
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
	_ = c.Process.Kill()
	_ = c.Wait()
	if said != "<nil>\n" || during != 9 {
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
	for _, at := range []ebpf.AttachType{
		ebpf.AttachCGroupInetEgress, ebpf.AttachCGroupInetIngress, ebpf.AttachCgroupInetSockRelease,
		ebpf.AttachCGroupInet4Connect, ebpf.AttachCGroupInet6Connect, ebpf.AttachCGroupInet4Bind,
		ebpf.AttachCGroupInet6Bind, ebpf.AttachCGroupUDP4Sendmsg, ebpf.AttachCGroupUDP6Sendmsg,
	} {
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

// Where the kernel has no hook for what is dropped or fails, the rest works.
func TestWithoutOptionalPrograms(t *testing.T) {
	s := &Sockets{lacks: map[string]bool{}}
	spec, err := loadDatagrams()
	if err != nil {
		t.Fatal(err)
	}
	spec.Programs[bufferFull].AttachTo = "no_such_tracepoint"
	if err := s.loadInto(spec); err != nil {
		testnet.Require(t, err)
	}
	defer s.objects.Close()
	if !s.lacks[bufferFull] || s.lacks[socketError] {
		t.Errorf("lacks %v", s.lacks)
	}
}
