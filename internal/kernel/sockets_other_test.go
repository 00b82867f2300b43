//go:build !linux

package kernel

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
)

func TestOpenElsewhere(t *testing.T) {
	s, err := Open(Options{})
	if s != nil || !errors.Is(err, ErrNotSupported) || !errors.Is(err, ebpf.ErrNotSupported) {
		t.Errorf("Open() = %v, %v, want ErrNotSupported", s, err)
	}
}
