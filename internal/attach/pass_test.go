//go:build linux

package attach

import (
	"maps"
	"testing"

	"github.com/cilium/ebpf"
)

// One of two pairs of programs is left in the spec. The other pair is replaced.
func TestChoosePass(t *testing.T) {
	for files, want := range map[bool]string{true: "over files", false: "over storage"} {
		if !files && iteratorForbidden() {
			t.Log("this kernel forbids programs that iterate over maps")
			continue
		}
		spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{
			"snapshot_changed": {Name: "over storage"}, "snapshot_all": {Name: "over storage"},
			"files_changed": {Name: "over files"}, "files_all": {Name: "over files"}, "other": {Name: "other"},
		}}
		got := ChoosePass(spec, files)
		if got != files {
			t.Errorf("over files: %v, want %v", got, files)
		}
		left := map[string]int{}
		for _, p := range spec.Programs {
			left[p.Name]++
		}
		if !maps.Equal(left, map[string]int{want: 2, "nothing": 2, "other": 1}) {
			t.Errorf("over files %v: left are %v", files, left)
		}
	}
}
