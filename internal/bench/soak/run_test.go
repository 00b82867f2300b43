//go:build linux

package soak

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/bench/totals"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/worker"
)

// newSoak returns a soak that has a network and the executable of its pods, and no collector.
func newSoak(t *testing.T) *soak {
	t.Helper()
	p, err := testbed.NewPair()
	if err != nil {
		testnet.Require(t, err)
	}
	dir, err := os.MkdirTemp("", "netconn-soak-")
	if err != nil {
		t.Fatal(err)
	}
	s := &soak{dir: dir, net: p, totals: totals.New(), progress: io.Discard}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if s.load, err = worker.Executable(dir, "netconn-soak"); err != nil {
		t.Fatal(err)
	}
	return s
}

// A pod is in a container of its own, which is known by its id, and gone with the pod. Its counts are kept.
func TestPod(t *testing.T) {
	s := newSoak(t)
	server, err := s.startPod(s.net.Server, &s.servers)
	if err != nil {
		t.Fatal(err)
	}
	s.server = server
	if err := server.do(load.Order{Do: "listen"}); err != nil {
		t.Fatal(err)
	}
	client, err := s.startPod(s.net.Client, &s.clients)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.do(load.Order{Do: "open", Count: 3}); err != nil {
		t.Fatal(err)
	}
	if err := client.do(load.Order{Do: "jump"}); err == nil || client.done.Connections != 3 {
		t.Errorf("an order that does not exist: %v, and %+v is counted", err, client.done)
	}
	mount, err := cgroup.Mount()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(append([]string{mount}, client.path...)...)
	if members, err := os.ReadFile(filepath.Join(folder, "cgroup.procs")); err != nil || len(members) == 0 {
		t.Errorf("%s has the processes %q, %v", folder, members, err)
	}
	if len(s.clients.ids) != 1 || len(s.servers.ids) != 1 {
		t.Errorf("containers of clients %v, of servers %v, want one each", s.clients.ids, s.servers.ids)
	}
	for id := range s.clients.ids {
		if !strings.Contains(folder, id) || s.servers.ids[id] {
			t.Errorf("the client's container is %s, its cgroup %s, the servers' are %v", id, folder, s.servers.ids)
		}
	}
	if err := client.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
	if sums := done(s.clients.all, 0); sums.Attempts != 3 || sums.Closed != 3 || sums.Sent == 0 {
		t.Errorf("counted: %+v", sums)
	}
}

// A pod that cannot start leaves no cgroup, and is none of the pods.
func TestPodFails(t *testing.T) {
	s := newSoak(t)
	s.load = "/nonexistent"
	if _, err := s.startPod(s.net.Client, &s.clients); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if len(s.clients.all) != 0 || len(s.clients.ids) != 0 {
		t.Errorf("the pods are %v", s.clients)
	}
	mount, err := cgroup.Mount()
	if err != nil {
		t.Fatal(err)
	}
	scopes, err := filepath.Glob(filepath.Join(mount, filepath.Base(s.dir), "system.slice", "*.scope"))
	if err != nil || len(scopes) != 0 {
		t.Errorf("left: %v, %v", scopes, err)
	}
}

// A short-lived pod counts 10 connections that stay and those of its churn, and is counted as one that came and went.
// Without a server it is an error, and is not.
func TestShortLivedPod(t *testing.T) {
	s := newSoak(t)
	if err := s.shortLivedPod(); err == nil || s.containers != 0 {
		t.Errorf("without a server: %v, %d containers", err, s.containers)
	}
	var err error
	if s.server, err = s.startPod(s.net.Server, &s.servers); err != nil {
		t.Fatal(err)
	}
	if err := s.server.do(load.Order{Do: "listen"}); err != nil {
		t.Fatal(err)
	}
	if err := s.shortLivedPod(); err != nil || s.containers != 1 {
		t.Fatalf("%v, %d containers", err, s.containers)
	}
	p := s.clients.all[len(s.clients.all)-1]
	if n := p.done.Connections; n < 11 || n > 10+26 {
		t.Errorf("%d connections, want 10 and at most 50 a second for half a second", n)
	}
	if err := p.do(load.Order{Do: "touch"}); err == nil {
		t.Error("it has not ended")
	}
}

// The tables say how long the traffic was, what happened to the collector, and what is left of it.
func TestWrite(t *testing.T) {
	exactly := checkpoint{name: "the end", done: exact, clients: exact, servers: atServer(exact)}
	s := &soak{
		options: options{duration: 90*time.Second + 300*time.Millisecond, rate: 7}, containers: 8, reloads: 2, restarts: 1,
		began: state{programs: 5}, checkpoints: []checkpoint{{}, exactly},
	}
	var out strings.Builder
	s.write(&out, state{programs: 6}, 3)
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"1m30s of traffic: 7 connections a second", "500 that stay open", "8 containers that came and went",
		"reloaded 2 times and restarted 1 times", "| connections opened, by clients | 100 | 100 | 0 | 0 |",
		"| BPF programs | 5 | 6 |", "| BPF programs after its end | | 3 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

// A help flag is no failure of a soak, but flag.ErrHelp; nothing is started for it.
func TestHelp(t *testing.T) {
	before := leftovers(t)
	var usage strings.Builder
	if err := Run([]string{"-h"}, io.Discard, &usage); !errors.Is(err, flag.ErrHelp) || !strings.Contains(usage.String(), "-rate") {
		t.Errorf("got %v and %q", err, &usage)
	}
	if diff := cmp.Diff(before, leftovers(t)); diff != "" {
		t.Errorf("it leaves (-before +after):\n%s", diff)
	}
}
