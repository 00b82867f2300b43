//go:build linux

package soak

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/totals"
)

func TestDone(t *testing.T) {
	clients := []*pod{{done: load.Report{Connections: 10, Sent: 100, Received: 7}}, {done: load.Report{Connections: 5, Sent: 1}}}
	want := totals.Sums{Attempts: 15, Closed: 12, Active: 3, Sent: 101, Received: 7}
	if diff := cmp.Diff(want, done(clients, 3)); diff != "" {
		t.Error(diff)
	}
	want.Sent, want.Received = 7, 101
	if diff := cmp.Diff(want, atServer(done(clients, 3))); diff != "" {
		t.Errorf("at the server: %s", diff)
	}
}

var exact = totals.Sums{Attempts: 100, Closed: 90, Active: 10, Sent: 5000, Received: 7000}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*checkpoint)
		want   []string // parts of the error; none: there is no error
	}{
		"all is reported":    {func(*checkpoint) {}, nil},
		"overflow of others": {func(c *checkpoint) { c.overflow.Closed = 5 }, nil},
		"an attempt": {func(c *checkpoint) { c.clients.Attempts-- },
			[]string{"connections opened, by clients at epoch 1: 100 were done, 99 are reported, 0 are in overflow"}},
		"bytes":       {func(c *checkpoint) { c.servers.Sent -= 3 }, []string{"bytes sent by servers"}},
		"in overflow": {func(c *checkpoint) { c.clients.Closed -= 3; c.overflow.Closed = 3 }, nil},
		"bytes, overflow": {func(c *checkpoint) {
			c.clients.Sent -= 3
			c.servers.Received -= 4
			c.overflow = totals.Sums{Sent: 3, Received: 4}
		}, nil},
		"in overflow once, missing twice": {func(c *checkpoint) { c.clients.Closed -= 3; c.servers.Closed -= 3; c.overflow.Closed = 3 },
			[]string{"closed, servers' ends"}},
		"never happened": {func(c *checkpoint) { c.clients.Received++ }, []string{"bytes received by clients"}},
		"overflow hides nothing that never happened": {func(c *checkpoint) { c.clients.Received++; c.overflow.Received = 9 },
			[]string{"bytes received by clients"}},
		"left open":  {func(c *checkpoint) { c.servers.Active++; c.overflow.Active = 1 }, []string{"open, servers' ends"}},
		"two things": {func(c *checkpoint) { c.servers.Active--; c.clients.Sent-- }, []string{"open, servers", "bytes sent by clients"}},
	} {
		t.Run(name, func(t *testing.T) {
			point := checkpoint{name: "epoch 1", done: exact, clients: exact, servers: atServer(exact)}
			c.change(&point)
			err := point.check()
			if (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want %q", err, part)
				}
			}
			if err != nil && strings.Count(err.Error(), "\n")+1 != len(c.want) {
				t.Errorf("got %v, want %d errors", err, len(c.want))
			}
		})
	}
}

func TestTable(t *testing.T) {
	c := checkpoint{done: exact, clients: exact, servers: atServer(exact), overflow: totals.Sums{Closed: 4}}
	c.clients.Closed, c.servers.Closed = 88, 80
	want := [][]string{
		{"connections opened, by clients", "100", "100", "0", "0"},
		{"connections accepted, by servers", "100", "100", "0", "0"},
		{"connections closed, clients' ends", "90", "88", "2", "0"},
		{"connections closed, servers' ends", "90", "80", "2", "8"},
		{"connections open, clients' ends", "10", "10", "0", "0"},
		{"connections open, servers' ends", "10", "10", "0", "0"},
		{"bytes sent by clients", "5000", "5000", "0", "0"},
		{"bytes sent by servers", "7000", "7000", "0", "0"},
		{"bytes received by clients", "7000", "7000", "0", "0"},
		{"bytes received by servers", "5000", "5000", "0", "0"},
	}
	if diff := cmp.Diff(want, c.table().Rows); diff != "" {
		t.Error(diff)
	}
}

func TestStateCheck(t *testing.T) {
	began := state{goroutines: 20, programs: 5, maps: 6, links: 4}
	for name, c := range map[string]struct {
		change func(*state)
		ok     bool
	}{
		"same":                     {func(*state) {}, true},
		"more memory and files":    {func(s *state) { s.resident, s.heap, s.files = 1<<30, 1<<29, 99 }, true},
		"a link is left":           {func(s *state) { s.links++ }, false},
		"a program is gone":        {func(s *state) { s.programs-- }, false},
		"a map is left":            {func(s *state) { s.maps++ }, false},
		"many goroutines are left": {func(s *state) { s.goroutines = 26 }, false},
		"some goroutines":          {func(s *state) { s.goroutines = 25 }, true},
		"fewer goroutines":         {func(s *state) { s.goroutines = 2 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			ended := began
			c.change(&ended)
			if err := ended.check(began); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStateTable(t *testing.T) {
	began := state{resident: 1 << 20, heap: 2 << 20, goroutines: 1, programs: 2, maps: 3, links: 4, files: 5}
	ended := state{resident: 3 << 20, heap: 4 << 20, goroutines: 6, programs: 7, maps: 8, links: 9, files: 10}
	want := [][]string{
		{"resident memory", "1.0 MiB", "3.0 MiB"}, {"live heap", "2.0 MiB", "4.0 MiB"}, {"goroutines", "1", "6"},
		{"BPF programs", "2", "7"}, {"BPF maps", "3", "8"}, {"BPF links", "4", "9"}, {"files", "5", "10"},
	}
	if diff := cmp.Diff(want, stateTable(began, ended).Rows); diff != "" {
		t.Error(diff)
	}
}
