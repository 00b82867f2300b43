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

// olderMultipathListener returns a listener that is older than netconn. The socket that listens below it has no file, so
// what it accepts has no owner to inherit.
func olderMultipathListener(t *testing.T) (client, server *testnet.Namespace, l net.Listener) {
	t.Helper()
	client, server = testnet.New(t), testnet.New(t)
	testnet.Link(client, server, "nc0", "10.77.0.1/24", "10.77.0.2/24")
	var err error
	config := net.ListenConfig{}
	config.SetMultipathTCP(true)
	server.Do(func() { l, err = config.Listen(t.Context(), "tcp", serverAddress) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return client, server, l
}

// What such a listener accepts has an owner nevertheless, in its first report.
func TestMultipathListenerOlderThanNetconn(t *testing.T) {
	client, server, l := olderMultipathListener(t)
	o := observe(t, Options{}, client, server)
	for range 3 {
		here := client.Dial(serverAddress)
		there, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(o.nextAdopt)) // as long as it takes on a machine with many open files
		o.snapshot(false)
		wantSelf(t, o.liveOf(conn.RoleServer).Process)
		here.Close()
		there.Close()
	}
}

// A snapshot between the opening of such a connection and the next search does not have it, because nobody would own
// it. The search follows, and then the first report has the owner.
func TestNoOwnerBeforeTheSearch(t *testing.T) {
	client, server, l := olderMultipathListener(t)
	o := observe(t, Options{}, client, server)
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
	o := observe(t, Options{}, client, server)
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
	o := observe(t, Options{}, client, server)
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
