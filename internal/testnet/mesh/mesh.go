//go:build linux

package mesh

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// Options say what a mesh is made with.
type Options struct {
	Program string // path of the program whose main calls program.Main; empty: this one
	Name    string // of the cgroup that all others are below, and of the folder of programs; unique on the machine
}

// A Mesh is nodes on a common wire.
type Mesh struct {
	wire     *netns.Namespace // a bridge and nothing else
	nodes    []*Node
	name     string // of the cgroup and of the directory of programs
	programs string // directory
	program  string // path
	undo     []func() error
}

// New makes a mesh without nodes.
func New(o Options) (*Mesh, error) {
	m := &Mesh{name: o.Name, programs: programsOf(o.Name), program: o.Program}
	if err := m.make(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Mesh) make() (err error) {
	if os.Geteuid() != 0 {
		return errors.New("make a mesh: namespaces, cgroups and rules need root")
	}
	if m.program == "" {
		if m.program, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
	}
	if err := os.Mkdir(m.programs, 0o755); err != nil { // for other users too: a sidecar is one
		return fmt.Errorf("make the directory of programs: %w", err)
	}
	m.onClose(func() error { return os.RemoveAll(m.programs) })
	m.onClose(func() error { return cgroup.Remove(m.name) })
	if m.wire, err = netns.New(); err != nil {
		return err
	}
	m.onClose(m.wire.Close)
	if err := bridge(m.wire, "wire"); err != nil {
		return err
	}
	return m.startInit("wire", m.wire)
}

// startInit starts a process in a namespace, as each namespace of a real machine has one. netconn finds namespaces by
// processes and mounts, and a namespace that it cannot find could translate addresses.
func (m *Mesh) startInit(name string, in *netns.Namespace) error {
	c, err := m.newContainer("system.slice/"+name+".service", in)
	if err != nil {
		return err
	}
	_, err = c.Start(Spec{Name: "init", Role: program.Role{App: &program.App{}}})
	return err
}

func programsOf(name string) string { return filepath.Join(os.TempDir(), name) }

// bridge makes a bridge that only bridges: no rule sees what it forwards, as none would on a machine without
// br_netfilter.
func bridge(n *netns.Namespace, name string) error {
	for _, variable := range []string{"net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"} {
		if err := ignoreMissing(n.Sysctl(variable, "0")); err != nil {
			return err
		}
	}
	return errors.Join(
		n.Command("ip", "link", "add", name, "type", "bridge", "stp_state", "0", "forward_delay", "0"),
		n.Command("ip", "link", "set", name, "up"),
	)
}

// onClose has Close call f, in the reverse order of the calls of onClose.
func (m *Mesh) onClose(f func() error) { m.undo = append(m.undo, f) }

// Close ends the processes and removes everything. It may be called twice.
func (m *Mesh) Close() error {
	var errs []error
	for _, f := range slices.Backward(m.undo) {
		errs = append(errs, f())
	}
	m.undo = nil
	return errors.Join(errs...)
}

// Sweep ends and removes what a mesh of that name has left. It is no error if there is nothing.
func Sweep(name string) error {
	return errors.Join(cgroup.Remove(name), os.RemoveAll(programsOf(name)))
}

// Unique returns a name that no other mesh has.
func Unique(prefix string) string {
	return fmt.Sprintf("%s-%d-%08x", prefix, os.Getpid(), rand.Uint32())
}

// one returns an address as a prefix that has nothing else in it.
func one(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
