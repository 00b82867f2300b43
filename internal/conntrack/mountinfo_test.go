//go:build linux

package conntrack

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseMounts(t *testing.T) {
	const mountinfo = `25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw
497 96 0:4 net:[4026532277] /run/netns/cni-5d1f rw shared:258 - nsfs nsfs rw
498 96 0:4 net:[4026532278] /var/run/docker/netns/with\040space rw - nsfs nsfs rw
499 96 0:4 mnt:[4026532279] /run/snapd/ns/lxd.mnt rw - nsfs nsfs rw
500 96 0:4 net:[12 /run/netns/broken rw - nsfs nsfs rw
501 96 0:4
`
	got := parseMounts(strings.NewReader(mountinfo))
	wantEqual(t, "mounts", got, map[uint32]string{
		4026532277: "/run/netns/cni-5d1f",
		4026532278: "/var/run/docker/netns/with space",
	})
}

func TestUnescape(t *testing.T) {
	got := map[string]string{}
	want := map[string]string{
		`/run/netns/a`: "/run/netns/a", `/a\040b\011c`: "/a b\tc", `/a\134b`: `/a\b`,
		`/end\`: `/end\`, `/a\4`: `/a\4`, `/a\999`: `/a\999`,
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		got[path] = unescape(path)
	}
	wantEqual(t, "paths", got, want)
}

func TestParseNetnsLink(t *testing.T) {
	for target, want := range map[string]uint32{
		"net:[4026531840]": 4026531840,
		"net:[4026531840":  0, "mnt:[4026531840]": 0, "net:[]": 0, "net:[-1]": 0, "net:[4294967296]": 0,
	} {
		if got, ok := parseNetnsLink(target); got != want && ok || ok != (want != 0) {
			t.Errorf("%s: got %d, %v", target, got, ok)
		}
	}
}
