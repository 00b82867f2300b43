//go:build linux

package mesh

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/netconn/netconn/internal/testnet/mesh/program"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// The networks of a cluster, as kind lays them out. Node n has the pods 10.244.n.0/24 and fd00:10:244:n::/64.
const (
	PodNetwork4     = "10.244.0.0/16"
	PodNetwork6     = "fd00:10:244::/48"
	ServiceNetwork4 = "10.96.0.0/16"
	ServiceNetwork6 = "fd00:10:96::/112"
)

const podBridge = "cni0"

// timeWait is how long a namespace remembers a connection that was closed. All namespaces of a machine share one
// limit of entries.
const timeWait = "10" // seconds

// A Node is a network namespace on the wire, with pods behind it.
type Node struct {
	*netns.Namespace
	Name  string
	Addr4 netip.Addr // on the wire
	Addr6 netip.Addr

	mesh   *Mesh
	number int // 0: it has no pods
}

// Node makes a node with pods, the number-th (from 1 to 250): it forwards, knows the way to the pods of every other
// node, and masquerades its pods towards addresses that are neither pods nor nodes.
func (m *Mesh) Node(name string, number int, addr4 string) (*Node, error) {
	n, err := m.attach(name, addr4)
	if err != nil {
		return nil, err
	}
	n.number = number
	for _, variable := range []string{"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"} {
		if err := n.Sysctl(variable, "1"); err != nil {
			return nil, err
		}
	}
	// A packet from one pod to another leaves by the interface that it came by, and needs no redirect to a shorter way.
	if err := n.Sysctl("net.ipv4.conf.all.send_redirects", "0"); err != nil {
		return nil, err
	}
	if err := n.Sysctl("net.ipv4.conf.default.send_redirects", "0"); err != nil {
		return nil, err
	}
	if err := bridge(n.Namespace, podBridge); err != nil {
		return nil, err
	}
	for _, gateway := range []netip.Addr{n.gateway4(), n.gateway6()} {
		if err := n.Address(podBridge, one(gateway)); err != nil {
			return nil, err
		}
		if err := n.Command("ip", "route", "add", n.pods(gateway).String(), "dev", podBridge); err != nil {
			return nil, err
		}
	}
	if err := n.masquerade(); err != nil {
		return nil, err
	}
	if err := m.addRoutes(n); err != nil {
		return nil, err
	}
	return n, n.startKubelet()
}

// startKubelet starts a process of the node's own. netconn finds a network namespace by the processes in it.
func (n *Node) startKubelet() error {
	host, err := n.Host()
	if err != nil {
		return err
	}
	_, err = host.Start(Spec{Name: "kubelet", Role: program.Role{App: &program.App{}}})
	return err
}

// Outside makes a machine on the wire that knows nothing of pods and services: a client, or a server far away.
func (m *Mesh) Outside(name, addr4 string) (*Node, error) { return m.attach(name, addr4) }

// attach makes a namespace with an address on the wire.
func (m *Mesh) attach(name, addr4 string) (*Node, error) {
	n := &Node{Name: name, mesh: m}
	var err error
	if n.Addr4, err = netip.ParseAddr(addr4); err != nil {
		return nil, fmt.Errorf("attach %s: %w", name, err)
	}
	b := n.Addr4.As4()
	n.Addr6 = netip.MustParseAddr(fmt.Sprintf("fd00:172:18::%x", b[3]))
	if n.Namespace, err = netns.New(); err != nil {
		return nil, err
	}
	m.onClose(n.Close)
	port := fmt.Sprintf("port%d", len(m.nodes))
	m.nodes = append(m.nodes, n)
	err = netns.Link(
		netns.End{In: n.Namespace, Interface: "eth0",
			Addresses: []netip.Prefix{netip.PrefixFrom(n.Addr4, 16), netip.PrefixFrom(n.Addr6, 64)}},
		netns.End{In: m.wire, Interface: port},
	)
	if err != nil {
		return nil, err
	}
	if err := m.wire.Command("ip", "link", "set", port, "master", "wire"); err != nil {
		return nil, err
	}
	return n, shortenTimeWait(n.Namespace)
}

// shortenTimeWait shortens the life of the entries of closed connections, where the kernel has a table of them.
func shortenTimeWait(n *netns.Namespace) error {
	return ignoreMissing(n.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_time_wait", timeWait))
}

// ignoreMissing returns nil if the kernel does not have the variable.
func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// addRoutes gives a new node and the others routes to the pods of each.
func (m *Mesh) addRoutes(n *Node) error {
	for _, other := range m.nodes {
		if other == n || other.number == 0 {
			continue
		}
		if err := errors.Join(n.routeTo(other), other.routeTo(n)); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) routeTo(other *Node) error {
	return errors.Join(
		n.Command("ip", "route", "add", n.podsOf(other, false), "via", other.Addr4.String()),
		n.Command("ip", "route", "add", n.podsOf(other, true), "via", other.Addr6.String()),
	)
}

func (n *Node) podsOf(other *Node, six bool) string {
	if six {
		return other.pods(other.gateway6()).String()
	}
	return other.pods(other.gateway4()).String()
}

func (n *Node) gateway4() netip.Addr { return n.pod4(1) }

func (n *Node) gateway6() netip.Addr { return n.pod6(1) }

func (n *Node) pod4(host int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 244, byte(n.number), byte(host)})
}

func (n *Node) pod6(host int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("fd00:10:244:%d::%x", n.number, host))
}

func (n *Node) pods(gateway netip.Addr) netip.Prefix {
	bits := 24
	if gateway.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(gateway, bits).Masked()
}

// masquerade makes the rules of the network plug-in.
func (n *Node) masquerade() error {
	const rules = "*nat\n:OUT - [0:0]\n-A POSTROUTING -s %[1]s -j OUT\n-A OUT -d %[1]s -j RETURN\n-A OUT -j " +
		"MASQUERADE\nCOMMIT\n"
	return errors.Join(
		n.Feed(fmt.Sprintf(rules, PodNetwork4), "iptables-nft-restore", "--noflush"),
		n.Feed(fmt.Sprintf(rules, PodNetwork6), "ip6tables-nft-restore", "--noflush"),
	)
}
