//go:build linux

package soak

import (
	"errors"
	"fmt"

	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/bench/totals"
)

// A checkpoint is what was done and what was reported at a moment without traffic.
type checkpoint struct {
	name                   string
	done, clients, servers totals.Sums
	overflow               totals.Sums // of the whole host, beyond netconn's limits
}

// A figure is a count of one side.
type figure struct {
	name                     string
	done, reported, overflow int64 // overflow: of the overflow series, as much as is missing in the others
}

// missing is how much was done and is in no series. Below 0: more was reported than was done.
func (f figure) missing() int64 { return f.done - f.reported - f.overflow }

// figures compares what was done with what was reported. The overflow series may have counted anything on this host,
// so it makes up for what is missing, but for each connection and byte once only.
func (c checkpoint) figures() []figure {
	server, left := atServer(c.done), c.overflow
	all := []figure{
		{name: "connections opened, by clients", done: c.done.Attempts, reported: c.clients.Attempts},
		{name: "connections accepted, by servers", done: server.Attempts, reported: c.servers.Attempts},
		{name: "connections closed, clients' ends", done: c.done.Closed, reported: c.clients.Closed},
		{name: "connections closed, servers' ends", done: server.Closed, reported: c.servers.Closed},
		{name: "connections open, clients' ends", done: c.done.Active, reported: c.clients.Active},
		{name: "connections open, servers' ends", done: server.Active, reported: c.servers.Active},
		{name: "bytes sent by clients", done: c.done.Sent, reported: c.clients.Sent},
		{name: "bytes sent by servers", done: server.Sent, reported: c.servers.Sent},
		{name: "bytes received by clients", done: c.done.Received, reported: c.clients.Received},
		{name: "bytes received by servers", done: server.Received, reported: c.servers.Received},
	}
	for i, overflow := range []*int64{&left.Attempts, &left.Closed, nil, &left.Sent, &left.Received} {
		for side := range 2 {
			f := &all[2*i+side]
			if overflow != nil {
				f.overflow = max(0, min(*overflow, f.done-f.reported))
				*overflow -= f.overflow
			}
		}
	}
	return all
}

func (c checkpoint) table() *report.Table {
	t := &report.Table{Title: "Soak: what was done and what was reported",
		Head: []string{"figure", "done", "reported", "in overflow", "missing"}}
	for _, f := range c.figures() {
		t.Add(f.name, fmt.Sprint(f.done), fmt.Sprint(f.reported), fmt.Sprint(f.overflow), fmt.Sprint(f.missing()))
	}
	return t
}

// check returns an error for each figure that is not what was done.
func (c checkpoint) check() error {
	var errs []error
	for _, f := range c.figures() {
		if f.missing() != 0 {
			errs = append(errs, fmt.Errorf("compare %s at %s: %d were done, %d are reported, %d are in overflow",
				f.name, c.name, f.done,
				f.reported, f.overflow))
		}
	}
	return errors.Join(errs...)
}

// A state is what a collector holds.
type state struct {
	resident, heap               uint64 // bytes
	goroutines                   int
	programs, maps, links, files int
}

func stateTable(began, ended state) *report.Table {
	t := &report.Table{Title: "Soak: what the collector holds", Head: []string{"", "at the start", "at the end"}}
	t.Add("resident memory", report.MiB(float64(began.resident)), report.MiB(float64(ended.resident)))
	t.Add("live heap", report.MiB(float64(began.heap)), report.MiB(float64(ended.heap)))
	for _, r := range []struct {
		name         string
		began, ended int
	}{
		{"goroutines", began.goroutines, ended.goroutines}, {"BPF programs", began.programs, ended.programs},
		{"BPF maps", began.maps, ended.maps}, {"BPF links", began.links, ended.links}, {"files", began.files,
			ended.files},
	} {
		t.Add(r.name, fmt.Sprint(r.began), fmt.Sprint(r.ended))
	}
	return t
}

// passingGoroutines serve the connections to the exporter and to the profiles, which come and go.
const passingGoroutines = 5

// check returns an error if the collector holds more than at the start. Memory depends on the moment, and is only
// shown.
func (ended state) check(began state) error {
	if ended.programs != began.programs || ended.maps != began.maps || ended.links != began.links {
		return fmt.Errorf("compare BPF objects: %d programs, %d maps and %d links at the start; %d, %d and %d at "+
			"the end",
			began.programs, began.maps, began.links, ended.programs, ended.maps, ended.links)
	}
	if ended.goroutines > began.goroutines+passingGoroutines {
		return fmt.Errorf("compare goroutines: %d at the start, %d at the end", began.goroutines, ended.goroutines)
	}
	return nil
}
