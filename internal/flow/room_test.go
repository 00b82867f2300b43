package flow

import (
	"fmt"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// refuse has an owner's attempts at ports refused.
func refuse(t *Table, now time.Time, cookie uint64, o conn.Owner, ports ...uint16) {
	for i, port := range ports {
		c := owned(dial(cookie+uint64(i), port), o)
		c.Phase, c.Error = conn.Failed, conn.Refused
		t.Apply(c, now)
	}
}

// portsFrom returns n ports.
func portsFrom(first uint16, n int) (all []uint16) {
	for i := range n {
		all = append(all, first+uint16(i))
	}
	return all
}

// find returns the flow of a collection with a key, or nil.
func find(rs []Resource, k Key) *Flow {
	for _, r := range rs {
		for _, f := range r.Flows {
			if !f.Overflow && f.Key == k {
				return f
			}
		}
	}
	return nil
}

// attempts returns how many attempts a collection has, those in overflow too.
func attempts(rs []Resource) (all uint64) {
	for _, r := range rs {
		for _, f := range r.Flows {
			for _, n := range f.Outcomes[Attempts] {
				all += n
			}
		}
	}
	return all
}

// A scan of 700 ports fills a container's flows. What it opens afterwards has its own, and nothing is counted twice: the
// differences of all collections are all that there was.
func TestScanLeavesRoom(t *testing.T) {
	table := newTable(Config{}, at(0))
	differences := NewDifferences(at(0))
	refuse(table, at(1), 1000, shop, portsFrom(2000, 700)...)
	moved := attempts(differences.Of(table.Collect(at(10), byPort), at(10)))
	open(table, at(11), shop, 80, 81)
	rs := table.Collect(at(20), byPort)
	for _, port := range []uint16{80, 81} {
		if f := find(rs, toPort(shop, port)); f == nil || f.Active != 1 {
			t.Errorf("the connection to port %d is in overflow", port)
		}
	}
	if moved += attempts(differences.Of(rs, at(20))); moved != 702 {
		t.Errorf("%d attempts in all, want 702", moved)
	}
	if s := table.Stats(); s.Evicted != 2 || s.Beyond != [Causes]uint64{ByResource: 200} || s.Full[0] != (Full{shop, 200}) {
		t.Errorf("stats: %+v", s)
	}
}

// The scan goes on: its attempts do not end one flow with another, as a backend would have to keep all of them.
func TestScanMakesNoRoom(t *testing.T) {
	table := newTable(Config{LimitPerResource: 10}, at(0))
	for round := range 5 {
		now := float64(round * 10)
		refuse(table, at(now+1), uint64(1000*(round+1)), shop, portsFrom(uint16(2000+100*round), 20)...)
		table.Collect(at(now+10), byPort)
	}
	if s := table.Stats(); s.Evicted != 0 || s.Beyond[ByResource] != 90 {
		t.Errorf("stats: %+v", s)
	}
}

// A server of passive data ports uses 600 of them, and 600 others later. What has ended leaves; what is open, and what
// is not shown yet, does not.
func TestPassivePortsLeaveRoom(t *testing.T) {
	table := newTable(Config{}, at(0))
	open(table, at(1), shop, 21)
	first := portsFrom(3000, 600)
	open(table, at(1), shop, first...)
	for _, port := range first {
		shut(table, at(2), shop, port)
	}
	rs := table.Collect(at(10), byPort)
	if got := table.Stats().Beyond[ByResource]; got != 101 {
		t.Errorf("%d connections in overflow in one collection, want 101", got)
	}
	if attempts(rs) != 601 {
		t.Errorf("%d attempts, want 601", attempts(rs))
	}
	second := portsFrom(4000, 400)
	open(table, at(11), shop, second...)
	rs = table.Collect(at(20), byPort)
	for _, port := range append(second, 21) {
		if f := find(rs, toPort(shop, port)); f == nil || f.Active != 1 {
			t.Fatalf("the connection to port %d is in overflow", port)
		}
	}
}

// What has been idle for longest leaves first, but failed attempts before it. What comes back begins again.
func TestOrderOfLeaving(t *testing.T) {
	table := newTable(Config{LimitPerResource: 3}, at(0))
	open(table, at(1), shop, 80, 81)
	shut(table, at(2), shop, 80)
	table.Collect(at(10), byPort)
	shut(table, at(11), shop, 81)
	table.Collect(at(20), byPort)
	refuse(table, at(21), 500, shop, 90)
	table.Collect(at(30), byPort)
	for i, left := range []uint16{90, 80, 81} {
		open(table, at(31), shop, uint16(100+i))
		rs := table.Collect(at(31+float64(i)), byPort)
		if find(rs, toPort(shop, left)) != nil || find(rs, toPort(shop, uint16(100+i))) == nil {
			t.Errorf("step %d: port %d has not left", i, left)
		}
	}
	open(table, at(40), shop, 103)
	if rs := table.Collect(at(41), byPort); find(rs, toPort(shop, 103)) != nil {
		t.Error("an open flow has left")
	}
	shut(table, at(42), shop, 100)
	table.Collect(at(50), byPort)
	open(table, at(51), shop, 80)
	f := find(table.Collect(at(60), byPort), toPort(shop, 80))
	if f == nil || !f.Start.Equal(at(50)) || f.Outcomes[Attempts][conn.NoError] != 1 {
		t.Errorf("a flow that came back: %+v", f)
	}
}

func job(unit string, i int) conn.Owner {
	return conn.Owner{Unit: unit, Executable: fmt.Sprintf("job-%d", i)}
}

// 2,100 programs of a user, each of which lives for a moment, take no room of containers, and a quarter of it of other
// programs.
func TestProgramsTakeNoRoomOfContainers(t *testing.T) {
	table := newTable(Config{}, at(0))
	cookie := uint64(10_000)
	begin := func(o conn.Owner, over bool) {
		cookie++
		c := owned(dial(cookie, 80), o)
		if table.Apply(c, at(1)); over {
			table.Apply(ended(c, conn.NoError), at(1))
		}
	}
	for i := range 2100 {
		begin(job("user.slice", i), false)
	}
	for i := range 1500 {
		begin(conn.Owner{ContainerID: fmt.Sprint("c", i), PodUID: "p"}, false)
	}
	begin(job("ssh.service", 0), false)
	rs := table.Collect(at(10), byPort)
	containers, programs := 0, 0
	for _, r := range rs {
		switch {
		case r.Owner.ContainerID != "":
			containers++
		case r.Owner.Unit == "user.slice":
			programs++
		}
	}
	if containers != 1500 || programs != 500 {
		t.Errorf("%d containers and %d programs of the user, want 1500 and 500", containers, programs)
	}
	if attempts(rs) != 3601 || table.Stats().Beyond[ByResources] != 1601 {
		t.Errorf("%d attempts, %v in overflow", attempts(rs), table.Stats().Beyond)
	}
}

// Programs that have ended make room for others of their unit, and for containers.
func TestIdleProgramsLeave(t *testing.T) {
	table := newTable(Config{MaxResources: 8}, at(0))
	round := 0
	step := func(what string, want bool, o conn.Owner) {
		t.Helper()
		round++
		now := at(float64(round * 10))
		c := owned(dial(uint64(100+round), 80), o)
		table.Apply(c, now)
		table.Apply(ended(c, conn.NoError), now)
		k := toPort(o, 80)
		if got := find(table.Collect(now.Add(time.Second), byPort), k) != nil; got != want {
			t.Errorf("%s: named %v, want %v", what, got, want)
		}
		table.Collect(now.Add(2*time.Second), byPort)
	}
	open(table, at(1), job("user.slice", 0), 443) // stays
	step("within the share", true, job("user.slice", 1))
	step("in place of an idle one", true, job("user.slice", 2))
	step("of another unit", true, job("cron.service", 1))
	step("of a third unit", true, job("ssh.service", 1))
	step("in place of an idle one of any unit", true, job("db.service", 1))
	for i := range 6 {
		step("a container", true, conn.Owner{ContainerID: fmt.Sprint("c", i)})
	}
	if find(table.Collect(at(1000), byPort), toPort(job("user.slice", 0), 443)) == nil {
		t.Error("a program with an open connection has left")
	}
	if programs := table.programs; programs > 4 || table.units["user.slice"] > 2 {
		t.Errorf("%d programs, %v", programs, table.units)
	}
	for range 3 {
		step("the id that a user gave is a program", true, conn.Owner{ContainerID: fmt.Sprint("x", round), Unit: "user.slice"})
	}
	if n := table.units["user.slice"]; n != 2 {
		t.Errorf("%d of the user, want 2", n)
	}
}

// What has changed since the last collection stays until the next one has shown it.
func TestUnshownStays(t *testing.T) {
	table := newTable(Config{LimitPerResource: 1}, at(0))
	open(table, at(1), shop, 80)
	table.Collect(at(10), byPort)
	shut(table, at(11), shop, 80)
	for range 3 {
		table.Settle(at(12), byPort)
	}
	open(table, at(13), shop, 81)
	rs := table.Collect(at(20), byPort)
	if f := find(rs, toPort(shop, 80)); f == nil || f.Outcomes[Ends] == [conn.Errors]uint64{} || find(rs, toPort(shop, 81)) != nil {
		t.Errorf("the end of the first connection is not shown: %+v", f)
	}
}

// A flow that leaves and comes back between two collections is there once.
func TestLeavesAndComesBackAtOnce(t *testing.T) {
	table := newTable(Config{LimitPerResource: 2}, at(0))
	open(table, at(1), shop, 80)
	shut(table, at(2), shop, 80)
	table.Collect(at(10), byPort)
	open(table, at(11), shop, 81)
	shut(table, at(12), shop, 81)
	table.Collect(at(20), byPort)
	open(table, at(21), shop, 82, 80)
	rs := table.Collect(at(30), byPort)
	if len(rs) != 1 || len(rs[0].Flows) != 2 || find(rs, toPort(shop, 82)) == nil || find(rs, toPort(shop, 80)) == nil {
		t.Errorf("got %+v", rs)
	}
}

// Programs of many units have half of the resources together.
func TestProgramsShareHalf(t *testing.T) {
	table := newTable(Config{MaxResources: 100}, at(0))
	for i := range 90 {
		table.Apply(owned(dial(uint64(100+i), 80), job(fmt.Sprintf("unit-%d.service", i), i)), at(1))
	}
	table.Collect(at(10), byPort)
	if table.programs != 50 {
		t.Errorf("%d programs, want 50", table.programs)
	}
}
