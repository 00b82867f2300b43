//go:build linux

package lab

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
)

func newPair(t *testing.T) *Pair {
	t.Helper()
	p, err := NewPair()
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// The two namespaces reach each other, and no other one has their addresses.
func TestPair(t *testing.T) {
	p := newPair(t)
	var l net.Listener
	err := p.Server.Do(func() (err error) {
		l, err = net.Listen("tcp", ServerAddress+":0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := func() error {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		if host, _, _ := net.SplitHostPort(c.LocalAddr().String()); host != ClientAddress {
			return fmt.Errorf("the client is %s", c.LocalAddr())
		}
		return nil
	}
	if err := p.Client.Do(dial); err != nil {
		t.Error(err)
	}
	if l, err := net.Listen("tcp", ServerAddress+":0"); err == nil {
		l.Close()
		t.Error("the machine itself has the server's address")
	}
}

func TestContainer(t *testing.T) {
	parent := fmt.Sprintf("netconn-lab-%d", os.Getpid())
	c, err := NewContainer(parent)
	if err != nil {
		testnet.Require(t, err)
	}
	if len(c.ID) != 64 || filepath.Base(c.dir) != "docker-"+c.ID+".scope" {
		t.Errorf("the container %q is in %s", c.ID, c.dir)
	}
	command := exec.Command("cat", "/proc/self/cgroup")
	command.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: c.FD()}
	out, err := command.Output()
	if want := "0::/" + parent + "/docker-" + c.ID + ".scope\n"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("a process of it is in %q, %v; want %q", out, err, want)
	}
	for range 2 {
		if err := c.Remove(); err != nil {
			t.Error(err)
		}
	}
	if err := RemoveParent(parent); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(c.dir)); !os.IsNotExist(err) {
		t.Errorf("the parent is there still: %v", err)
	}
}
