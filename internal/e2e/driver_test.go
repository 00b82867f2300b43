//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/netns"
	"github.com/netconn/netconn/internal/testnet/worker"
)

// A driver is a process that opens, uses and closes connections as the test orders; see script for the orders.
type driver struct {
	*worker.Worker
	t *testing.T
}

// start starts a driver with an executable of that name, in a network namespace and a cgroup.
func start(t *testing.T, name string, in *netns.Namespace, of *cgroup.Cgroup) *driver {
	t.Helper()
	program, err := worker.Executable(t.TempDir(), name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.Start(worker.Spec{
		Program: program, Env: []string{driverVariable + "=1"}, In: in, Cgroup: of, Limit: deadline,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Kill() })
	return &driver{w, t}
}

// startIn starts a driver in the cgroup of a container, which is the test's own.
func startIn(t *testing.T, name, container string, in *netns.Namespace) *driver {
	t.Helper()
	return start(t, name, in, newCgroup(t, container))
}

// end ends the driver with all its connections.
func (d *driver) end() {
	d.t.Helper()
	if err := d.Stop(); err != nil {
		d.t.Fatal(err)
	}
}

// begin gives an order, and returns a function that waits until it is executed.
func (d *driver) begin(format string, arguments ...any) (end func() error) {
	d.t.Helper()
	order := fmt.Sprintf(format, arguments...)
	if err := d.Send(order); err != nil {
		d.t.Fatal(err)
	}
	return func() error {
		failure := ""
		if err := d.Receive(&failure); err != nil {
			return fmt.Errorf("%s: %w", order, err)
		}
		if failure != "" {
			return fmt.Errorf("%s: %s: %s", d.Name, order, failure)
		}
		return nil
	}
}

// do gives an order that must succeed.
func (d *driver) do(format string, arguments ...any) {
	d.t.Helper()
	if err := d.begin(format, arguments...)(); err != nil {
		d.t.Fatal(err)
	}
}

// fail gives an order that must fail, with a certain text in the error.
func (d *driver) fail(why, format string, arguments ...any) {
	d.t.Helper()
	if err := d.begin(format, arguments...)(); err == nil || !strings.Contains(err.Error(), why) {
		d.t.Fatalf("%s: "+format+": %v, want %q", append([]any{d.Name}, append(arguments, err, why)...)...)
	}
}

// connect opens a connection to an address where a server listens. Both ends have the same name.
func connect(name string, client, server *driver, address string) {
	client.t.Helper()
	client.do("dial %s %s", name, address)
	server.do("accept %s %s", name, address)
}

// transfer sends bytes on a connection, and returns when they are received.
func transfer(name string, from, to *driver, bytes int) {
	from.t.Helper()
	received := to.begin("receive %s %d", name, bytes)
	from.do("send %s %d", name, bytes)
	if err := received(); err != nil {
		from.t.Fatal(err)
	}
}

// finish closes a connection from both ends; one of them closes first.
func finish(name string, first, second *driver) {
	first.t.Helper()
	first.do("close %s", name)
	second.do("finish %s", name)
}

// exchange sends bytes both ways on a connection that the server knows by the name with an s before it. Client and
// server may be one driver, which executes one order at a time: the bytes must fit the socket's buffer.
func exchange(client, server *driver, name string, there, back int) {
	client.t.Helper()
	client.do("send %s %d", name, there)
	server.do("receive s%s %d", name, there)
	server.do("send s%s %d", name, back)
	client.do("receive %s %d", name, back)
}

// driverVariable is set in the environment of a driver, which is the test binary too.
const driverVariable = "NETCONN_TEST_DRIVER"

// drive is the main function of a driver.
func drive() {
	s := script{
		listeners: map[string]*net.TCPListener{}, ends: map[string]*net.TCPConn{}, datagrams: map[string]*net.UDPConn{},
	}
	if err := worker.Serve(os.Stdin, os.Stdout, s.execute); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
