//go:build linux

package mesh

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A Pod is a network namespace behind a node, and the containers that share it.
type Pod struct {
	*netns.Namespace
	Name  string
	UID   string
	Addr4 netip.Addr
	Addr6 netip.Addr
	Node  *Node
}

// Pod makes a pod without containers; host is the last part of its addresses, from 2 to 254.
func (n *Node) Pod(name string, host int) (*Pod, error) {
	p := &Pod{Name: name, UID: cgroup.NewUID(), Node: n, Addr4: n.pod4(host), Addr6: n.pod6(host)}
	var err error
	if p.Namespace, err = netns.New(); err != nil {
		return nil, err
	}
	n.mesh.onClose(p.Close)
	port := fmt.Sprintf("veth%d", host)
	err = netns.Link(
		netns.End{In: p.Namespace, Interface: "eth0", Addresses: []netip.Prefix{one(p.Addr4), one(p.Addr6)}},
		netns.End{In: n.Namespace, Interface: port},
	)
	if err != nil {
		return nil, err
	}
	if err := n.Command("ip", "link", "set", port, "master", podBridge); err != nil {
		return nil, err
	}
	for _, gateway := range []netip.Addr{n.gateway4(), n.gateway6()} {
		err := errors.Join(
			p.Command("ip", "route", "add", one(gateway).String(), "dev", "eth0"),
			p.Command("ip", "route", "add", "default", "via", gateway.String(), "dev", "eth0"),
		)
		if err != nil {
			return nil, err
		}
	}
	return p, shortenTimeWait(p.Namespace)
}

// A Container is a cgroup and a network namespace for one process.
type Container struct {
	ID string // 64 hexadecimal digits; empty: no container, but a service of the host
	*netns.Namespace
	*cgroup.Cgroup

	mesh *Mesh
}

// Container makes a container of the pod.
func (p *Pod) Container() (*Container, error) {
	id := cgroup.NewID()
	c, err := p.Node.mesh.newContainer(cgroup.SystemdPod(p.UID, id), p.Namespace)
	if err != nil {
		return nil, err
	}
	c.ID = id
	return c, nil
}

// Host makes a place for processes of the node itself, which are in no container.
func (n *Node) Host() (*Container, error) {
	return n.mesh.newContainer("system.slice/"+n.Name+".service", n.Namespace)
}

func (m *Mesh) newContainer(path string, in *netns.Namespace) (*Container, error) {
	c, err := cgroup.New(m.name, path)
	if err != nil {
		return nil, err
	}
	m.onClose(c.Close)
	return &Container{Namespace: in, Cgroup: c, mesh: m}, nil
}
