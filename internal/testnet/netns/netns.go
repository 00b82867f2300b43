//go:build linux

// Package netns makes network namespaces for tests, benchmarks and the demonstration. A namespace lives as long as
// its handle, the sockets and the processes in it: nothing has a name, so nothing is left behind when the program
// that made it is killed. It needs root and iproute2. A Namespace may be used by several goroutines.
package netns

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/thread"
)

// A Namespace is a network namespace.
type Namespace struct {
	Inode  uint32 // what the kernel and /proc know it by
	handle *os.File
}

// New makes a namespace whose loopback interface is up.
func New() (*Namespace, error) {
	n := &Namespace{}
	if err := thread.Run(n.unshare); err != nil {
		return nil, err
	}
	if err := n.Command("ip", "link", "set", "lo", "up"); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

func (n *Namespace) unshare() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make network namespace: %w", err)
	}
	handle, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(handle.Fd()), &st); err != nil {
		return errors.Join(fmt.Errorf("look at network namespace: %w", err), handle.Close())
	}
	n.handle, n.Inode = handle, uint32(st.Ino)
	return nil
}

// Do runs f in the namespace. Processes that it starts and sockets that it opens belong to the namespace; goroutines
// that it starts do not. The thread ends with f, so a process that f starts must not ask to be killed with its
// parent.
func (n *Namespace) Do(f func() error) error {
	return thread.Run(func() error {
		if err := n.Enter(); err != nil {
			return err
		}
		return f()
	})
}

// Enter takes the calling thread into the namespace, which is to be one of package thread: there is no way back.
func (n *Namespace) Enter() error {
	if err := unix.Setns(int(n.handle.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	return nil
}

// Command runs a program in the namespace.
func (n *Namespace) Command(name string, arguments ...string) error {
	return n.Feed("", name, arguments...)
}

// Feed runs a program in the namespace, with an input.
func (n *Namespace) Feed(input, name string, arguments ...string) error {
	return n.Do(func() error {
		c := exec.Command(name, arguments...)
		c.Stdin = strings.NewReader(input)
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("run %s %s: %w: %s", name, strings.Join(arguments, " "), err, bytes.TrimSpace(out))
		}
		return nil
	})
}

// Output runs a program in the namespace, and returns what it prints.
func (n *Namespace) Output(name string, arguments ...string) (out string, err error) {
	err = n.Do(func() error {
		text, err := exec.Command(name, arguments...).Output()
		if err != nil {
			return fmt.Errorf("run %s %s: %w", name, strings.Join(arguments, " "), err)
		}
		out = string(text)
		return nil
	})
	return out, err
}

// Sysctl sets a variable of the namespace, such as net.ipv4.ip_forward. One that the kernel does not have is
// os.ErrNotExist.
func (n *Namespace) Sysctl(name, value string) error {
	return n.Do(func() error {
		return os.WriteFile(SysctlPath(name), []byte(value), 0)
	})
}

// SysctlPath is where a variable is, for one who is in the namespace.
func SysctlPath(name string) string {
	return filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
}

// File is the handle, to pass to a process that is to work in the namespace.
func (n *Namespace) File() *os.File { return n.handle }

// Close gives the handle back. It may be called twice.
func (n *Namespace) Close() error {
	if err := n.handle.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// An End is one of the two ends of a virtual cable.
type End struct {
	In        *Namespace
	Interface string
	Addresses []netip.Prefix // of the interface, IPv4 and IPv6
}

// Link joins two namespaces, or one with itself, by a virtual cable, and brings both ends up.
func Link(a, b End) error {
	peer := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), b.In.handle.Fd())
	err := a.In.Command("ip", "link", "add", a.Interface, "type", "veth", "peer", "name", b.Interface, "netns", peer)
	if err != nil {
		return err
	}
	return errors.Join(a.up(), b.up())
}

func (e End) up() error {
	for _, address := range e.Addresses {
		if err := e.In.Address(e.Interface, address); err != nil {
			return err
		}
	}
	return e.In.Command("ip", "link", "set", e.Interface, "up")
}

// Address gives an interface an address, which is usable at once: no other interface can have it.
func (n *Namespace) Address(name string, address netip.Prefix) error {
	arguments := []string{"address", "add", address.String(), "dev", name}
	if address.Addr().Is6() {
		arguments = append(arguments, "nodad")
	}
	return n.Command("ip", arguments...)
}
