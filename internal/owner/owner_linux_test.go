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
	r.Learn(7, "/docker/"+idA)
	want(t, r, conn.Process{PID: 9, Cgroup: 7, Executable: "web"}, conn.Owner{ContainerID: idA, Executable: "web"})
	want(t, r, conn.Process{PID: 9, Cgroup: 8, Executable: "web"}, conn.Owner{Executable: "web"})
	wantStats(t, r, Stats{
		Resolved: 1, Unresolved: [Reasons]uint64{NoMount: 1}, FirstUnread: 1, Cgroups: 2, Containers: 1,
	})
}

func TestLearnt(t *testing.T) {
	r := newMachine(t).resolver()
	r.Learn(40, "/kubepods/pod"+uidA+"/"+idA)
	r.Learn(40|V1, "/system.slice/nginx.service")
	want(t, r, conn.Process{PID: 9, Cgroup: 40, Executable: "web"}, conn.Owner{ContainerID: idA, PodUID: uidA, Executable: "web"})
	want(t, r, conn.Process{PID: 9, Cgroup: 40 | V1, Executable: "nginx"}, conn.Owner{Unit: "nginx.service", Executable: "nginx"})

	r.Learn(41, "relative")
	r.Learn(42, "")
	r.Learn(43, "/"+strings.Repeat("x", 510)) // may be cut
	r.Learn(0, "/x")
	r.Learn(V1, "/x")
	wantStats(t, r, Stats{Resolved: 2, Unlearned: 5, FirstUnread: 1, Cgroups: 2, Containers: 1, Programs: 1})
}

func TestLearntAfterMiss(t *testing.T) {
	r := newMachine(t).resolver()
	want(t, r, conn.Process{PID: 9, Cgroup: 1 << 50, Executable: "web"}, conn.Owner{Executable: "web"})
	r.Learn(1<<50, "/docker/"+idA)
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
			p := conn.Process{PID: 7, Cgroup: m.cgroup("/system.slice/foo.service", 7), Executable: tt.give}
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
		want(t, r, conn.Process{PID: 7, Cgroup: group, Executable: prefix}, conn.Owner{Unit: "foo.service", Executable: prefix + "-one"})
		want(t, r, conn.Process{PID: 8, Cgroup: group, Executable: prefix}, conn.Owner{Unit: "foo.service", Executable: prefix + "-two"})
	}
	wantStats(t, r, Stats{Resolved: 4, Walks: 1, Cgroups: r.Stats().Cgroups, Programs: 2})
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
	want(t, r, conn.Process{PID: 7, Cgroup: 9 | V1, Executable: "curl"}, conn.Owner{Executable: "curl"})
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
	r.Learn(10, "/docker/"+idA)
	r.Learn(11, "/system.slice/foo.service")
	for name, p := range hits {
		r.Resolve(p)
		if n := testing.AllocsPerRun(100, func() { r.Resolve(p) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}

var hits = map[string]conn.Process{
	"container": {PID: 7, Cgroup: 10, Executable: "web"},
	"host":      {PID: 8, Cgroup: 11, Executable: "nginx"},
	"cut":       {PID: 8, Cgroup: 11, Executable: strings.Repeat("n", cutLength)},
}

func BenchmarkResolve(b *testing.B) {
	r := &Resolver{
		proc: "/proc", groups: map[uint64]*group{}, containers: map[string]*container{}, programs: map[programKey]*program{},
		limit: maxEntries,
	}
	r.Learn(10, "/docker/"+idA)
	r.Learn(11, "/system.slice/foo.service")
	for name, p := range hits {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Resolve(p)
			}
		})
	}
}
