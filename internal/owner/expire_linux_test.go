package owner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

// The name of a container is fixed for its life, whichever of its cgroups a process is in and however long it is idle.
func TestContainerKeepsItsName(t *testing.T) {
	m := newMachine(t)
	m.process(20, "/bin/first", 200)
	m.process(25, "/bin/second", 250)
	top := m.cgroup("/docker/"+idA, 20, 25)
	inner := m.cgroup("/docker/"+idA+"/inner", 26)
	r := m.resolver()
	owner := conn.Owner{ContainerID: idA, Executable: "first"}
	want(t, r, conn.Process{PID: 25, Cgroup: top, Executable: "second"}, owner)

	m.cgroup("/docker/"+idA, 25)
	now := time.Unix(1000, 0)
	for range 30 {
		now = now.Add(time.Minute)
		if gone := r.Expire(now); gone != nil {
			t.Errorf("gone, though its cgroup is there: %v", gone)
		}
	}
	want(t, r, conn.Process{PID: 26, Cgroup: inner, Executable: "third"}, owner)
	want(t, r, conn.Process{PID: 25, Cgroup: top, Executable: "second"}, owner)

	m.gone("/docker")
	var gone []conn.Owner
	for range 20 {
		now = now.Add(time.Minute)
		gone = append(gone, r.Expire(now)...)
	}
	if diff := cmp.Diff([]conn.Owner{owner}, gone); diff != "" {
		t.Errorf("owners that are gone (-want +got):\n%s", diff)
	}
	wantStats(t, r, Stats{Resolved: 3, Walks: 1, Cgroups: 1}) // that of the root
}

func TestExpire(t *testing.T) {
	m := newMachine(t)
	kept, gone, busy := m.cgroup("/system.slice/kept.service"), m.cgroup("/system.slice/gone.service"), m.cgroup("/system.slice/busy.service")
	r := m.resolver()
	for _, id := range []uint64{kept, gone, busy} {
		r.Resolve(conn.Process{PID: 7, Cgroup: id, Executable: "x"})
	}
	before := r.Stats()
	m.gone("/system.slice/gone.service")
	m.gone("/system.slice/busy.service")

	now := time.Unix(1000, 0)
	r.Expire(now)
	now = now.Add(idleLimit)
	r.Expire(now)
	if diff := cmp.Diff(before, r.Stats()); diff != "" {
		t.Errorf("within the limit (-want +got):\n%s", diff)
	}
	r.Resolve(conn.Process{PID: 7, Cgroup: busy, Executable: "x"})
	r.Expire(now.Add(time.Second))
	after := before
	after.Resolved++
	after.Cgroups--     // gone
	after.Programs -= 2 // of kept and gone
	wantStats(t, r, after)
	for id, want := range map[uint64]bool{kept: true, gone: false, busy: true} {
		if _, ok := r.groups[groupID{number: id}]; ok != want {
			t.Errorf("cgroup %s is remembered: %t, want %t", map[uint64]string{kept: "kept", gone: "gone", busy: "busy"}[id], ok, want)
		}
	}
}

// What does not fit is answered all the same, counted, and what is remembered is not displaced.
func TestLimit(t *testing.T) {
	m := newMachine(t)
	r := m.resolver()
	r.version2, r.limit = nil, 2
	r.Learn(conn.Cgroup{ID: 10, Path: "/docker/" + idA})
	r.Learn(conn.Cgroup{ID: 11, Path: "/system.slice/foo.service"})
	r.Learn(conn.Cgroup{ID: 12, Path: "/system.slice/bar.service"}) // refused
	r.Learn(conn.Cgroup{ID: 11, Path: "/system.slice/foo.service"})
	for _, name := range []string{"a", "b", "c"} { // c is refused
		want(t, r, conn.Process{PID: 7, Cgroup: 11, Executable: name}, conn.Owner{Unit: "foo.service", Executable: name})
	}
	want(t, r, conn.Process{PID: 7, Cgroup: 12, Executable: "x"}, conn.Owner{Executable: "x"}) // refused
	want(t, r, conn.Process{PID: 7, Cgroup: 10, Executable: "web"}, conn.Owner{ContainerID: idA, Executable: "web"})
	wantStats(t, r, Stats{
		Resolved: 4, Unresolved: [Reasons]uint64{NoMount: 1}, FirstUnread: 1, Refused: 3,
		Cgroups: 2, Containers: 1, Programs: 2,
	})
}
