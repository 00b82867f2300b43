//go:build linux

package kernel

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

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
