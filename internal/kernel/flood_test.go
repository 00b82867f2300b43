//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// flood makes refused attempts as fast as it can, each with a socket of its own.
func flood() {
	attempts, err := strconv.Atoi(os.Getenv("NETCONN_TEST_ATTEMPTS"))
	for range attempts {
		fd, socketErr := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
		connectErr := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 81})
		if err = errors.Join(err, socketErr, unix.Close(fd)); !errors.Is(connectErr, unix.ECONNREFUSED) || err != nil {
			fmt.Fprintln(os.Stderr, errors.Join(err, connectErr))
			os.Exit(1)
		}
	}
}

// startFlood returns a channel that is closed when the flood is over.
func startFlood(t *testing.T, n *testnet.Namespace, attempts int) (over chan struct{}) {
	t.Helper()
	child := as(t, "flood")
	child.Env = append(child.Env, fmt.Sprint("NETCONN_TEST_ATTEMPTS=", attempts))
	n.Start(child)
	over = make(chan struct{})
	go func() {
		defer close(over)
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
	}()
	return over
}

// A process makes more failed attempts than their ring holds, and nothing drains meanwhile. The ends of other
// connections are all there, and each attempt is reported or counted as lost. Losses are counted for the whole machine,
// so a second reader with a larger ring counts the attempts of other programs.
func TestFloodOfAttemptsDisplacesNoEnds(t *testing.T) {
	const bytes = 17
	attempts := load(50_000)
	w := newWire(t)
	witness := observe(t, Options{RingBytes: 16 << 20, FailedRingBytes: 64 << 20})
	// Its rings have room for the ends of others too, but not for the attempts.
	o := observe(t, Options{RingBytes: 4 << 20, FailedRingBytes: load(1 << 20)}, w.client, w.server)
	witness.everyone = true
	drainAll(t, witness, o)
	witness.ended, o.ended = nil, nil
	before, err := o.Losses()
	if err != nil {
		t.Fatal(err)
	}
	connections := churnUntil(t, w, startFlood(t, w.client, attempts), bytes)
	waitClosed(t, w.client)
	waitClosed(t, w.server)
	drainAll(t, o, witness)
	after, err := o.Losses()
	if err != nil {
		t.Fatal(err)
	}

	got := o.outcomes()
	refused := outcome{conn.RoleClient, conn.Failed, "refused", 0, 0}
	reported, lost := got[refused], int(after.Since(before)[conn.LostFailures])
	delete(got, refused)
	wantEqual(t, "ends of the connections", map[outcome]int{
		{conn.RoleClient, conn.Closed, "", bytes, 0}: connections,
		{conn.RoleServer, conn.Closed, "", 0, bytes}: connections,
	}, got)
	if lost == 0 || reported == 0 {
		t.Fatalf("%d attempts reported, %d lost: the test wants both", reported, lost)
	}
	others := 0
	for _, c := range witness.ended {
		if c.Phase == conn.Failed && c.Namespace.Inode != w.client.Inode {
			others++
		}
	}
	if missing := attempts - reported - lost; missing > 0 || missing < -others {
		t.Errorf("%d attempts: %d reported, %d lost, with %d of others", attempts, reported, lost, others)
	}
}

// churnUntil opens and closes connections until the flood is over, and returns how many.
func churnUntil(t *testing.T, w wire, over <-chan struct{}, bytes int) (connections int) {
	t.Helper()
	for {
		select {
		case <-over:
			return connections
		case <-time.After(5 * time.Millisecond):
			churn(t, w, 10, bytes)
			connections += 10
		}
	}
}

// Listeners that come and go without a drop leave no records, so a program that opens many displaces no ends. Their
// records would take twice the ring. The rest of it is for the ends of other programs of the machine.
func TestFloodOfListenersDisplacesNoEnds(t *testing.T) {
	const listeners, connections, bytes = 20_000, 20, 17
	w := newWire(t)
	o := observe(t, Options{RingBytes: 1 << 20}, w.client, w.server)
	w.client.Do(func() {
		for range listeners {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
			if err = errors.Join(err, unix.Listen(fd, 1), unix.Close(fd)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	churn(t, w, connections, bytes)
	o.waitEnded(2 * connections)
	wantEqual(t, "ends of the connections", map[outcome]int{
		{conn.RoleClient, conn.Closed, "", bytes, 0}: connections,
		{conn.RoleServer, conn.Closed, "", 0, bytes}: connections,
	}, o.outcomes())
	wantEqual(t, "listeners", 0, len(o.listeners))
}
