//go:build linux

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/mesh"
)

// A puppet is a process of the story.
type puppet struct {
	t       *testing.T
	name    string
	orders  io.WriteCloser
	answers *bufio.Scanner
}

// start runs a puppet whose executable has the name, in a cgroup and a network namespace.
func start(t *testing.T, name string, in cgroup, at *testnet.Namespace) *puppet {
	t.Helper()
	c := puppetCommand(t, name)
	c.SysProcAttr = in.attr()
	return connected(t, name, c, func() { at.Start(c) })
}

// startIn runs a puppet in a container of a mesh. It ends with its input, so before the mesh is closed.
func startIn(t *testing.T, name string, in *mesh.Container) *puppet {
	t.Helper()
	c := puppetCommand(t, name)
	return connected(t, name, c, func() {
		if err := in.Run(c); err != nil {
			t.Fatalf("start %s: %v", c, err)
		}
		t.Cleanup(func() {
			_ = c.Process.Kill()
			_ = c.Wait()
		})
	})
}

func puppetCommand(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	c := exec.Command(executableNamed(t, name))
	c.Env = append(os.Environ(), puppetVariable+"=1")
	c.Stderr = os.Stderr
	return c
}

// connected has a puppet started, and holds its strings.
func connected(t *testing.T, name string, c *exec.Cmd, begin func()) *puppet {
	t.Helper()
	orders, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin()
	return &puppet{t: t, name: name, orders: orders, answers: bufio.NewScanner(answers)}
}

// executableNamed returns the test binary under another name.
func executableNamed(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if os.Link(self, path) == nil {
		return path
	}
	text, err := os.ReadFile(self) // it is on another file system
	if err := errors.Join(err, os.WriteFile(path, text, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// leave ends the puppet, with all that it has.
func (p *puppet) leave() {
	p.t.Helper()
	if err := p.orders.Close(); err != nil {
		p.t.Fatal(err)
	}
	if p.answers.Scan() {
		p.t.Fatalf("%s leaves with the words %q", p.name, p.answers.Text())
	}
}

// begin gives an order, and returns how to wait for the answer.
func (p *puppet) begin(format string, arguments ...any) (end func() error) {
	p.t.Helper()
	order := fmt.Sprintf(format, arguments...)
	if _, err := fmt.Fprintln(p.orders, order); err != nil {
		p.t.Fatalf("tell %s to %s: %v", p.name, order, err)
	}
	return func() error {
		if !p.answers.Scan() {
			return errors.Join(fmt.Errorf("%s: %s: it is gone", p.name, order), p.answers.Err())
		}
		if answer := p.answers.Text(); answer != "" {
			return fmt.Errorf("%s: %s: %s", p.name, order, answer)
		}
		return nil
	}
}

// do gives an order that must succeed.
func (p *puppet) do(format string, arguments ...any) {
	p.t.Helper()
	if err := p.begin(format, arguments...)(); err != nil {
		p.t.Fatal(err)
	}
}

// refuse gives an order that must fail, with a certain text in the answer.
func (p *puppet) refuse(why, format string, arguments ...any) {
	p.t.Helper()
	if err := p.begin(format, arguments...)(); err == nil || !strings.Contains(err.Error(), why) {
		p.t.Fatalf("%s: "+format+": %v, want %q", append([]any{p.name}, append(arguments, err, why)...)...)
	}
}

// connect opens a connection from a client to an address where a server listens; both know it by the name.
func connect(name string, client, server *puppet, address string) {
	client.t.Helper()
	client.do("dial %s %s", name, address)
	server.do("accept %s %s", name, address)
}

// transfer sends bytes on a connection, and ends when they are received.
func transfer(name string, from, to *puppet, bytes int) {
	from.t.Helper()
	received := to.begin("receive %s %d", name, bytes)
	from.do("send %s %d", name, bytes)
	if err := received(); err != nil {
		from.t.Fatal(err)
	}
}

// finish closes a connection by agreement; one of the two closes first.
func finish(name string, first, second *puppet) {
	first.t.Helper()
	first.do("close %s", name)
	second.do("finish %s", name)
}
