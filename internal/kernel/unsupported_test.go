//go:build linux

package kernel

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/netconn/netconn/internal/testnet"
)

// On a kernel that is too old, Open says which one is new enough. `make vm-test` runs this on such a kernel; on others there
// is nothing to say.
func TestKernelTooOld(t *testing.T) {
	s, err := Open(Options{})
	if err == nil {
		s.Close()
		return
	}
	if os.Geteuid() != 0 {
		testnet.Require(t, err)
	}
	if !errors.Is(err, ErrNotSupported) || !errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("%q does not wrap ErrNotSupported", err)
	}
	sentence, _, _ := strings.Cut(err.Error(), "): ")
	if want := ErrNotSupported.Error() + ": the kernel lacks a feature that netconn needs (Linux 5.12 or newer has all"; sentence != want {
		t.Errorf("%q, want %q at its beginning", err, want)
	}
	t.Log(sentence + ")")
}

// On a kernel without type information, Open says so.
func TestKernelWithoutTypes(t *testing.T) {
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("to hide a file one has to have the rights"))
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("unshare", "-m", "sh", "-c", `mount -t tmpfs none /sys/kernel/btf && exec "$0"`, exe)
	child.Env = append(os.Environ(), "NETCONN_TEST_ROLE=open")
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"the kernel has no type information", "CONFIG_DEBUG_INFO_BTF=y"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q, want %q in it", out, want)
		}
	}
}
