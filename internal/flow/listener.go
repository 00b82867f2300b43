package flow

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// listener is what is kept of a listening socket.
type listener struct {
	flow   *flow
	owner  conn.Owner
	drops  uint64 // that flows have been given
	round  uint32 // of collections, at the last report
	missed uint8  // full passes in a row that it was absent from
	over   bool
}

// Listener takes one report of a listening socket. It has a flow once it has dropped something, so that idle listeners
// take no room. The flow has its owner, the server's role, its port, and no peer. If ports are not to distinguish
// flows, the caller clears l.Local.
func (t *Table) Listener(l conn.Listener, now time.Time) {
	k := t.listeners[l.ID]
	if k == nil {
		k = &listener{}
		t.listeners[l.ID] = k
	}
	if k.over {
		t.late++
		return
	}
	k.round, k.missed = t.round, 0
	if k.flow == nil && l.Drops > 0 || k.flow != nil && k.owner != l.Owner && !k.flow.Overflow {
		k.owner = l.Owner
		k.move(t.find(Key{Owner: l.Owner, Role: conn.RoleServer, ServerPort: l.Local.Port()}, k.flow, ofListener))
	}
	if k.flow != nil {
		k.count(l.Drops)
	}
	if l.Closed {
		k.over = true
		t.retired = append(t.retired, retired{id: l.ID, since: now.Sub(t.start)})
	}
}

// count credits the drops that are not credited yet.
func (k *listener) count(drops uint64) {
	d := drops - min(drops, k.drops)
	k.drops += d
	k.flow.ListenDrops += d
	k.flow.touched = k.flow.touched || d > 0
}

// move makes f the listener's flow. Drops that were credited stay where they are.
func (k *listener) move(f *flow) {
	if k.flow == f {
		return
	}
	f.users++
	f.Listens, f.touched = true, true
	if k.flow != nil {
		k.flow.users--
		k.flow.touched = true
	}
	k.flow = f
}

func (t *Table) dropListener(id conn.ID, k *listener) {
	if k.flow != nil {
		k.flow.users--
		k.flow.touched = true
	}
	delete(t.listeners, id)
}

// reconcileListeners drops listeners with a last report that was lost.
func (t *Table) reconcileListeners() {
	for id, k := range t.listeners {
		if k.over || k.round == t.round {
			continue
		}
		if k.missed++; k.missed >= dropAfter {
			t.dropListener(id, k)
		}
	}
}
