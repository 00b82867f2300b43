//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/netconn/netconn/internal/bench/subject"
)

// report writes the soak's tables. The error says what is wrong, if anything is.
func (s *soak) report(arguments []string) error {
	ended, err := stateOf(s.collector)
	if err != nil {
		return err
	}
	describe(os.Stdout, "make soak", append([]string{"soak"}, arguments...))
	last := s.ends[len(s.ends)-1]
	t := countTable(last)
	t.notes = []string{fmt.Sprintf("%v of traffic: %d connections a second that are opened, used and closed, %d that stay open, "+
		"of which some are replaced, and %d containers that came and went; the collector was reloaded %d times and started again %d "+
		"times, each time without traffic, so that nothing can happen unseen. Reported: from its OTLP output, over all starts.",
		s.duration.Round(time.Second), s.rate, stays, s.made.visits, s.again["reloaded"], s.again["started again"])}
	t.write(os.Stdout)
	left, err := s.leftBehind()
	if err != nil {
		return err
	}
	states := stateTable(s.began, ended)
	states.add("BPF programs after its end", "", fmt.Sprint(left))
	states.write(os.Stdout)
	var errs []error
	for _, e := range s.ends {
		errs = append(errs, e.judge())
	}
	if left > 0 {
		errs = append(errs, fmt.Errorf("look for the collector's BPF programs after its end: %d are there", left))
	}
	return errors.Join(append(errs, ended.judge(s.began), s.to.Err())...)
}

// leftBehind ends the collector, and returns how many of its BPF programs stay. The kernel unloads them a moment later.
func (s *soak) leftBehind() (left int, err error) {
	objects, err := subject.BPF(s.collector.PID)
	if err := errors.Join(err, s.collector.Stop()); err != nil {
		return 0, err
	}
	for range 100 {
		left = 0
		for _, p := range objects.Programs {
			if _, err := subject.Name(p.ID); !errors.Is(err, os.ErrNotExist) {
				left++
			}
		}
		if left == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return left, nil
}

// An entry is one figure of one side.
type entry struct {
	name                 string
	done, reported, lost int64 // lost: counted as such
}

// missing is in no series; less than 0: it was reported and never happened.
func (e entry) missing() int64 { return e.done - e.reported - e.lost }

// entries compares what was done with what was reported. What could not be itemised may be anybody's on the machine, so it makes up for
// what is not reported, once, and for no more.
func (e ending) entries() []entry {
	server, left := swapped(e.made), e.overall
	all := []entry{
		{name: "connections opened, by clients", done: e.made.Attempts, reported: e.clients.Attempts},
		{name: "connections accepted, by servers", done: server.Attempts, reported: e.servers.Attempts},
		{name: "connections closed, clients' ends", done: e.made.Closed, reported: e.clients.Closed},
		{name: "connections closed, servers' ends", done: server.Closed, reported: e.servers.Closed},
		{name: "connections open, clients' ends", done: e.made.Active, reported: e.clients.Active},
		{name: "connections open, servers' ends", done: server.Active, reported: e.servers.Active},
		{name: "bytes sent by clients", done: e.made.Sent, reported: e.clients.Sent},
		{name: "bytes sent by servers", done: server.Sent, reported: e.servers.Sent},
		{name: "bytes received by clients", done: e.made.Received, reported: e.clients.Received},
		{name: "bytes received by servers", done: server.Received, reported: e.servers.Received},
	}
	for i, excuse := range []*int64{&left.Attempts, &left.Closed, nil, &left.Sent, &left.Received} {
		for side := range 2 {
			one := &all[2*i+side]
			if excuse != nil {
				one.lost = max(0, min(*excuse, one.done-one.reported))
				*excuse -= one.lost
			}
		}
	}
	return all
}

func countTable(e ending) *table {
	t := &table{title: "Soak: what was done and what was reported",
		head: []string{"figure", "done", "reported", "counted as lost", "missing"}}
	for _, f := range e.entries() {
		t.add(f.name, fmt.Sprint(f.done), fmt.Sprint(f.reported), fmt.Sprint(f.lost), fmt.Sprint(f.missing()))
	}
	return t
}

// judge returns an error if something is in no series, or was reported and never happened.
func (e ending) judge() error {
	var errs []error
	for _, f := range e.entries() {
		if f.missing() != 0 {
			errs = append(errs, fmt.Errorf("compare %s at %s: %d were, %d are reported, %d are counted as lost", f.name, e.name, f.done,
				f.reported, f.lost))
		}
	}
	return errors.Join(errs...)
}

func stateTable(a, z state) *table {
	t := &table{title: "Soak: what the collector holds", head: []string{"", "at the start", "at the end"}}
	t.add("resident memory", mib(float64(a.resident)), mib(float64(z.resident)))
	t.add("live heap", mib(float64(a.heap)), mib(float64(z.heap)))
	for _, r := range []struct {
		name string
		a, z int
	}{
		{"goroutines", a.goroutines, z.goroutines}, {"BPF programs", a.programs, z.programs}, {"BPF maps", a.maps, z.maps},
		{"BPF links", a.links, z.links}, {"files", a.files, z.files},
	} {
		t.add(r.name, fmt.Sprint(r.a), fmt.Sprint(r.z))
	}
	return t
}

// judge returns an error if the collector holds more of what it should have given back. Memory is only shown: it depends on the
// moment.
func (s state) judge(began state) error {
	if s.programs != began.programs || s.maps != began.maps || s.links != began.links {
		return fmt.Errorf("compare BPF objects: %d programs, %d maps and %d links at the start; %d, %d and %d at the end", began.programs,
			began.maps, began.links, s.programs, s.maps, s.links)
	}
	if s.goroutines > began.goroutines+5 { // connections to the exporter and to the profiles come and go
		return fmt.Errorf("compare goroutines: %d at the start, %d at the end", began.goroutines, s.goroutines)
	}
	return nil
}
