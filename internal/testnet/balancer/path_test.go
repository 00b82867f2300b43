//go:build linux

package balancer_test

import (
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/balancer"
)

// A path is a pod that reaches two addresses of another namespace, and a load balancer on the way there.
type path struct {
	pod, node *testnet.Namespace
	balancer  io.Closer
}

const service, endpoint, beside = "10.96.1.3:80", "10.99.0.1:9080", "10.99.0.1:80"

func newPath(t *testing.T) path {
	t.Helper()
	p := path{pod: testnet.New(t), node: testnet.New(t)}
	testnet.Link(p.pod, p.node, "pod0", "10.99.0.2/24", "10.99.0.1/24")
	p.pod.Command("ip", "route", "add", "default", "via", "10.99.0.1")
	p.node.Do(func() {
		device, err := net.InterfaceByName("pod0")
		if err != nil {
			t.Fatal(err)
		}
		p.balancer, err = balancer.AttachPath(device.Index, netip.MustParseAddrPort(service), netip.MustParseAddrPort(endpoint))
		if err != nil {
			testnet.Require(t, err)
		}
		t.Cleanup(func() { p.balancer.Close() })
	})
	return p
}

// says returns what a server says to the pod that asks for an address, whole.
func (p *path) says(t *testing.T, l *net.TCPListener, address string) string {
	t.Helper()
	client, server := p.pod.Connect(l, address)
	client.SetDeadline(time.Now().Add(10 * time.Second))
	text := make([]byte, 300_000) // more than one packet
	copy(text, server.LocalAddr().String())
	go func() {
		server.Write(text)
		server.Close()
	}()
	got, err := io.ReadAll(client)
	if err != nil || len(got) != len(text) {
		t.Errorf("%s: %d bytes, %v", address, len(got), err)
	}
	client.Close()
	return string(got[:len(endpoint)])
}

// The pod reaches the endpoint by the service's address and by its own, and another port of the endpoint as it is.
func TestAttachPath(t *testing.T) {
	p := newPath(t)
	l := p.node.Listen(endpoint)
	if got := p.says(t, l, service); got != endpoint {
		t.Errorf("by the service: %q", got)
	}
	other := p.node.Listen(beside)
	client, server := p.pod.Connect(other, beside)
	client.Close()
	server.Close()
	// Answers of the endpoint have the service's address, also for a client that asked for the endpoint itself.
	if p.refused(endpoint) == nil {
		t.Error("by its own address: the answer came from it")
	}
	if err := p.balancer.Close(); err != nil {
		t.Error(err)
	}
	if got := p.says(t, l, endpoint); got != endpoint {
		t.Errorf("without a load balancer: %q", got)
	}
	if err := p.refused(service); err == nil {
		t.Error("without a load balancer there is a service")
	}
}

// refused returns why the pod does not reach an address within a moment.
func (p *path) refused(address string) error {
	c, err := p.pod.TryDial(net.Dialer{Timeout: 300 * time.Millisecond}, address)
	if err == nil {
		c.Close()
	}
	return err
}

func TestAttachPathWithoutADevice(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a load balancer needs root")
	}
	if b, err := balancer.AttachPath(1<<30, netip.MustParseAddrPort(service), netip.MustParseAddrPort(endpoint)); err == nil {
		b.Close()
		t.Error("attached to nothing")
	}
}
