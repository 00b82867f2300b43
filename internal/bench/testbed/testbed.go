//go:build linux

// Package testbed makes the network namespaces of the benchmarks, joined by a pair of interfaces. Everything is
// private to the program and ends with it. It needs root and iproute2.
package testbed

import (
	"errors"
	"net/netip"

	"github.com/netconn/netconn/internal/testnet/netns"
)

// NewNamespace makes a namespace whose loopback interface is up. Ports are plentiful, and none is spent on TIME_WAIT:
// a slice of a benchmark starts as the one before it did.
func NewNamespace() (*netns.Namespace, error) {
	n, err := netns.New()
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"net.ipv4.ip_local_port_range": "1024 65535",
		"net.ipv4.tcp_max_tw_buckets":  "0",
		"net.core.somaxconn":           "16384",
	} {
		if err := n.Sysctl(name, value); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	return n, nil
}

// The two ends of a Pair.
const (
	Interface     = "bench0" // in both namespaces
	ClientAddress = "10.97.0.1"
	ServerAddress = "10.97.0.2"
)

// A Pair is two namespaces that a virtual cable joins.
type Pair struct{ Client, Server *netns.Namespace }

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
	end := func(n *netns.Namespace, address string) netns.End {
		return netns.End{In: n, Interface: Interface, Addresses: []netip.Prefix{netip.MustParsePrefix(address + "/24")}}
	}
	return netns.Link(end(p.Client, ClientAddress), end(p.Server, ServerAddress))
}

// Close gives both namespaces back.
func (p *Pair) Close() error {
	p.Client.Close()
	return p.Server.Close()
}
