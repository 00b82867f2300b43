//go:build linux

package soak

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/testnet"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "load" {
		if err := load.Main(os.Args[2:]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

func TestParse(t *testing.T) {
	got, err := parse([]string{"-duration", "1m", "-rate", "7", "otelcol"}, io.Discard)
	if want := (options{program: "otelcol", duration: time.Minute, rate: 7}); err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for name, arguments := range map[string][]string{
		"no distribution": {}, "two distributions": {"a", "b"}, "too short": {"-duration", "9s", "a"},
		"no connections": {"-rate", "0", "a"}, "no such flag": {"-nothing", "a"},
	} {
		var usage strings.Builder
		if _, err := parse(arguments, &usage); err == nil || !strings.Contains(usage.String(), "-duration") {
			t.Errorf("%s: error %v, usage %q", name, err, &usage)
		}
	}
}

// A soak of some seconds, with a reload and a restart, misses nothing and leaves nothing.
func TestSoak(t *testing.T) {
	s := &soak{options: options{program: os.Getenv("NETCONN_COLLECTOR"), duration: 3 * time.Second, rate: 50}, progress: io.Discard}
	if s.program == "" || os.Geteuid() != 0 {
		testnet.Require(t, errors.New("NETCONN_COLLECTOR must name the distribution that `make build` makes, and it needs root"))
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := s.report(&out); err != nil {
		t.Error(err)
	}
	var names []string
	for _, c := range s.checkpoints {
		names = append(names, c.name)
		if c.name != "the end" && c.done.Active != longLived || c.done.Attempts < longLived || c.done.Sent == 0 {
			t.Errorf("%s: only %+v was done", c.name, c.done)
		}
	}
	if diff := cmp.Diff([]string{"epoch 1", "epoch 2", "epoch 3", "the end"}, names); diff != "" {
		t.Errorf("checkpoints (-want +got):\n%s", diff)
	}
	if s.reloads != 1 || s.restarts != 1 || s.containers < 3 {
		t.Errorf("%d reloads, %d restarts, %d containers", s.reloads, s.restarts, s.containers)
	}
	for _, want := range []string{"3s of traffic: 50 connections a second", "| bytes received by servers ", "| BPF programs after its end | "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables have no %q:\n%s", want, &out)
		}
	}
}

// A soak that cannot begin says why, and leaves nothing.
func TestSoakFails(t *testing.T) {
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("a soak needs root"))
	}
	before := leftovers(t)
	err := Run([]string{"-duration", "10s", "/nonexistent/otelcol"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "start the collector: ") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, leftovers(t)); diff != "" {
		t.Errorf("it leaves (-before +after):\n%s", diff)
	}
}

func leftovers(t *testing.T) (all []string) {
	t.Helper()
	for _, pattern := range []string{os.TempDir() + "/netconn-soak-*", "/sys/fs/cgroup/netconn-soak-*", "/sys/fs/cgroup/unified/netconn-soak-*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// A program that was never loaded is not left; one of this kernel's is, for as long as it is waited for.
func TestLoaded(t *testing.T) {
	if left := loaded(nil); left != 0 {
		t.Errorf("%d of no programs are loaded", left)
	}
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("to look for BPF programs needs root"))
	}
	if left := loaded([]collector.ProgramTime{{ID: 1<<32 - 1}}); left != 0 {
		t.Errorf("%d are loaded, want none", left)
	}
}
