//go:build linux

package attach

import (
	"testing"

	"github.com/cilium/ebpf"
)

// One of two sets of programs is left in the spec. The other ones are replaced, as the object's loader wants them all.
func TestChoose(t *testing.T) {
	for files, want := range map[bool]string{true: "over files", false: "over storage"} {
		if !files && !iteratesOverStorage() {
			t.Log("this kernel forbids programs that iterate over maps")
			continue
		}
		spec := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{
			"storage": {Name: "over storage"}, "files": {Name: "over files"}, "other": {Name: "other"},
		}}
		got := Passes{Storage: []string{"storage"}, Files: []string{"files"}}.Choose(spec, files)
		if got != files {
			t.Errorf("over files: %v, want %v", got, files)
		}
		left := map[string]bool{}
		for _, p := range spec.Programs {
			left[p.Name] = true
		}
		if len(spec.Programs) != 3 || len(left) != 3 || !left[want] || !left["nothing"] || !left["other"] {
			t.Errorf("over files %v: left are %v", files, left)
		}
	}
}
