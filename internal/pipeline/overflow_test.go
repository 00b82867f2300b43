package pipeline

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
)

// A limit is a fault from the first connection beyond it until a minute after the last one.
func TestOverflowIsAFault(t *testing.T) {
	var o overflow
	s := flow.Stats{}
	o.note(s, at(0))
	if f := o.faults(); len(f) != 0 {
		t.Errorf("nothing is beyond a limit: %v", f)
	}
	for i, id := range []string{"c1", "c2", "c3", "c4", "c5"} {
		s.Full = append(s.Full, flow.Full{Owner: conn.Owner{ContainerID: id}, Beyond: uint64(50 - i)})
	}
	s.Beyond[flow.ByResource] = 240
	o.note(s, at(10))
	f := o.faults()
	if len(f) != 1 || f[0].About != "limit_per_resource" || !f[0].Lasts ||
		!strings.HasSuffix(f[0].Err.Error(), "of: container c1 (50), container c2 (49), container c3 (48), 2 more") {
		t.Fatalf("faults: %+v", f)
	}
	s.Deferred = 1
	o.note(s, at(60))
	if f := o.faults(); len(f) != 2 || f[1].About != "max_connections" {
		t.Errorf("live connections beyond max_connections: %+v", f)
	}
	o.note(s, at(70))
	if f := o.faults(); len(f) != 1 || f[0].About != "max_connections" {
		t.Errorf("a minute later: %+v", f)
	}
	o.note(s, at(120))
	if f := o.faults(); len(f) != 0 {
		t.Errorf("a minute after the last one: %+v", f)
	}
}

// Connections beyond max_connections report nothing while they are idle. The fault lasts until there is room for them.
func TestOverflowLastsWhileFull(t *testing.T) {
	var o overflow
	s := flow.Stats{AtMaxConnections: true}
	o.note(s, at(0))
	if f := o.faults(); len(f) != 0 {
		t.Errorf("the last one had room: %v", f)
	}
	s.Deferred = 1
	for _, seconds := range []int64{10, 50, 100, 200, 300} {
		if o.note(s, at(seconds)); len(o.faults()) != 1 {
			t.Fatalf("after %v s there is no fault", seconds)
		}
	}
	s.AtMaxConnections = false
	for seconds, want := range map[int64]int{359: 1, 360: 0} {
		if o.note(s, at(seconds)); len(o.faults()) != want {
			t.Errorf("%v s, 300 s at the limit: %v", seconds, o.faults())
		}
	}
}

// Sockets without state are a fault while there are more of them, or no room.
func TestNoRoomForSockets(t *testing.T) {
	var o overflow
	for _, step := range []struct {
		seconds int64
		kernel.Stats
		want int
	}{
		{0, kernel.Stats{}, 0}, {10, kernel.Stats{NoRoom: 5}, 1}, {69, kernel.Stats{NoRoom: 5}, 1},
		{70, kernel.Stats{NoRoom: 5}, 0}, {80, kernel.Stats{NoRoom: 5, Full: true}, 1}, {200, kernel.Stats{NoRoom: 5}, 0},
	} {
		o.note(flow.Stats{}, at(step.seconds))
		o.noteSockets(step.Stats)
		if f := o.faults(); len(f) != step.want || step.want > 0 && (f[0].About != "sockets" || !f[0].Lasts) {
			t.Errorf("after %v s: %v, want %d", step.seconds, f, step.want)
		}
	}
}

func TestDescribe(t *testing.T) {
	for want, o := range map[string]conn.Owner{
		"the host": {}, "container c1": {ContainerID: "c1", PodUID: "p1", Executable: "app"}, "pod p1": {PodUID: "p1"},
		"job cron.service": {Executable: "job", Unit: "cron.service"}, "job": {Executable: "job"},
	} {
		if got := Describe(o); got != want {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
}

// A program of the host has ended when the process that was seen last has. A container has a cgroup to tell that.
func TestProgramsEnd(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "proc/71"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := newPrograms(root)
	sshd, job := conn.Owner{Executable: "sshd", Unit: "ssh.service"}, conn.Owner{Executable: "job"}
	p.note(sshd, 71)
	p.note(job, 72)
	p.note(conn.Owner{ContainerID: "c1", Executable: "app"}, 73)
	p.note(conn.Owner{}, 74)
	for _, now := range []time.Time{at(0), at(3)} { // a connection may wait for its identity
		if got := p.ended(now); !slices.Equal(got, []conn.Owner{job}) {
			t.Errorf("at %v: %v", now.Unix(), got)
		}
	}
	p.ended(at(5))
	if got := p.ended(at(6)); len(got) != 0 || len(p.seen) != 1 {
		t.Errorf("it has not forgotten: %v", got)
	}
	p.note(job, 72)
	p.ended(at(7))
	if p.note(job, 71); len(p.ended(at(8))) != 0 {
		t.Error("a program that was started again has ended")
	}
}

// The flows of a program that has ended expire after five minutes, not after an hour.
func TestFlowsOfAnEndedProgramExpire(t *testing.T) {
	c := dialled(1, conn.Closed)
	c.Process.PID = 4_000_000 // there is none
	s := &scripted{reports: []conn.Conn{c}}
	p := s.open(t)
	s.pass(t, p, DrainInterval)
	for range 4 { // its identity is waited for
		s.now = s.now.Add(10 * time.Second)
		if _, err := p.Collect(s.now); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.flows.Stats().Flows; n != 1 {
		t.Fatalf("%d flows", n)
	}
	for range 2 {
		s.now = s.now.Add(5 * time.Minute)
		if _, err := p.Collect(s.now); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.flows.Stats().Flows; n != 0 {
		t.Errorf("%d flows of a program that has ended", n)
	}
}
