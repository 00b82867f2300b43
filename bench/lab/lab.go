//go:build linux

// Package lab makes the rooms that the benchmarks work in: network namespaces joined by a pair of interfaces, and cgroups with the
// names that container runtimes give them. Everything is private to the program and gone with it, but the cgroups, which are gone
// with Remove. It needs root and iproute2.
package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// A Namespace is a network namespace; it lives as long as its handle, and the sockets in it.
type Namespace struct{ handle *os.File }

// NewNamespace makes a namespace whose loopback interface is up. Ports are plentiful, and none is spent on TIME_WAIT: a slice of a
// benchmark starts as the one before it did.
func NewNamespace() (*Namespace, error) {
	n := &Namespace{}
	if err := onThread(n.enter); err != nil {
		return nil, err
	}
	if err := n.Command("ip", "link", "set", "lo", "up"); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"net.ipv4.ip_local_port_range": "1024 65535",
		"net.ipv4.tcp_max_tw_buckets":  "0",
		"net.core.somaxconn":           "16384",
	} {
		if err := n.Sysctl(name, value); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (n *Namespace) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make network namespace: %w", err)
	}
	handle, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	n.handle = handle
	return nil
}

// onThread runs f on a thread of its own, which ends with it: no other goroutine is ever in the namespace.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// Do runs f in the namespace. Processes that it starts and sockets that it opens belong to the namespace; goroutines that it starts do
// not. The thread ends with f, so a process that f starts must not ask to be killed with its parent.
func (n *Namespace) Do(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.handle.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return f()
	})
}

// Command runs a program in the namespace.
func (n *Namespace) Command(name string, arguments ...string) error {
	return n.Do(func() error {
		out, err := exec.Command(name, arguments...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("run %s %s: %w: %s", name, strings.Join(arguments, " "), err, out)
		}
		return nil
	})
}

// Sysctl sets a variable of the namespace, such as net.ipv4.ip_local_port_range.
func (n *Namespace) Sysctl(name, value string) error {
	return n.Do(func() error {
		path := filepath.Join("/proc/sys", strings.ReplaceAll(name, ".", "/"))
		return os.WriteFile(path, []byte(value), 0)
	})
}

// Close gives the handle back.
func (n *Namespace) Close() error { return n.handle.Close() }

// The two ends of a Pair.
const (
	Interface     = "bench0" // in both namespaces
	ClientAddress = "10.97.0.1"
	ServerAddress = "10.97.0.2"
)

// A Pair is two namespaces that a virtual cable joins.
type Pair struct{ Client, Server *Namespace }

// NewPair makes two namespaces and the cable.
func NewPair() (*Pair, error) {
	client, err := NewNamespace()
	if err != nil {
		return nil, err
	}
	server, err := NewNamespace()
	if err != nil {
		client.Close()
		return nil, err
	}
	p := &Pair{Client: client, Server: server}
	if err := p.join(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Pair) join() error {
	peer := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), p.Server.handle.Fd())
	err := p.Client.Command("ip", "link", "add", Interface, "type", "veth", "peer", "name", Interface, "netns", peer)
	if err != nil {
		return err
	}
	for _, end := range []struct {
		namespace *Namespace
		address   string
	}{{p.Client, ClientAddress}, {p.Server, ServerAddress}} {
		if err := end.namespace.Command("ip", "address", "add", end.address+"/24", "dev", Interface); err != nil {
			return err
		}
		if err := end.namespace.Command("ip", "link", "set", Interface, "up"); err != nil {
			return err
		}
	}
	return nil
}

// Close gives both namespaces back.
func (p *Pair) Close() error {
	p.Client.Close()
	return p.Server.Close()
}
