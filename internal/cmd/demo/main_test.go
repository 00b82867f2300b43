//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

// demoVariable has this program be a demo with that name, in which a program that only waits stands in for top.
const demoVariable = "NETCONN_DEMO_TEST"

func TestMain(m *testing.M) {
	if program.Main() {
		return
	}
	if name := os.Getenv(demoVariable); name != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// begin starts a demo, and waits until its mesh is up.
func begin(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("a mesh needs root"))
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-name", name, "sleep", "1000")
	c.Env = append(os.Environ(), demoVariable+"=1")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if err := mesh.Sweep(name); err != nil {
			t.Error(err)
		}
		os.Remove(filepath.Join(os.TempDir(), name+".lock"))
	})
	var said strings.Builder
	for !strings.Contains(said.String(), "netconn shows this") {
		if _, err := io.CopyN(&said, out, 1); err != nil {
			t.Fatalf("%v after %q", err, said.String())
		}
	}
	if !strings.Contains(said.String(), "127.0.0.1:15001") {
		t.Errorf("no sockets in %q", said.String())
	}
	return c
}

// left returns what there is of a demo.
func left(t *testing.T, name string) (all []string) {
	t.Helper()
	for _, pattern := range []string{"/sys/fs/cgroup/" + name, "/sys/fs/cgroup/unified/" + name, filepath.Join(os.TempDir(), name)} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if path, err := os.Readlink(link); err == nil && strings.Contains(path, "/"+name+"/") {
			all = append(all, path)
		}
	}
	return all
}

func TestDown(t *testing.T) {
	for how, end := range map[string]func(*testing.T, *exec.Cmd){
		"runs":       func(*testing.T, *exec.Cmd) {},
		"was killed": func(_ *testing.T, c *exec.Cmd) { _ = c.Process.Kill(); _ = c.Wait() },
	} {
		t.Run(how, func(t *testing.T) {
			name := mesh.Unique("netconn-demo")
			c := begin(t, name)
			if len(left(t, name)) < 2 {
				t.Fatalf("there is %v, which is too little to be all", left(t, name))
			}
			end(t, c)
			for range 2 {
				if err := run(context.Background(), options{name: name, down: true}, io.Discard); err != nil {
					t.Error(err)
				}
				if l := left(t, name); len(l) > 0 {
					t.Errorf("it leaves %v", l)
				}
			}
		})
	}
}

func TestOneAtATime(t *testing.T) {
	name := mesh.Unique("netconn-demo")
	begin(t, name)
	before := left(t, name)
	err := run(context.Background(), options{name: name, program: []string{"sleep", "1000"}}, io.Discard)
	if !errors.Is(err, errRunning) {
		t.Errorf("a second demo: %v", err)
	}
	if diff := cmp.Diff(before, left(t, name)); diff != "" {
		t.Errorf("what the second one did to the first (-before +after):\n%s", diff)
	}
}

func TestPick(t *testing.T) {
	id := func(digit string) string { return strings.Repeat(digit, 64) }
	row := func(owner, digit, arrow, peer, nat string) string {
		return fmt.Sprintf("%-28s  %s  %-11s  node   9080  %-22s  1.00 kB  2\n", owner+" ["+id(digit)[:12]+"]", arrow, peer, nat)
	}
	headings := fmt.Sprintf("%-28s      %-11s  WHERE  PORT  %-22s    OUT/s  OPEN\n", "OWNER", "PEER", "NAT")
	shown := "vm, 1 flow\n\n" + headings + row("envoy", "a", "->", "envoy", "dnat old:1") + "\nvm, 3 flows\n\n" + headings +
		row("envoy", "a", "<-", "productpage", "redirect services:9080") +
		row("envoy", "b", "->", "envoy", "") +
		row("productpage", "c", "->", "envoy", "redirect services:9080") + "\n"
	got := pick(shown, []socketRow{{"productpage", id("c"), "->", "envoy"}, {"envoy", id("a"), "<-", "productpage"}, {"envoy", id("b"), "->", "envoy"}})
	want := "OWNER                             PEER         WHERE  PORT  NAT\n" +
		"productpage [cccccccccccc]    ->  envoy        node   9080  redirect services:9080\n" +
		"envoy [aaaaaaaaaaaa]          <-  productpage  node   9080  redirect services:9080\n" +
		"envoy [bbbbbbbbbbbb]          ->  envoy        node   9080\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("picture (-want +got):\n%s", diff)
	}
	if got := pick("no table yet", nil); got != "" {
		t.Errorf("a table out of nothing: %q", got)
	}
}
