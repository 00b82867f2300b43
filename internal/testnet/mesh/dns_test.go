//go:build linux

package mesh_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// answer has a server at an address, whose socket is a user's, answer each datagram with its name.
func (c *cluster) answer(n *netns.Namespace, user int, name, address string) {
	c.t.Helper()
	var s net.PacketConn
	err := n.Do(func() (err error) {
		err = unix.Setfsuid(user) // of this thread
		if err == nil {
			s, err = net.ListenPacket("udp", address)
		}
		return errors.Join(err, unix.Setfsuid(0))
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { s.Close() })
	go func() {
		buffer := make([]byte, 100)
		for {
			_, from, err := s.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = s.WriteTo([]byte(name+"\n"), from)
		}
	}()
}

// ask returns who answers a user of a namespace, by UDP or TCP. A server of TCP says the client's address, too.
func (c *cluster) ask(n *netns.Namespace, user int, protocol, address string) string {
	c.t.Helper()
	script := fmt.Sprintf("exec 3<>/dev/%s/%s/53; echo >&3; timeout 10 head -n 1 <&3", protocol, address)
	id := fmt.Sprint(user)
	said, err := n.Output("setpriv", "--reuid="+id, "--regid="+id, "--clear-groups", "bash", "-c", script)
	if err != nil {
		c.t.Fatal(err)
	}
	name, _, _ := strings.Cut(strings.TrimSpace(said), " ")
	return name
}

// What an application asks the service of a resolver reaches the agent of its pod, and what the agent asks reaches the
// resolver. What is asked of another resolver is left alone.
func TestCaptureDNS(t *testing.T) {
	if _, err := exec.LookPath("setpriv"); err != nil {
		testnet.Require(t, err)
	}
	c := newCluster(t)
	pod, node, resolver := c.pod[0], c.node[0], c.pod[1].Addr4
	service := netip.MustParseAddr("10.96.0.10")
	for _, err := range []error{mesh.ServeDNS(node.Namespace, service, resolver), mesh.CaptureDNS(pod.Namespace, service)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.serve(pod.Namespace, "agent", mesh.AgentPort)
	c.answer(pod.Namespace, mesh.ProxyID, "agent", fmt.Sprint("127.0.0.1:", mesh.AgentPort))
	c.serve(c.pod[1].Namespace, "resolver", 53)
	c.answer(c.pod[1].Namespace, 0, "resolver", fmt.Sprint(resolver, ":53"))
	got, want := make(map[string]string), make(map[string]string)
	for _, protocol := range []string{"udp", "tcp"} {
		for who, user := range map[string]int{"the application": 1000, "the agent": mesh.ProxyID} {
			got[who+" by "+protocol] = c.ask(pod.Namespace, user, protocol, service.String())
			got[who+" elsewhere by "+protocol] = c.ask(pod.Namespace, user, protocol, resolver.String())
			want[who+" by "+protocol], want[who+" elsewhere by "+protocol] = "resolver", "resolver"
		}
		want["the application by "+protocol] = "agent"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("who answers (-want +got):\n%s", diff)
	}
}
