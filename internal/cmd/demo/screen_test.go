//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
)

// The table ends with the program; an end with another exit status than 0 is an error.
func TestTable(t *testing.T) {
	for program, want := range map[string]string{"exit 0": "", "exit 3": "show the table: exit status 3"} {
		var out bytes.Buffer
		err := (&screen{out: &out}).table(t.Context(), []string{"sh", "-c", "echo table; " + program})
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, want %q", program, err, want)
		}
		if out.String() != "table\n" {
			t.Errorf("%s: it shows %q", program, &out)
		}
	}
	if err := (&screen{}).table(t.Context(), []string{"/nonexistent"}); err == nil || !strings.HasPrefix(err.Error(), "show the table: ") {
		t.Errorf("a program that does not exist: %v", err)
	}
}

// An interrupt ends the program in order.
func TestTableInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var out bytes.Buffer
	time.AfterFunc(300*time.Millisecond, interrupt)
	err := (&screen{out: &out}).table(ctx, []string{"sh", "-c", `trap 'echo stopped; exit 0' TERM; while true; do sleep 0.01; done`})
	if err != nil || out.String() != "stopped\n" {
		t.Errorf("%v, and it shows %q", err, &out)
	}
}

// For Markdown the table is kept until all rows are in it.
func TestTableForMarkdown(t *testing.T) {
	id := strings.Repeat("a", 64)
	s := &screen{markdown: true, wanted: []socketRow{{"envoy", id, "->", "envoy"}}}
	script := `trap 'exit 0' TERM; echo 'OWNER                   PEER   WHERE  PORT  NAT   OUT/s'; echo; sleep 0.1
echo 'OWNER                   PEER   WHERE  PORT  NAT   OUT/s'
echo 'envoy [aaaaaaaaaaaa]  ->  envoy  node   9080  dnat  1 kB'; echo; while true; do sleep 0.01; done`
	if err := s.table(t.Context(), []string{"sh", "-c", script}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(pick(s.shown.String(), s.wanted), "envoy [aaaaaaaaaaaa]") {
		t.Errorf("kept: %q", s.shown.String())
	}
}

func socket(name, local, remote string, accepted bool) bookinfo.ListedSocket {
	return bookinfo.ListedSocket{Name: name, Accepted: accepted,
		Socket: mesh.Socket{Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote)}}
}

func TestLines(t *testing.T) {
	got := indent(lines([]bookinfo.ListedSocket{
		socket("productpage", "10.244.1.11:40000", "10.96.1.3:9080", false), socket("envoy", "127.0.0.1:15001", "10.244.1.11:40000", true),
	}))
	want := "    productpage  10.244.1.11:40000 -> 10.96.1.3:9080\n    envoy        127.0.0.1:15001   <- 10.244.1.11:40000\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// The lock is one program's at a time, has its PID, and is free again when it is released.
func TestLock(t *testing.T) {
	name := mesh.Unique("netconn-demo")
	t.Cleanup(func() { os.Remove(filepath.Join(os.TempDir(), name+".lock")) })
	if signalHolder(name) {
		t.Error("the holder of no lock was signalled")
	}
	first, err := take(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := take(name); !errors.Is(err, errRunning) {
		t.Errorf("taken twice: %v", err)
	}
	first.release()
	second, err := take(name)
	if err != nil {
		t.Fatalf("released, and taken again: %v", err)
	}
	second.release()
	for _, text := range []string{"", "nonsense\n", "1\n", "-1\n"} {
		if err := os.WriteFile(filepath.Join(os.TempDir(), name+".lock"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if signalHolder(name) {
			t.Errorf("the process %q was signalled", text)
		}
	}
}

// down of a demo that never ran removes nothing and is no error.
func TestDownOfNothing(t *testing.T) {
	name := mesh.Unique("netconn-demo")
	t.Cleanup(func() { os.Remove(filepath.Join(os.TempDir(), name+".lock")) })
	if err := down(name); err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), options{name: name}, &bytes.Buffer{}); err == nil || err.Error() != "no program to show the table" {
		t.Errorf("no program: %v", err)
	}
}
