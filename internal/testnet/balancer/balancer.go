//go:build linux

// Package balancer translates a destination inside connect(), with a BPF program of a cgroup, as eBPF load balancers
// do. No packet has the destination that the application asked for. It needs root.
package balancer

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// Attach has each connect() to one address, by a socket of the cgroup, go to another one of the same family. The
// program is detached by Close, and when this program ends.
func Attach(cgroup string, from, to netip.AddrPort) (io.Closer, error) {
	kind := ebpf.AttachCGroupInet4Connect
	if from.Addr().Is6() {
		kind = ebpf.AttachCGroupInet6Connect
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.CGroupSockAddr, AttachType: kind, License: "GPL", Instructions: translate(from, to),
	})
	if err != nil {
		return nil, fmt.Errorf("load a load balancer: %w", err)
	}
	defer program.Close()
	attached, err := link.AttachCgroup(link.CgroupOptions{Path: cgroup, Attach: kind, Program: program})
	if err != nil {
		return nil, fmt.Errorf("attach a load balancer: %w", err)
	}
	return attached, nil
}

// The fields of struct bpf_sock_addr, include/uapi/linux/bpf.h.
const (
	userIP4  = 4
	userIP6  = 8
	userPort = 24
)

// field is a 32-bit field of struct bpf_sock_addr, in network byte order.
type field struct {
	offset int16
	value  int32
}

func fields(a netip.AddrPort) []field {
	raw, offset := a.Addr().AsSlice(), int16(userIP4)
	if a.Addr().Is6() {
		offset = userIP6
	}
	all := []field{{userPort, int32(bits.ReverseBytes16(a.Port()))}}
	for i := 0; i < len(raw); i += 4 {
		all = append(all, field{offset + int16(i), int32(binary.NativeEndian.Uint32(raw[i:]))})
	}
	return all
}

// translate returns a program that allows every connection.
func translate(from, to netip.AddrPort) (program asm.Instructions) {
	for _, f := range fields(from) {
		program = append(program,
			asm.LoadMem(asm.R2, asm.R1, f.offset, asm.Word),
			asm.JNE.Imm32(asm.R2, f.value, "allow"))
	}
	for _, f := range fields(to) {
		program = append(program,
			asm.Mov.Imm32(asm.R3, f.value),
			asm.StoreMem(asm.R1, f.offset, asm.R3, asm.Word))
	}
	return append(program, asm.Mov.Imm(asm.R0, 1).WithSymbol("allow"), asm.Return())
}
