//go:build linux

package udp

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/netconn/netconn/internal/attach"
	"github.com/netconn/netconn/internal/testnet"
)

// A program of another owner in connect() may have replaced the peer. Those of netconn itself replace nothing.
func TestConnectHook(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	hooked := func(address string) bool {
		t.Helper()
		c := dial(t, n, "udp4", address)
		send(t, c, 1)
		w.snapshot(false)
		for _, got := range w.all() {
			if got.Tuple.Destination.String() == address {
				return got.ConnectHook
			}
		}
		t.Fatalf("nothing is reported of %s", address)
		return false
	}
	if hooked("127.0.0.1:9000") {
		t.Error("netconn's own programs are taken for another's")
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "other", Type: ebpf.CGroupSockAddr, AttachType: ebpf.AttachCGroupInet4Connect, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()},
	})
	if err != nil {
		testnet.Require(t, err)
	}
	defer p.Close()
	other := attach.NewSet(w.tree, attach.Program{Program: p, At: ebpf.AttachCGroupInet4Connect})
	defer other.Close()
	if err := other.Add(attach.RootID); err != nil {
		testnet.Require(t, err)
	}
	if !hooked("127.0.0.1:9001") {
		t.Error("another's program is not seen")
	}
}
