//go:build linux

package kernel

import (
	"io"
	"net/netip"
	"os/exec"
	"testing"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/balancer"
)

func balance(t *testing.T, in cgroup, from, to string) io.Closer {
	t.Helper()
	b, err := balancer.Attach(in.path, netip.MustParseAddrPort(from), netip.MustParseAddrPort(to))
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// dialIn starts a process in a cgroup that connects to an address.
func (w wire) dialIn(t *testing.T, in cgroup, address string) *exec.Cmd {
	t.Helper()
	child := as(t, "dial")
	child.Env = append(child.Env, "NETCONN_TEST_ADDRESS="+address)
	child.SysProcAttr = in.attr
	w.client.Start(child)
	return child
}

// A connection is marked if a BPF program ran in its connect(), whether it replaced the destination or not.
func TestConnectHook(t *testing.T) {
	const service = "192.0.2.7:80"
	for name, c := range map[string]struct {
		attach func(*testing.T, cgroup)
		dial   string
		want   bool
	}{
		"no program": {func(*testing.T, cgroup) {}, serverAddress, false},
		"an address is replaced": {
			func(t *testing.T, in cgroup) { balance(t, in, service, serverAddress) }, service, true,
		},
		"only the port is replaced": {
			func(t *testing.T, in cgroup) { balance(t, in, "10.77.0.2:80", serverAddress) }, "10.77.0.2:80", true,
		},
		"nothing is replaced": {
			func(t *testing.T, in cgroup) { balance(t, in, service, serverAddress) }, serverAddress, true,
		},
		"a program for IPv6": {
			func(t *testing.T, in cgroup) { balance(t, in, "[2001:db8::7]:80", "[2001:db8::8]:80") }, serverAddress, false,
		},
		"the program was detached before": {
			func(t *testing.T, in cgroup) { balance(t, in, service, serverAddress).Close() }, serverAddress, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, group := newWire(t), newCgroups(t, 1)[0]
			c.attach(t, group)
			o := w.observe(t)
			go acceptOnce(w.listener)
			if err := w.dialIn(t, group, c.dial).Wait(); err != nil {
				t.Fatal(err)
			}
			ends := o.wantEnded(
				outcome{conn.RoleClient, conn.Closed, "", 13, 7}, outcome{conn.RoleServer, conn.Closed, "", 7, 13},
			)
			wantEqual(t, "the client's end is marked", c.want, ends[0].ConnectHook)
			wantEqual(t, "the server's end is marked", false, ends[1].ConnectHook)
			wantEqual(t, "destination", netip.MustParseAddrPort(serverAddress), ends[0].Tuple.Destination)
		})
	}
}

// An IPv6 socket runs the program for IPv6, also for an IPv4 address.
func TestConnectHook6(t *testing.T) {
	group := newCgroups(t, 1)[0]
	balance(t, group, "[2001:db8::7]:80", "[2001:db8::8]:80")
	w := newWire(t)
	o := w.observe(t)
	go acceptOnce(w.listener)
	child := as(t, "dial6")
	child.SysProcAttr = group.attr
	w.client.Start(child)
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if !o.waitEnded(2)[0].ConnectHook {
		t.Error("the client's end is not marked")
	}
}

// The mark stays when the program is detached while the connection is open.
func TestConnectHookDetachedLater(t *testing.T) {
	w, group := newWire(t), newCgroups(t, 1)[0]
	b := balance(t, group, "192.0.2.7:80", serverAddress)
	o := w.observe(t)
	child := w.dialIn(t, group, "192.0.2.7:80")
	server, err := w.listener.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	o.snapshot(false)
	if !o.liveOf(conn.RoleClient).ConnectHook {
		t.Error("the client's end is not marked")
	}
	server.Close()
	child.Wait()
}

// A connection older than netconn is marked by the program that is attached when it is found.
func TestConnectHookOfOlder(t *testing.T) {
	w, group := newWire(t), newCgroups(t, 1)[0]
	balance(t, group, "192.0.2.7:80", serverAddress)
	child := w.dialIn(t, group, "192.0.2.7:80")
	server, err := w.listener.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	read(t, server, 13)
	o := w.observe(t)
	o.snapshot(true)
	if !o.liveOf(conn.RoleClient).ConnectHook || o.liveOf(conn.RoleServer).ConnectHook {
		t.Errorf("live ends: %+v", o.live)
	}
	server.Close()
	child.Wait()
}
