//go:build linux

package kernel

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// listenMultipath listens at an address. The TCP socket that listens below has no file.
func listenMultipath(address string) (net.Listener, error) {
	config := net.ListenConfig{}
	config.SetMultipathTCP(true)
	return config.Listen(context.Background(), "tcp", address)
}

// olderMultipathListener returns a listener that is older than netconn, so what it accepts has no owner to inherit.
func olderMultipathListener(t *testing.T) (client, server *testnet.Namespace, l net.Listener) {
	t.Helper()
	client, server = testnet.New(t), testnet.New(t)
	testnet.Link(client, server, "nc0", "10.77.0.1/24", "10.77.0.2/24")
	var err error
	server.Do(func() { l, err = listenMultipath(serverAddress) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return client, server, l
}

// startRival starts a process in another cgroup that listens on the same port, at another address.
func startRival(t *testing.T, server *testnet.Namespace) {
	t.Helper()
	other := as(t, "listen multipath")
	other.Env = append(other.Env, "NETCONN_TEST_ADDRESS=127.0.0.1:9080")
	other.SysProcAttr = newCgroups(t, 1)[0].attr
	listening, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	server.Start(other)
	if _, err := listening.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// What such a listener accepts belongs to the process that has it, at once: no search follows.
func TestMultipathListenerOlderThanNetconn(t *testing.T) {
	client, server, l := olderMultipathListener(t)
	o := observe(t, Options{}, client, server)
	o.nextAdopt = time.Now().Add(time.Hour)
	for range 3 {
		here := client.Dial(serverAddress)
		there, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		o.snapshot(false)
		wantSelf(t, o.liveOf(conn.RoleServer).Process)
		here.Close()
		there.Close()
	}
}

// A connection that nobody accepts ends with its listener. It is of the process that had the listener, whether that was
// found before the connection or after.
func TestOlderListenerClosesBeforeItAccepts(t *testing.T) {
	for name, later := range map[string]bool{"found before": false, "found after": true} {
		t.Run(name, func(t *testing.T) {
			client, server, l := olderMultipathListener(t)
			o := observe(t, Options{AdoptLater: later}, client, server)
			here := client.Dial(serverAddress)
			defer here.Close()
			write(t, here, 164)
			if err := o.Adopt(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.Close()
			end := o.waitEnded(2)[1]
			wantSelf(t, end.Process)
			wantEqual(t, "bytes received", 164, int(end.Counts[conn.Received]))
		})
	}
}

// Two owners may listen on one port, at two addresses or with SO_REUSEPORT. Then the listener of a connection is not
// known, and no owner is guessed.
func TestTwoOlderListenersOnOnePort(t *testing.T) {
	client, server, l := olderMultipathListener(t)
	startRival(t, server)
	o := observe(t, Options{}, client, server)
	here := client.Dial(serverAddress)
	defer here.Close()
	l.Close()
	wantEqual(t, "owner", conn.Process{}, o.waitEnded(2)[1].Process)
}

// A snapshot between the opening of such a connection and the next search does not have it, because nobody would own
// it. The search follows, and then the first report has the owner.
func TestNoOwnerBeforeTheSearch(t *testing.T) {
	client, server, l := olderMultipathListener(t)
	o := observe(t, Options{AdoptLater: true}, client, server)
	here := client.Dial(serverAddress)
	defer here.Close()
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	o.nextAdopt = time.Now().Add(time.Hour) // as after a search of many files
	for range 2 {
		o.snapshot(false)
		for _, c := range o.live {
			if c.Role == conn.RoleServer {
				t.Fatalf("reported without an owner: %+v", c)
			}
		}
	}
	o.nextAdopt = time.Time{}
	o.snapshot(false)
	wantSelf(t, o.liveOf(conn.RoleServer).Process)
}

// What no search finds an owner for is reported without one after the search, and not at all before.
func TestNoOwnerAfterTheSearch(t *testing.T) {
	client, server, _ := olderMultipathListener(t)
	startRival(t, server)
	o := observe(t, Options{AdoptLater: true}, client, server)
	o.wantComplete()
	o.nextAdopt = time.Now().Add(time.Hour)
	here := client.Dial(serverAddress) // nobody accepts it
	defer here.Close()
	o.snapshot(false)
	wantEqual(t, "live ends before the search", 1, len(o.live))
	o.nextAdopt = time.Time{}
	o.snapshot(false)
	wantEqual(t, "owner", conn.Process{}, o.liveOf(conn.RoleServer).Process)
}

// A search that is broken off does not hide connections for good.
func TestSearchIsBrokenOff(t *testing.T) {
	client, server, _ := olderMultipathListener(t)
	o := observe(t, Options{AdoptLater: true}, client, server)
	o.wantComplete()
	o.nextAdopt = time.Now().Add(time.Hour)
	here := client.Dial(serverAddress)
	defer here.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.adopt(cancelled); err != nil {
		t.Fatal(err)
	}
	o.snapshot(false)
	wantEqual(t, "live ends", 2, len(o.live))
}
