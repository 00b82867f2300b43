//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

func TestMissingInKernel(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"all there":       {map[string]string{"/sys/kernel/btf/vmlinux": "", "/sys/kernel/security/lockdown": "[none] integrity confidentiality"}, ""},
		"no types":        {nil, "CONFIG_DEBUG_INFO_BTF"},
		"no lockdown":     {map[string]string{"/sys/kernel/btf/vmlinux": ""}, ""},
		"confidentiality": {map[string]string{"/sys/kernel/btf/vmlinux": "", "/sys/kernel/security/lockdown": "none integrity [confidentiality]"}, "locked down"},
	} {
		t.Run(name, func(t *testing.T) {
			got := missingInKernel(func(path string) ([]byte, error) {
				text, ok := c.files[path]
				if !ok {
					return nil, fs.ErrNotExist
				}
				return []byte(text), nil
			})
			if !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
				t.Errorf("%q, want %q in it", got, c.want)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	const all, admin = 1<<unix.CAP_BPF | 1<<unix.CAP_PERFMON, 1 << unix.CAP_SYS_ADMIN
	cause := errors.New("load BPF programs: something")
	wrap := func(err error) error { return fmt.Errorf("%w: %w", cause, err) }
	for name, c := range map[string]struct {
		noTypes      bool
		capabilities uint64
		unreadable   bool // the capabilities
		files        error
		cause        error
		want         string
		notSupported bool
	}{
		"no type information":       {noTypes: true, cause: wrap(unix.EPERM), want: "the kernel has no type information", notSupported: true},
		"no capability":             {cause: wrap(ebpf.ErrNotSupported), want: "missing CAP_BPF, CAP_PERFMON: run as root"},
		"one of two":                {capabilities: 1 << unix.CAP_BPF, cause: wrap(unix.EPERM), want: "missing CAP_PERFMON: run as root"},
		"the other of two":          {capabilities: 1 << unix.CAP_PERFMON, cause: wrap(unix.EPERM), want: "missing CAP_BPF: run as root"},
		"refused with both":         {capabilities: all, cause: wrap(unix.EPERM), want: "a security module"},
		"refused to an admin":       {capabilities: admin, cause: wrap(unix.EPERM), want: "a security module"},
		"refused, rights unknown":   {unreadable: true, cause: wrap(unix.EPERM), want: "a security module"},
		"a feature is missing":      {capabilities: all, cause: wrap(ebpf.ErrNotSupported), want: "the kernel lacks a feature", notSupported: true},
		"a flag is not known":       {capabilities: admin, cause: wrap(unix.EINVAL), want: "the kernel lacks a feature", notSupported: true},
		"too few files":             {files: unix.EMFILE, cause: wrap(ebpf.ErrNotSupported), want: "RLIMIT_NOFILE"},
		"the host has no files":     {files: unix.ENFILE, capabilities: all, cause: wrap(unix.ENFILE), want: "fs.file-max"},
		"nothing that can be named": {capabilities: all, cause: wrap(unix.ENOMEM), want: "load BPF programs"},
	} {
		t.Run(name, func(t *testing.T) {
			p := probes{
				files: func(int) error { return c.files },
				read:  func(string) ([]byte, error) { return nil, nil },
				capabilities: func() (uint64, error) {
					if c.unreadable {
						return 0, unix.ENOSYS
					}
					return c.capabilities, nil
				},
			}
			if c.noTypes {
				p.read = func(string) ([]byte, error) { return nil, fs.ErrNotExist }
			}
			got := explainWith(c.cause, p)
			if !strings.Contains(got.Error(), c.want) {
				t.Errorf("%q, want %q in it", got, c.want)
			}
			if wrapped := !strings.HasPrefix(got.Error(), "missing CAP_"); errors.Is(got, cause) != wrapped {
				t.Errorf("%q wraps the cause: %t, want %t", got, !wrapped, wrapped)
			}
			if errors.Is(got, ErrNotSupported) != c.notSupported {
				t.Errorf("%q: is ErrNotSupported: %t, want %t", got, !c.notSupported, c.notSupported)
			}
		})
	}
}

// What Open returns on another system cannot be run here; the sentence and what it wraps are the same code.
func TestOtherSystem(t *testing.T) {
	err := errSystem("plan9")
	for _, want := range []string{"reads connections from the Linux kernel", "this is plan9", "run the collector on Linux"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q, want %q in it", err, want)
		}
	}
	for _, target := range []error{ErrNotSupported, ebpf.ErrNotSupported} {
		if !errors.Is(err, target) {
			t.Errorf("%q does not wrap %q", err, target)
		}
	}
}

// Without rights, Open says which are missing.
func TestOpenWithoutRights(t *testing.T) {
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("to drop rights one has to have them"))
	}
	child := exec.Command("/proc/self/exe")
	child.Env = append(os.Environ(), "NETCONN_TEST_ROLE=open")
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"CAP_BPF", "CAP_PERFMON", "run as root"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q, want %q in it", out, want)
		}
	}
}

// With too few files, Open says so, however many it lacks.
func TestOpenWithFewFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("to open one has to have the rights"))
	}
	for _, files := range []string{"3", "7", "13"} {
		child := exec.Command("/proc/self/exe")
		child.Env = append(os.Environ(), "NETCONN_TEST_ROLE=open few", "NETCONN_TEST_FILES="+files)
		out, err := child.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if !strings.Contains(string(out), "RLIMIT_NOFILE") || strings.Contains(string(out), "not supported:") {
			t.Errorf("%s more files: %q does not say what is missing", files, out)
		}
	}
}
