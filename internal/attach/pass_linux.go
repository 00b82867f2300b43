package attach

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// Passes are the programs of an object that visit every socket with state, by their names: over the storage of the
// sockets, or over the open files of all processes. Those over files miss a socket without a file: one that is closed
// and still sends, that nobody has accepted yet, or that is the kernel's own.
type Passes struct {
	Storage, Files []string
}

// Choose leaves in a spec the programs that this kernel can run, and reports whether these are the ones over open
// files. Some hardened kernels forbid programs that iterate over maps (EPERM), and no other program of netconn does.
// With overFiles they are on any kernel.
func (p Passes) Choose(spec *ebpf.CollectionSpec, overFiles bool) (files bool) {
	files = overFiles || !iteratesOverStorage()
	unused := p.Files
	if files {
		unused = p.Storage
	}
	for _, name := range unused {
		spec.Programs[name] = Nothing()
	}
	return files
}

// iteratesOverStorage tries to load a program that does.
func iteratesOverStorage() bool {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "netconn_try", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "bpf_sk_storage_map",
		License: "GPL", Instructions: returnsZero(),
	})
	if err != nil {
		return false
	}
	_ = p.Close() // it was never used
	return true
}

// Nothing is a program that takes the place of one that is not loaded.
func Nothing() *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{Name: "nothing", Type: ebpf.SocketFilter, License: "GPL", Instructions: returnsZero()}
}

func returnsZero() asm.Instructions { return asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()} }

// Pass attaches one of the programs: over the storage of a map, or over open files.
func Pass(files bool, overFiles, overStorage *ebpf.Program, storage *ebpf.Map) (*link.Iter, error) {
	o := link.IterOptions{Program: overStorage, Map: storage}
	if files {
		o = link.IterOptions{Program: overFiles}
	}
	l, err := link.AttachIter(o)
	if err != nil {
		return nil, fmt.Errorf("attach %s: %w", o.Program, err)
	}
	return l, nil
}
