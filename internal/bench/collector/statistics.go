//go:build linux

package collector

import (
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Statistics has the kernel time all BPF programs until the result is closed. It is a descriptor, not the sysctl that
// everybody shares.
func Statistics() (io.Closer, error) {
	c, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return nil, fmt.Errorf("turn on BPF statistics: %w", err)
	}
	return c, nil
}

// Name returns the name of a program that is loaded, cut by the kernel at 15 bytes.
func Name(id uint64) (string, error) {
	p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return "", fmt.Errorf("open program %d: %w", id, err)
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return "", fmt.Errorf("read program %d: %w", id, err)
	}
	return info.Name, nil
}
