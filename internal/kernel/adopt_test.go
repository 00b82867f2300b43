//go:build linux

package kernel

import (
	"context"
	"testing"

	"github.com/netconn/netconn/internal/conn"
)

// With AdoptLater, Open does not wait for the connections that exist already. Adopt finds them, and nothing if it is
// cancelled before.
func TestAdoptLater(t *testing.T) {
	w := newWire(t)
	older, server := w.connect()
	o := observe(t, Options{AdoptLater: true}, w.client, w.server)
	newer, accepted := w.connect()
	for _, c := range []interface{ Close() error }{older, server, newer, accepted} {
		t.Cleanup(func() { c.Close() })
	}
	seen := func() (older, newer int) {
		o.snapshot(true)
		for _, c := range o.live {
			if c.Role == conn.RoleClient && c.SeenOpening {
				newer++
			} else if c.Role == conn.RoleClient {
				older++
			}
		}
		return older, newer
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if err := o.Adopt(cancelled); err != nil {
		t.Fatal(err)
	}
	o.adopting.Store(true) // or the snapshot looks for the older ones itself
	if older, newer := seen(); older != 0 || newer != 1 {
		t.Errorf("before: %d older and %d newer connections", older, newer)
	}
	write(t, older, 10)
	read(t, server, 10)
	if err := o.Adopt(context.Background()); err != nil {
		t.Fatal(err)
	}
	write(t, older, 20)
	read(t, server, 20)
	if older, newer := seen(); older != 1 || newer != 1 {
		t.Errorf("after: %d older and %d newer connections", older, newer)
	}
}
