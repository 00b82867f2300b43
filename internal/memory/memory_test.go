package memory

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// tree writes files below a directory of the test's.
func tree(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	unified = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
	hybrid  = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" +
		"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n" +
		"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)

func TestOfCgroups(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  Limit
	}{
		"own cgroup": {map[string]string{
			"proc/self/cgroup": "0::/system.slice/netconn.service\n", "proc/self/mountinfo": unified,
			"sys/fs/cgroup/system.slice/netconn.service/memory.max": "805306368\n",
			"sys/fs/cgroup/system.slice/memory.max":                 "max\n",
		}, Limit{805306368, "/sys/fs/cgroup/system.slice/netconn.service/memory.max"}},
		"ancestor with less": {map[string]string{
			"proc/self/cgroup": "0::/a/b/c\n", "proc/self/mountinfo": unified,
			"sys/fs/cgroup/a/b/c/memory.max": "3000\n",
			"sys/fs/cgroup/a/b/memory.max":   "4000\n",
			"sys/fs/cgroup/a/memory.max":     "2000\n",
		}, Limit{2000, "/sys/fs/cgroup/a/memory.max"}},
		"cgroup namespace": {map[string]string{
			"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": unified,
			"sys/fs/cgroup/memory.max": "134217728\n",
		}, Limit{134217728, "/sys/fs/cgroup/memory.max"}},
		"host's cgroups beside a namespace's": {map[string]string{
			"proc/self/cgroup":                "0::/\n",
			"proc/self/mountinfo":             "40 23 0:28 /../../.. /hostfs/sys/fs/cgroup ro - cgroup2 cgroup2 rw\n" + unified,
			"hostfs/sys/fs/cgroup/memory.max": "7\n",
			"sys/fs/cgroup/memory.max":        "134217728\n",
		}, Limit{134217728, "/sys/fs/cgroup/memory.max"}},
		"own cgroup mounted by its path": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/1f\n0::/docker/1f\n",
			"proc/self/mountinfo":                        "35 31 0:32 /docker/1f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "500\n",
		}, Limit{500, "/sys/fs/cgroup/memory/memory.limit_in_bytes"}},
		"another cgroup with the same beginning": {map[string]string{
			"proc/self/cgroup":         "0::/docker/1f2\n",
			"proc/self/mountinfo":      "35 31 0:32 /docker/1f /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n",
			"sys/fs/cgroup/memory.max": "500\n",
		}, Limit{}},
		"version 1": {map[string]string{
			"proc/self/cgroup":                               "4:memory:/a/b\n1:cpu,cpuacct:/\n0::/\n",
			"proc/self/mountinfo":                            hybrid,
			"sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": "9223372036854771712\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes":   "6000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":     "9223372036854771712\n",
		}, Limit{6000, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes"}},
		"no limit": {map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": unified, "sys/fs/cgroup/a/memory.max": "max\n",
		}, Limit{}},
		"no number": {map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": unified, "sys/fs/cgroup/a/memory.max": "12 kB\n",
		}, Limit{}},
		"no process table": {nil, Limit{}},
		"no mounts":        {map[string]string{"proc/self/cgroup": "0::/a\n"}, Limit{}},
		"damaged lines": {map[string]string{
			"proc/self/cgroup": "\n0\n0:\n", "proc/self/mountinfo": "31 23 - cgroup2\n\n" + unified,
		}, Limit{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ofCgroups(tree(t, c.files)); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestSmaller(t *testing.T) {
	none, small, large := Limit{}, Limit{1, "a"}, Limit{2, "b"}
	for _, c := range [][3]Limit{
		{none, none, none}, {none, small, small}, {small, none, small}, {small, large, small}, {large, small, small},
	} {
		if got := c[0].Smaller(c[1]); got != c[2] {
			t.Errorf("of %+v and %+v: %+v", c[0], c[1], got)
		}
	}
}

func TestReadGo(t *testing.T) {
	before := debug.SetMemoryLimit(600 << 20)
	defer debug.SetMemoryLimit(before)
	if got, want := Read().Go, (Limit{600 << 20, "GOMEMLIMIT"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	if got := Read().Go; got != (Limit{}) {
		t.Errorf("%+v, want none", got)
	}
}

// A pod sees its own cgroup through a cgroup namespace. Where the host's are mounted too, the limit of the whole pod
// and those above it count, and not those beside it.
func TestOutsideOfTheNamespace(t *testing.T) {
	const host = "hostfs/sys/fs/cgroup/"
	for name, c := range map[string]struct {
		way  string // from the own cgroup up to the mount's root
		want Limit
	}{
		"the pod has less":       {"/../..", Limit{500, "/hostfs/sys/fs/cgroup/pod1/memory.max"}},
		"not the host's cgroups": {"/../../..", Limit{700, "/sys/fs/cgroup/memory.max"}},
		"beside the own cgroup":  {"/../pod2", Limit{700, "/sys/fs/cgroup/memory.max"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, map[string]string{
				"proc/self/cgroup":    "0::/\n",
				"proc/self/mountinfo": "40 23 0:28 " + c.way + " /hostfs/sys/fs/cgroup ro - cgroup2 cgroup2 rw\n" + unified,
				host + "memory.max":   "900\n", host + "pod1/memory.max": "500\n", host + "pod1/c1/memory.max": "700\n",
				host + "pod2/memory.max": "100\n", host + "pod1/c2/memory.max": "100\n", "sys/fs/empty": "",
			})
			if err := os.Symlink(filepath.Join(root, host, "pod1/c1"), filepath.Join(root, "sys/fs/cgroup")); err != nil {
				t.Fatal(err)
			}
			if got := ofCgroups(root); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// A cgroup may have a colon in its name, and a hierarchy may have several controllers.
func TestParseGroups(t *testing.T) {
	for text, want := range map[string]groups{
		"0::/user.slice/a:b\n":                        {version2: "/user.slice/a:b"},
		"12:cpuset,memory:/pod\n0::/\n":               {version1: "/pod", version2: "/"},
		"9:name=memory:/x\n8:memory_recursive:/y\n":   {},
		"1:cpu:/a\n2:memory:/b\n3:pids:/c\n0::/d/e\n": {version1: "/b", version2: "/d/e"},
	} {
		if got := parseGroups(strings.NewReader(text)); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

// Only mounts of version 2 and of the memory controller count, with any number of optional fields.
func TestParseMounts(t *testing.T) {
	got := parseMounts(strings.NewReader(hybrid + unified + "22 1 8:1 / / rw shared:1 master:2 - ext4 /dev/sda1 rw\n"))
	want := []mount{
		{root: "/", point: "/sys/fs/cgroup/memory", version1: true},
		{root: "/", point: "/sys/fs/cgroup/unified"},
		{root: "/", point: "/sys/fs/cgroup"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The own cgroup comes first, and the mount point last.
func TestDirectories(t *testing.T) {
	mounts := []mount{{root: "/kubepods", point: "/cg"}, {root: "/kubepods/pod1", point: "/v1", version1: true}}
	for _, c := range []struct {
		groups
		want []string
	}{
		{groups{version2: "/kubepods/pod1/c1"}, []string{"/cg/pod1/c1", "/cg/pod1", "/cg"}},
		{groups{version2: "/kubepods"}, []string{"/cg"}},
		{groups{version2: "/"}, nil},
		{groups{version1: "/kubepods/pod1/c1"}, []string{"/v1/c1", "/v1"}},
		{groups{version1: "/kubepods/pod10"}, nil},
	} {
		if got := directories(c.groups, mounts); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.groups, got, c.want)
		}
	}
}

// What is not there, or is no directory, ends the way down.
func TestDescend(t *testing.T) {
	root := tree(t, map[string]string{"a/b/file": "", "a/c/d/file": ""})
	info, err := os.Stat(filepath.Join(root, "a/c/d"))
	if err != nil {
		t.Fatal(err)
	}
	for levels, want := range []string{"", "", "", filepath.Join(root, "a/c/d"), ""} {
		if got := descend(root, levels, []os.FileInfo{info}); got != want {
			t.Errorf("%d levels: %q, want %q", levels, got, want)
		}
	}
}
