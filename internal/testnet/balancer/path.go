//go:build linux

package balancer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// AttachPath translates IPv4 packets on an interface of a node that leads to a pod: from one address to another one as
// they come from the pod, and back as they go there. Connection tracking sees only what is translated, and the pod only
// what is not. The programs are detached by Close, and when this program ends. Since Linux 6.6 (e420bed02507).
func AttachPath(device int, from, to netip.AddrPort) (io.Closer, error) {
	var path path
	for kind, program := range map[ebpf.AttachType]asm.Instructions{
		ebpf.AttachTCXIngress: rewrite(destination, from, to),
		ebpf.AttachTCXEgress:  rewrite(source, to, from),
	} {
		l, err := attachPath(device, kind, program)
		if err != nil {
			return nil, errors.Join(err, path.Close())
		}
		path = append(path, l)
	}
	return path, nil
}

type path []link.Link

// Close detaches the programs.
func (p path) Close() error {
	var errs []error
	for _, l := range p {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

func attachPath(device int, kind ebpf.AttachType, i asm.Instructions) (link.Link, error) {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.SchedCLS, AttachType: kind, License: "GPL", Instructions: i,
	})
	if err != nil {
		return nil, fmt.Errorf("load a load balancer: %w", err)
	}
	defer program.Close()
	l, err := link.AttachTCX(link.TCXOptions{Interface: device, Program: program, Attach: kind})
	if err != nil {
		return nil, fmt.Errorf("attach a load balancer: %w", err)
	}
	return l, nil
}

// An end is where the headers have an address and a port. They have no options.
type end struct{ address, port int32 }

const (
	etherType   = 12
	protocol    = 14 + 9
	ipChecksum  = 14 + 10
	tcpChecksum = 14 + 20 + 16
)

var (
	source      = end{14 + 12, 14 + 20}
	destination = end{14 + 16, 14 + 20 + 2}
)

// rewrite returns a program that lets every packet pass, and gives those with one end another one.
func rewrite(e end, from, to netip.AddrPort) asm.Instructions {
	const ipv4, tcp, pseudoHeader = 0x0800, 6, 0x10
	a, b := from.Addr().AsSlice(), to.Addr().AsSlice()
	oldAddress, newAddress := int32(binary.NativeEndian.Uint32(a)), int32(binary.NativeEndian.Uint32(b))
	oldPort, newPort := networkOrder(from.Port()), networkOrder(to.Port())
	program := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1), // where LoadAbs expects the packet
		asm.LoadAbs(etherType, asm.Half), asm.JNE.Imm(asm.R0, ipv4, "pass"),
		asm.LoadAbs(protocol, asm.Byte), asm.JNE.Imm(asm.R0, tcp, "pass"),
		asm.LoadAbs(e.address, asm.Word), asm.JNE.Imm32(asm.R0, int32(binary.BigEndian.Uint32(a)), "pass"),
		asm.LoadAbs(e.port, asm.Half), asm.JNE.Imm(asm.R0, int32(from.Port()), "pass"),
	}
	program = append(program, checksum(asm.FnL4CsumReplace, tcpChecksum, oldAddress, newAddress, 4|pseudoHeader)...)
	program = append(program, checksum(asm.FnL4CsumReplace, tcpChecksum, oldPort, newPort, 2)...)
	program = append(program, checksum(asm.FnL3CsumReplace, ipChecksum, oldAddress, newAddress, 4)...)
	program = append(program, store(e.address, newAddress, 4)...)
	program = append(program, store(e.port, newPort, 2)...)
	return append(program, asm.Mov.Imm(asm.R0, 0).WithSymbol("pass"), asm.Return())
}

func networkOrder(port uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, port)))
}

func checksum(replace asm.BuiltinFunc, at, from, to, flags int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R6), asm.Mov.Imm(asm.R2, at),
		asm.Mov.Imm32(asm.R3, from), asm.Mov.Imm32(asm.R4, to), asm.Mov.Imm(asm.R5, flags), replace.Call(),
	}
}

func store(at, value, size int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Imm32(asm.R3, value), asm.StoreMem(asm.RFP, -4, asm.R3, asm.Word),
		asm.Mov.Reg(asm.R1, asm.R6), asm.Mov.Imm(asm.R2, at), asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, -4),
		asm.Mov.Imm(asm.R4, size), asm.Mov.Imm(asm.R5, 0), asm.FnSkbStoreBytes.Call(),
	}
}
