package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// explain turns the failure to load or attach into a sentence that says what is missing and what to do. It probes only now, when
// something has failed: what the kernel can do was found out by trying. Where the reason is certain the cause is left out, as it is
// the guess of whatever happened to fail first.
func explain(err error) error {
	if sentence := missingInKernel(readHead); sentence != "" {
		return errors.New(sentence)
	}
	if missing := missingCapabilities(); len(missing) > 0 {
		return fmt.Errorf("missing %s: run as root, or grant these capabilities", strings.Join(missing, ", "))
	}
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("the kernel or a security module (seccomp, SELinux, AppArmor) forbids bpf(): allow it for the collector: %w", err)
	}
	if errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("the kernel lacks a feature that netconn needs (Linux 5.12 or newer has all): %w", err)
	}
	return err
}

// missingInKernel names what no right can make up for.
func missingInKernel(read func(path string) ([]byte, error)) string {
	if _, err := read("/sys/kernel/btf/vmlinux"); errors.Is(err, os.ErrNotExist) {
		return "the kernel has no type information (/sys/kernel/btf/vmlinux): use one built with CONFIG_DEBUG_INFO_BTF=y"
	}
	if lockdown, _ := read("/sys/kernel/security/lockdown"); strings.Contains(string(lockdown), "[confidentiality]") {
		return "the kernel is locked down (confidentiality), so no program may read its memory: boot with lockdown=integrity or less"
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

// missingCapabilities names those that reading sockets needs and this process does not have. CAP_SYS_ADMIN stands for the first two.
func missingCapabilities() []string {
	effective, err := effectiveCapabilities()
	if err != nil {
		return nil
	}
	has := func(c uint) bool { return effective&(1<<c) != 0 }
	var missing []string
	for _, c := range []struct {
		name   string
		number uint
	}{{"CAP_BPF", unix.CAP_BPF}, {"CAP_PERFMON", unix.CAP_PERFMON}} {
		if !has(c.number) && !has(unix.CAP_SYS_ADMIN) {
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
