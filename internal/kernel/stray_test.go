//go:build linux

package kernel

import (
	"testing"

	"github.com/netconn/netconn/internal/conn"
)

// A connection that waits in the accept queue while netconn starts is in no process's hands: the next pass over all
// finds it.
func TestOlderThanNetconnInTheAcceptQueue(t *testing.T) {
	w := newWire(t)
	client := w.client.Dial(serverAddress)
	write(t, client, 1000)
	o := w.observe(t)
	o.snapshot(false)
	wantEqual(t, "live connections at first", 1, len(o.live))
	server, err := w.listener.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	read(t, server, 1000)
	o.snapshot(true)
	got := o.liveOf(conn.RoleServer)
	wantEqual(t, "server", outcome{conn.RoleServer, conn.Open, "", 0, 0}, outcomeOf(got))
	wantSelf(t, got.Process)
	write(t, client, 55)
	read(t, server, 55)
	client.Close()
	readEnd(t, server)
	server.Close()
	o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 55, 0}, outcome{conn.RoleServer, conn.Closed, "", 0, 55})
}
