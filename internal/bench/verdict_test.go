//go:build linux

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/sink"
)

func TestDone(t *testing.T) {
	l := ledger{clients: side{tenants: []*tenant{
		{last: load.Report{Connections: 10, Sent: 100, Received: 7}}, {last: load.Report{Connections: 5, Sent: 1}},
	}}}
	want := sink.Sums{Attempts: 15, Closed: 12, Active: 3, Sent: 101, Received: 7}
	if diff := cmp.Diff(want, l.done(3)); diff != "" {
		t.Error(diff)
	}
}

var exact = sink.Sums{Attempts: 100, Closed: 90, Active: 10, Sent: 5000, Received: 7000}

func TestJudge(t *testing.T) {
	ok := ending{name: "epoch 1", made: exact, clients: exact, servers: swapped(exact)}
	for name, c := range map[string]struct {
		change func(*ending)
		want   []string // parts of the error, none: there is none
	}{
		"all there":            {func(*ending) {}, nil},
		"overflow of others":   {func(e *ending) { e.overall.Closed = 5 }, nil},
		"an attempt":           {func(e *ending) { e.clients.Attempts-- }, []string{"opened, by clients at epoch 1: 100 were, 99 are reported"}},
		"bytes":                {func(e *ending) { e.servers.Sent -= 3 }, []string{"bytes sent by servers"}},
		"counted as lost":      {func(e *ending) { e.clients.Closed -= 3; e.overall.Closed = 3 }, nil},
		"counted once for two": {func(e *ending) { e.clients.Closed -= 3; e.servers.Closed -= 3; e.overall.Closed = 3 }, []string{"closed, servers' ends"}},
		"never happened":       {func(e *ending) { e.clients.Received++ }, []string{"bytes received by clients"}},
		"left open":            {func(e *ending) { e.servers.Active++; e.overall.Active = 1 }, []string{"open, servers' ends"}},
		"two things":           {func(e *ending) { e.servers.Active--; e.clients.Sent-- }, []string{"open, servers", "bytes sent by clients"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := ok
			c.change(&e)
			err := e.judge()
			if (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want %q", err, part)
				}
			}
		})
	}
}

func TestCountTable(t *testing.T) {
	e := ending{made: exact, clients: exact, servers: swapped(exact), overall: sink.Sums{Closed: 4}}
	e.clients.Closed, e.servers.Closed = 88, 80
	rows := countTable(e).rows
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
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
}

func TestStateJudge(t *testing.T) {
	began := state{goroutines: 20, programs: 5, maps: 6, links: 4}
	for name, c := range map[string]struct {
		change func(*state)
		ok     bool
	}{
		"same":                {func(*state) {}, true},
		"memory":              {func(s *state) { s.resident, s.heap = 1<<30, 1<<29 }, true},
		"a link stayed":       {func(s *state) { s.links++ }, false},
		"a program is gone":   {func(s *state) { s.programs-- }, false},
		"a map stayed":        {func(s *state) { s.maps++ }, false},
		"goroutines pile up":  {func(s *state) { s.goroutines = 40 }, false},
		"goroutines breathe":  {func(s *state) { s.goroutines = 22 }, true},
		"fewer of goroutines": {func(s *state) { s.goroutines = 2 }, true},
	} {
		t.Run(name, func(t *testing.T) {
			ended := began
			c.change(&ended)
			if err := ended.judge(began); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}
