//go:build linux

package drops

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/testnet"
)

// Numbers differ between kernels. A name that is not known is one of the others.
func TestReasonsByName(t *testing.T) {
	reasons := parseReasons([]btf.EnumValue{
		{Name: "SKB_NOT_DROPPED_YET", Value: 0}, {Name: "SKB_DROP_REASON_NO_SOCKET", Value: 9},
		{Name: "SKB_DROP_REASON_NOT_SPECIFIED", Value: 2}, {Name: "SKB_DROP_REASON_OF_TOMORROW", Value: 3},
		{Name: "SKB_DROP_REASON_SUBSYS_MASK", Value: 0xffff0000}, {Name: "SKB_DROP_REASON_MAX", Value: 10},
	})
	for number, want := range map[int]string{0: "-not_dropped_yet", 9: "no_socket", 2: "-not_specified", 3: "_OTHER", 255: "_OTHER"} {
		got := names.DropReason(reasons[number].index)
		if reasons[number].excluded {
			got = "-" + names.ExcludedDrop(reasons[number].index)
		}
		if got != want {
			t.Errorf("%d is %s, want %s", number, got, want)
		}
	}
}

// This kernel has the reasons that the tests above are about.
func TestReasonsOfThisKernel(t *testing.T) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		testnet.Require(t, err)
	}
	reasons, err := readReasons(kernel)
	if err != nil {
		testnet.Require(t, err)
	}
	for _, name := range []string{"netfilter_drop", "no_socket", "socket_rcvbuff"} {
		if !slices.ContainsFunc(reasons[:], func(r reason) bool { return !r.excluded && names.DropReason(r.index) == name }) {
			t.Errorf("the kernel has no %s", name)
		}
	}
}

// The types of a kernel before 5.17 have no reasons. The error says so, and which kernel has them. Such types are those of
// this kernel, in which the reasons have another name.
func TestKernelWithoutReasons(t *testing.T) {
	types, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		testnet.Require(t, err)
	}
	older := bytes.Replace(types, []byte("\x00skb_drop_reason\x00"), []byte("\x00SKB_drop_reason\x00"), 1)
	kernel, err := btf.LoadSpecFromReader(bytes.NewReader(older))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = readReasons(kernel); !errors.Is(err, errNoReason) || !strings.Contains(err.Error(), "Linux 5.17 or newer") {
		t.Errorf("the reasons of a kernel without any: %v", err)
	}
}
