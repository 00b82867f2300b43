//go:build linux

package balancer_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/balancer"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// TestMain is a program that connects, if it is started with an address.
func TestMain(m *testing.M) {
	address := os.Getenv("NETCONN_TEST_DIAL")
	if address == "" {
		os.Exit(m.Run())
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.RemoteAddr())
}

// dialFrom returns where a process of the cgroup got to that connected to an address.
func dialFrom(t *testing.T, in *cgroup.Cgroup, address string) string {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), "NETCONN_TEST_DIAL="+address)
	c.SysProcAttr = &syscall.SysProcAttr{}
	in.Put(c.SysProcAttr)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestAttach(t *testing.T) {
	if os.Geteuid() != 0 {
		testnet.Require(t, fmt.Errorf("a load balancer needs root"))
	}
	for service, loopback := range map[string]string{"192.0.2.7:80": "127.0.0.1:0", "[2001:db8::7]:80": "[::1]:0"} {
		t.Run(loopback, func(t *testing.T) {
			name := fmt.Sprintf("netconn-balancer-%d", os.Getpid())
			in, err := cgroup.New(name)
			if err != nil {
				testnet.Require(t, err)
			}
			t.Cleanup(func() {
				if err := errors.Join(in.Close(), cgroup.Remove(name)); err != nil {
					t.Error(err)
				}
			})
			mount, err := cgroup.Mount()
			if err != nil {
				t.Fatal(err)
			}
			l, err := net.Listen("tcp", loopback)
			if err != nil {
				testnet.Require(t, err)
			}
			defer l.Close()
			endpoint := l.Addr().(*net.TCPAddr).AddrPort()
			b, err := balancer.Attach(mount+"/"+name, netip.MustParseAddrPort(service), endpoint)
			if err != nil {
				testnet.Require(t, err)
			}
			if got := dialFrom(t, in, service); got != endpoint.String() {
				t.Errorf("who asks for the service gets %s", got)
			}
			if got := dialFrom(t, in, endpoint.String()); got != endpoint.String() {
				t.Errorf("who asks for the endpoint gets %s", got)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			if got := dialFrom(t, in, endpoint.String()); got != endpoint.String() {
				t.Errorf("once the program is detached, who asks for the endpoint gets %s", got)
			}
		})
	}
}
