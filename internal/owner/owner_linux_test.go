package owner

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

func want(t *testing.T, r *Resolver, p conn.Process, owner conn.Owner) {
	t.Helper()
	if diff := cmp.Diff(owner, r.Resolve(p)); diff != "" {
		t.Errorf("Resolve(%+v) (-want +got):\n%s", p, diff)
	}
}

func wantStats(t *testing.T, r *Resolver, stats Stats) {
	t.Helper()
	if diff := cmp.Diff(stats, r.Stats()); diff != "" {
		t.Errorf("Stats() (-want +got):\n%s", diff)
	}
}

func TestNewWithoutHost(t *testing.T) {
	if r, err := New(t.TempDir()); err == nil || !strings.Contains(err.Error(), "root_path") {
		t.Errorf("New(empty) = %v, %v, want an error that names root_path", r, err)
	}
}

func TestNewWithoutCgroups(t *testing.T) {
	m := newMachine(t)
	r, err := New(m.root)
	if err != nil {
		t.Fatal(err)
	}
	if w := r.Warnings(); len(w) != 1 || !strings.Contains(w[0], "mount the host's /sys/fs/cgroup") {
		t.Errorf("Warnings() = %q, want one that says what to mount", w)
	}
	r.Learn(conn.Cgroup{ID: 7, Path: "/docker/" + idA})
	want(t, r, conn.Process{PID: 9, Cgroup: 7, Executable: "web"}, conn.Owner{ContainerID: idA, Executable: "web"})
	want(t, r, conn.Process{PID: 9, Cgroup: 8, Executable: "web"}, conn.Owner{Executable: "web"})
	wantStats(t, r, Stats{
		Resolved: 1, Unresolved: [Reasons]uint64{NoMount: 1}, FirstUnread: 1, Cgroups: 2, Containers: 1,
	})
}

func TestLearnt(t *testing.T) {
	r := newMachine(t).resolver()
	r.Learn(conn.Cgroup{ID: 40, Path: "/kubepods/pod" + uidA + "/" + idA})
	r.Learn(conn.Cgroup{ID: 40, V1: true, Path: "/system.slice/nginx.service"})
	want(t, r, conn.Process{PID: 9, Cgroup: 40, Executable: "web"}, conn.Owner{ContainerID: idA, PodUID: uidA, Executable: "web"})
	want(t, r, conn.Process{PID: 9, CgroupV1: 40, Executable: "nginx"}, conn.Owner{Unit: "nginx.service", Executable: "nginx"})

	r.Learn(conn.Cgroup{ID: 41, Path: "relative"})
	r.Learn(conn.Cgroup{ID: 42, Path: ""})
	r.Learn(conn.Cgroup{ID: 43, V1: true}) // longer than the kernel side has room for
	r.Learn(conn.Cgroup{ID: 0, Path: "/x"})
	r.Learn(conn.Cgroup{V1: true, Path: "/x"})
	wantStats(t, r, Stats{Resolved: 2, Unlearned: 5, FirstUnread: 1, Cgroups: 2, Containers: 1, Programs: 1})
}

func TestLearntAfterMiss(t *testing.T) {
	r := newMachine(t).resolver()
	want(t, r, conn.Process{PID: 9, Cgroup: 1 << 50, Executable: "web"}, conn.Owner{Executable: "web"})
	r.Learn(conn.Cgroup{ID: 1 << 50, Path: "/docker/" + idA})
	want(t, r, conn.Process{PID: 9, Cgroup: 1 << 50, Executable: "web"}, conn.Owner{ContainerID: idA, Executable: "web"})
}

func TestFirstProcess(t *testing.T) {
	web := conn.Process{PID: 99, Executable: "worker"}
	for name, tt := range map[string]struct {
		make func(m machine, path string) uint64
		want string
		miss uint64
	}{
		"the earliest": {func(m machine, path string) uint64 {
			m.process(30, "/bin/late", 300)
			m.process(20, "/bin/first (deleted)", 200)
			m.process(25, "/bin/later", 250)
			return m.cgroup(path, 30, 20, 25)
		}, "first", 0},
		"of two in one tick, the lower": {func(m machine, path string) uint64 {
			m.process(30, "/bin/child", 200)
			m.process(29, "/bin/first", 200)
			return m.cgroup(path, 30, 29)
		}, "first", 0},
		"below, in a systemd of the container": {func(m machine, path string) uint64 {
			m.process(20, "/usr/lib/systemd/systemd", 200)
			m.process(25, "/bin/nginx", 250)
			m.cgroup(path+"/init.scope", 20)
			return m.cgroup(path+"/system.slice/nginx.service", 25)
		}, "systemd", 0},
		"one that is gone meanwhile": {func(m machine, path string) uint64 {
			m.process(25, "/bin/next", 250)
			return m.cgroup(path, 20, 25)
		}, "next", 0},
		"unreadable": {func(m machine, path string) uint64 {
			m.process(20, "", 200)
			m.process(25, "/bin/next", 250)
			return m.cgroup(path, 20, 25)
		}, "worker", 1},
		"runc, before it became the container": {func(m machine, path string) uint64 {
			m.process(20, "/memfd:runc_cloned:/proc/self/exe (deleted)", 200)
			return m.cgroup(path, 20)
		}, "worker", 1},
		"in another process namespace": {func(m machine, path string) uint64 { return m.cgroup(path, 0, 0) }, "worker", 1},
		"all gone":                     {func(m machine, path string) uint64 { return m.cgroup(path) }, "worker", 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			web.Cgroup = tt.make(m, "/system.slice/docker-"+idA+".scope")
			r := m.resolver()
			want(t, r, web, conn.Owner{ContainerID: idA, Executable: tt.want})
			if got := r.Stats().FirstUnread; got != tt.miss {
				t.Errorf("%d first processes unread, want %d", got, tt.miss)
			}
		})
	}
}

func TestNameUnknownAtFirst(t *testing.T) {
	m := newMachine(t)
	group := m.cgroup("/docker/" + idA)
	r := m.resolver()
	want(t, r, conn.Process{Cgroup: group}, conn.Owner{ContainerID: idA})
	want(t, r, conn.Process{PID: 7, Cgroup: group, Executable: "web"}, conn.Owner{ContainerID: idA, Executable: "web"})
	want(t, r, conn.Process{PID: 8, Cgroup: group, Executable: "other"}, conn.Owner{ContainerID: idA, Executable: "web"})
}

func TestHostExecutable(t *testing.T) {
	long := "a-name-that-is-longer-than-thirty-one-bytes"
	for name, tt := range map[string]struct {
		link string
		give string
		want string
	}{
		"as the kernel says":            {"/bin/other", "curl", "curl"},
		"replaced since":                {"/bin/other", "curl (deleted)", "curl"},
		"cut, and there":                {"/opt/" + long, long[:31], long},
		"cut, there, and replaced":      {"/opt/" + long + " (deleted)", long[:31], long},
		"cut, and gone":                 {"", long[:31], long[:31]},
		"cut, and the pid is another's": {"/opt/other", long[:31], long[:31]},
		"exactly as long as fits":       {"/opt/" + long[:31], long[:31], long[:31]},
		"none":                          {"/bin/other", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.process(7, tt.link, 70)
			p := conn.Process{
				PID: 7, Cgroup: m.cgroup("/system.slice/foo.service", 7), Executable: tt.give, Truncated: len(tt.give) == 31,
			}
			want(t, m.resolver(), p, conn.Owner{Unit: "foo.service", Executable: tt.want})
		})
	}
}

// Two long names that begin alike are two programs.
func TestCutNamesOfTwoProcesses(t *testing.T) {
	m := newMachine(t)
	prefix := strings.Repeat("n", 31)
	m.process(7, "/bin/"+prefix+"-one", 70)
	m.process(8, "/bin/"+prefix+"-two", 80)
	group := m.cgroup("/system.slice/foo.service", 7, 8)
	r := m.resolver()
	for range 2 {
		want(t, r, conn.Process{PID: 7, Cgroup: group, Executable: prefix, Truncated: true}, conn.Owner{Unit: "foo.service", Executable: prefix + "-one"})
		want(t, r, conn.Process{PID: 8, Cgroup: group, Executable: prefix, Truncated: true}, conn.Owner{Unit: "foo.service", Executable: prefix + "-two"})
	}
	wantStats(t, r, Stats{Resolved: 4, Walks: 1, Cgroups: r.Stats().Cgroups, Programs: 3})
}

// A process that has ended has the whole name that the others of its cgroup have, unless they have two.
func TestCutNameOfAProcessThatEnded(t *testing.T) {
	m := newMachine(t)
	prefix := strings.Repeat("n", 31)
	m.process(7, "/bin/"+prefix+"-one", 70)
	m.process(8, "/bin/"+prefix+"-two", 80)
	m.process(9, "/bin/"+prefix, 90)
	group, other := m.cgroup("/system.slice/foo.service", 7, 8), m.cgroup("/system.slice/bar.service")
	r := m.resolver()
	named := func(pid uint32, group uint64, unit, name string) {
		t.Helper()
		p := conn.Process{PID: pid, Cgroup: group, Executable: prefix, Truncated: true}
		want(t, r, p, conn.Owner{Unit: unit, Executable: name})
	}
	named(100, group, "foo.service", prefix)
	named(7, group, "foo.service", prefix+"-one")
	named(101, group, "foo.service", prefix+"-one")
	named(102, other, "bar.service", prefix)
	named(9, group, "foo.service", prefix) // exactly as long as fits
	named(103, group, "foo.service", prefix)
	named(8, group, "foo.service", prefix+"-two")
	named(104, group, "foo.service", prefix)
	named(7, group, "foo.service", prefix+"-one")
}

func TestUnresolved(t *testing.T) {
	m := newMachine(t)
	r := m.resolver()
	want(t, r, conn.Process{}, conn.Owner{})
	want(t, r, conn.Process{PID: 7, Executable: "curl"}, conn.Owner{Executable: "curl"})
	for id := range uint64(walksPerExpire + 3) {
		want(t, r, conn.Process{PID: 7, Cgroup: 1<<50 + id, Executable: "curl"}, conn.Owner{Executable: "curl"})
	}
	want(t, r, conn.Process{PID: 7, Cgroup: 1 << 50, Executable: "curl"}, conn.Owner{Executable: "curl"})
	want(t, r, conn.Process{PID: 7, CgroupV1: 9, Executable: "curl"}, conn.Owner{Executable: "curl"})
	wantStats(t, r, Stats{
		Unresolved: [Reasons]uint64{NoCgroup: 2, Gone: walksPerExpire + 1, Deferred: 3, NoMount: 1},
		Walks:      walksPerExpire,
		Cgroups:    walksPerExpire + 1,
	})
	r.Expire(time.Unix(1000, 0))
	want(t, r, conn.Process{PID: 7, Cgroup: 1<<50 + walksPerExpire, Executable: "curl"}, conn.Owner{Executable: "curl"})
	if got := r.Stats().Unresolved[Gone]; got != walksPerExpire+2 {
		t.Errorf("%d gone after Expire, want %d: the ids that waited are searched for", got, walksPerExpire+2)
	}
}

// One walk finds them all.
func TestWalk(t *testing.T) {
	m := newMachine(t)
	nginx, web := m.cgroup("/system.slice/nginx.service"), m.cgroup("/docker/"+idA)
	root := m.tree().id("/")
	r := m.resolver()
	want(t, r, conn.Process{PID: 7, Cgroup: nginx, Executable: "nginx"}, conn.Owner{Unit: "nginx.service", Executable: "nginx"})
	want(t, r, conn.Process{PID: 8, Cgroup: web, Executable: "web"}, conn.Owner{ContainerID: idA, Executable: "web"})
	want(t, r, conn.Process{PID: 9, Cgroup: root, Executable: "init"}, conn.Owner{Executable: "init"})
	wantStats(t, r, Stats{Resolved: 3, Walks: 1, FirstUnread: 1, Cgroups: 5, Containers: 1, Programs: 2})
}

func TestHitsDoNotAllocate(t *testing.T) {
	r := newMachine(t).resolver()
	r.Learn(conn.Cgroup{ID: 10, Path: "/docker/" + idA})
	r.Learn(conn.Cgroup{ID: 10, V1: true, Path: "/docker/" + idB})
	r.Learn(conn.Cgroup{ID: 11, Path: "/system.slice/foo.service"})
	for name, p := range hits {
		r.Resolve(p)
		if n := testing.AllocsPerRun(100, func() { r.Resolve(p) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

var hits = map[string]conn.Process{
	"container": {PID: 7, Cgroup: 10, Executable: "web"},
	"nowhere":   {PID: 8, Executable: "nginx"},
	"both":      {PID: 8, Cgroup: 11, CgroupV1: 10, Executable: "nginx"},
	"host":      {PID: 8, Cgroup: 11, Executable: "nginx"},
	"cut":       {PID: 8, Cgroup: 11, Executable: strings.Repeat("n", 31), Truncated: true},
}

func BenchmarkResolve(b *testing.B) {
	r := resolverOf("/proc")
	r.Learn(conn.Cgroup{ID: 10, Path: "/docker/" + idA})
	r.Learn(conn.Cgroup{ID: 10, V1: true, Path: "/docker/" + idB})
	r.Learn(conn.Cgroup{ID: 11, Path: "/system.slice/foo.service"})
	for name, p := range hits {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Resolve(p)
			}
		})
	}
}

// A process has a cgroup in each version; the one that names a container wins, else version 2.
func TestTwoHierarchies(t *testing.T) {
	const engine, root = "/system.slice/containerd.service", "/"
	for name, tt := range map[string]struct {
		v2, v1 string // empty: no path
		want   conn.Owner
	}{
		"a container in version 1 only":        {engine, "/docker/" + idA, conn.Owner{ContainerID: idA}},
		"a pod in version 1 only":              {root, "/kubepods/pod" + uidA + "/" + idA, conn.Owner{ContainerID: idA, PodUID: uidA}},
		"a container in version 2 only":        {"/docker/" + idA, root, conn.Owner{ContainerID: idA}},
		"a container in both":                  {"/docker/" + idA, "/docker/" + idB, conn.Owner{ContainerID: idA}},
		"a system container in version 1 only": {root, "/lxc/web", conn.Owner{ContainerID: "web", Named: true}},
		"a service in version 2":               {"/system.slice/a.service", "/system.slice/b.service", conn.Owner{Unit: "a.service"}},
		"a service in version 1 only":          {root, "/system.slice/b.service", conn.Owner{Unit: "b.service"}},
		"version 2 has no path":                {"", "/docker/" + idA, conn.Owner{ContainerID: idA}},
		"version 1 has no path":                {"/system.slice/a.service", "", conn.Owner{Unit: "a.service"}},
		"a user's container, and an engine's": {
			"/user.slice/user-1000.slice/libpod-" + idB + ".scope", "/docker/" + idA, conn.Owner{ContainerID: idA},
		},
		"an engine's container, and a user's": {
			"/docker/" + idA, "/user.slice/user-1000.slice/libpod-" + idB + ".scope", conn.Owner{ContainerID: idA},
		},
		"a user's container only": {
			root, "/user.slice/user-1000.slice/libpod-" + idA + ".scope", conn.Owner{ContainerID: idA, Unit: "user.slice"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := resolverOf("/proc")
			r.Learn(conn.Cgroup{ID: 7, Path: tt.v2})
			r.Learn(conn.Cgroup{ID: 7, V1: true, Path: tt.v1})
			tt.want.Executable = "app"
			want(t, r, conn.Process{Cgroup: 7, CgroupV1: 7, Executable: "app"}, tt.want)
		})
	}
}

// A user may run a container under another's id: they are two, with two names.
func TestClaimedID(t *testing.T) {
	m := newMachine(t)
	m.process(20, "/bin/first", 200)
	m.process(30, "/bin/other", 300)
	engine := m.cgroup("/docker/"+idA, 20)
	claimed := m.cgroup("/user.slice/user-1000.slice/user@1000.service/libpod-"+idA+".scope", 30)
	r := m.resolver()
	for range 2 {
		want(t, r, conn.Process{PID: 20, Cgroup: engine, Executable: "first"}, conn.Owner{ContainerID: idA, Executable: "first"})
		owner := conn.Owner{ContainerID: idA, Unit: "user.slice", Executable: "other"}
		want(t, r, conn.Process{PID: 30, Cgroup: claimed, Executable: "other"}, owner)
		if !owner.ClaimedID() {
			t.Error("the id is not claimed")
		}
	}
}

// On a host that has pods, what looks like a pod in a container is not one, and a claimed id is not reported: whoever
// looks it up may take it for a pod's. Also if it was there before the first pod.
func TestHostWithPods(t *testing.T) {
	r := resolverOf("/proc")
	nested := conn.Cgroup{ID: 1, Path: "/docker/" + idA + "/kubelet/kubepods/pod" + uidB + "/" + idB}
	claimed := conn.Cgroup{ID: 2, Path: "/user.slice/user-1000.slice/libpod-" + idB + ".scope"}
	pod := conn.Cgroup{ID: 3, Path: "/kubepods/pod" + uidB + "/" + idB}
	of := func(c conn.Cgroup) conn.Process { return conn.Process{Cgroup: c.ID, Executable: "app"} }
	for _, c := range []conn.Cgroup{nested, claimed} {
		r.Learn(c)
	}
	want(t, r, of(nested), conn.Owner{ContainerID: idB, PodUID: uidB, Executable: "app"})
	want(t, r, of(claimed), conn.Owner{ContainerID: idB, Unit: "user.slice", Executable: "app"})
	r.Learn(pod)
	for _, c := range []conn.Cgroup{nested, claimed} {
		want(t, r, of(c), conn.Owner{Executable: "app"}) // forgotten, and looked up again
	}
	for _, c := range []conn.Cgroup{nested, claimed} {
		r.Learn(c)
	}
	want(t, r, of(nested), conn.Owner{ContainerID: idA, Executable: "app"})
	want(t, r, of(claimed), conn.Owner{Unit: "user.slice", Executable: "app"})
	want(t, r, of(pod), conn.Owner{ContainerID: idB, PodUID: uidB, Executable: "app"})
}
