package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// explain turns the failure to load or attach into a sentence that says what is missing and what to do, and wraps the
// cause. It probes only now: whether the kernel can do something was found out by trying.
func explain(cause error) error {
	return explainWith(cause, probes{read: readHead, capabilities: effectiveCapabilities, files: openFiles})
}

// probes are what explain asks the system.
type probes struct {
	read         func(path string) ([]byte, error)
	capabilities func() (effective uint64, err error)
	files        func(n int) error // opens as many
}

// filesNeeded are for maps, programs, links, rings and iterators.
const filesNeeded = 64

// openFiles returns the error of opening n files if a limit prevents it.
func openFiles(n int) error {
	for range n {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
			return err
		}
		if err == nil {
			defer f.Close()
		}
	}
	return nil
}

func explainWith(cause error, p probes) error {
	if err := p.files(filesNeeded); err != nil { // the cause may be a probe of another package, which needs files too
		return fmt.Errorf("the collector may open too few files: raise its limit (RLIMIT_NOFILE, LimitNOFILE= of "+
			"systemd) or fs.file-max to %d more at least: %w: %w", filesNeeded, err, cause)
	}
	if sentence := missingInKernel(p.read); sentence != "" {
		return fmt.Errorf("%w: %s: %w", ErrNotSupported, sentence, cause)
	}
	if missing := missingCapabilities(p.capabilities); len(missing) > 0 {
		// Without the cause: the probes of a process without permissions fail too, and then blame the kernel's version.
		return fmt.Errorf("missing %s: run as root, or grant these capabilities", strings.Join(missing, ", "))
	}
	switch {
	case errors.Is(cause, unix.EPERM):
		return fmt.Errorf("the kernel or a security module (seccomp, SELinux, AppArmor) forbids bpf(): "+
			"allow it for the collector: %w", cause)
	case errors.Is(cause, ebpf.ErrNotSupported), errors.Is(cause, unix.EINVAL):
		return fmt.Errorf("%w: the kernel lacks a feature that netconn needs (Linux 5.12 or newer has all): %w",
			ErrNotSupported, cause)
	}
	return cause
}

// missingInKernel returns a sentence about what no permission can replace, or nothing.
func missingInKernel(read func(path string) ([]byte, error)) string {
	if _, err := read("/sys/kernel/btf/vmlinux"); errors.Is(err, os.ErrNotExist) {
		return "the kernel has no type information (/sys/kernel/btf/vmlinux): " +
			"use one built with CONFIG_DEBUG_INFO_BTF=y"
	}
	if lockdown, _ := read("/sys/kernel/security/lockdown"); strings.Contains(string(lockdown), "[confidentiality]") {
		return "the kernel is locked down (confidentiality), so no program may read its memory: " +
			"boot with lockdown=integrity or less"
	}
	return ""
}

// readHead reads the beginning of a file, which may be large.
func readHead(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 256)
	n, err := f.Read(head)
	return head[:n], err
}

// missingCapabilities returns the capabilities that Open needs and the process lacks. CAP_SYS_ADMIN includes both.
func missingCapabilities(read func() (effective uint64, err error)) []string {
	effective, err := read()
	if err != nil || effective&(1<<unix.CAP_SYS_ADMIN) != 0 {
		return nil
	}
	var missing []string
	for _, c := range []struct {
		name   string
		number uint
	}{{"CAP_BPF", unix.CAP_BPF}, {"CAP_PERFMON", unix.CAP_PERFMON}} {
		if effective&(1<<c.number) == 0 {
			missing = append(missing, c.name)
		}
	}
	return missing
}

func effectiveCapabilities() (uint64, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	return uint64(data[0].Effective) | uint64(data[1].Effective)<<32, nil
}
