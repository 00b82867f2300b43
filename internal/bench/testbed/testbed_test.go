//go:build linux

package testbed

import (
	"fmt"
	"net"
	"os"
	"strings"
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

// Both namespaces have the limits that the benchmarks need, and the machine keeps its own.
func TestLimits(t *testing.T) {
	p := newPair(t)
	read := func() (string, error) {
		text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_max_tw_buckets")
		return strings.TrimSpace(string(text)), err
	}
	inside := func() error {
		buckets, err := read()
		if err == nil && buckets != "0" {
			err = fmt.Errorf("tcp_max_tw_buckets is %s, want 0", buckets)
		}
		return err
	}
	for name, err := range map[string]error{"client": p.Client.Do(inside), "server": p.Server.Do(inside)} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if buckets, err := read(); err != nil || buckets == "0" {
		t.Errorf("the machine has %s, %v", buckets, err)
	}
}
