//go:build linux

package cgroup

import (
	"os"
	"testing"
)

func TestParseLink(t *testing.T) {
	for name, c := range map[string]struct {
		info string
		id   uint32
		ok   bool
	}{
		"a link":    {"pos:\t0\nflags:\t02000000\nlink_type:\tcgroup\nlink_id:\t31\nprog_tag:\t3b18\nprog_id:\t417\ncgroup_id:\t1\n", 417, true},
		"a program": {"pos:\t0\nprog_type:\t8\nprog_tag:\t3b18\nmemlock:\t4096\nprog_id:\t417\n", 417, false},
		"a file":    {"pos:\t0\nflags:\t0100000\nmnt_id:\t25\n", 0, false},
		"no number": {"link_type:\tcgroup\nprog_id:\tx\n", 0, false},
	} {
		if id, ok := parseLink(c.info); ok != c.ok || ok && id != c.id {
			t.Errorf("%s: %d, %t", name, id, ok)
		}
	}
}

func TestProgramsOfNobody(t *testing.T) {
	if got, err := Programs(os.Getpid()); err != nil || len(got) != 0 {
		t.Errorf("this process attaches %v, %v", got, err)
	}
	if _, err := Programs(-1); err == nil {
		t.Error("no process has open files")
	}
}
