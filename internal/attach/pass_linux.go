package attach

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// ChoosePass keeps one of two pairs of programs in a spec, and reports whether it is the pair over open files. Both
// pairs visit every socket with state: snapshot_changed and snapshot_all iterate over the storage of the sockets,
// files_changed and files_all over the open files of all processes. Files miss a socket without a file: a socket that
// is closed and still sends, that waits to be accepted, or that belongs to the kernel.
//
// The pair over files is for hardened kernels, which refuse programs that iterate over maps (EPERM). With overFiles, it
// is kept on any kernel.
func ChoosePass(spec *ebpf.CollectionSpec, overFiles bool) (files bool) {
	files = overFiles || iteratorForbidden()
	unused := [...]string{"files_changed", "files_all"}
	if files {
		unused = [...]string{"snapshot_changed", "snapshot_all"}
	}
	for _, name := range unused {
		spec.Programs[name] = Placeholder()
	}
	return files
}

// iteratorForbidden tries to load a program that iterates over the storage of sockets. Any other error is left to the
// load of the object, which explains it.
func iteratorForbidden() bool {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "netconn_try", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "bpf_sk_storage_map",
		License: "GPL", Instructions: returnsZero(),
	})
	if err == nil {
		_ = p.Close() // it was never used
	}
	return errors.Is(err, unix.EPERM)
}

// Placeholder is loaded instead of a program that is not used: the loader of an object wants all of its programs.
func Placeholder() *ebpf.ProgramSpec {
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
