package flow

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

const (
	// passEvery is how long the table goes without a full pass when nothing is known to be lost.
	passEvery = 5 * time.Minute
	// lostAfter is how many full passes in a row miss a connection before it is closed as lost. A pass that is
	// interrupted may skip it, and so may the next: that was seen once in a hundred thousand under a full ring.
	lostAfter = 3
	// dropAfter is how many full passes miss a lost connection before it is dropped too. Until then a report
	// proves that it is still open: it adds its increments, and is not taken for a new connection.
	dropAfter = 5
)

// Lose takes the kernel side's sums of what it could not report, which only grow. Their growth is counted in
// the overflow flow of the host: bytes, retransmits, attempts (the failed ones, for an unknown reason, as
// conn.Lost), and ends as conn.Lost.
func (t *Table) Lose(l conn.Losses, _ time.Time) {
	d := l.Since(t.losses)
	if d == (conn.Losses{}) {
		return
	}
	t.losses = l
	open := d
	if open[conn.LostFailures] = 0; open != (conn.Losses{}) { // a failed attempt was never reported as open
		t.passes = lostAfter
	}
	d[conn.LostKnown] = 0 // the passes find these, each in its own flow
	if d != (conn.Losses{}) {
		r, _ := t.resource(conn.Owner{})
		t.overflow(r).lose(d)
	}
}

func (f *flow) lose(d conn.Losses) {
	f.Connections, f.touched = true, true
	f.count(conn.Counts{
		conn.Sent: d[conn.LostSent], conn.Received: d[conn.LostReceived], conn.Retransmits: d[conn.LostRetransmits],
	})
	f.Outcomes[Attempts][conn.NoError] += d[conn.LostOpenings]
	f.Outcomes[Attempts][conn.Lost] += d[conn.LostFailures]
	f.Outcomes[Ends][conn.Lost] += d[conn.LostCloses]
}

// NeedsPass reports whether the next snapshot should report every connection: after a loss until three passes have
// followed it, while a connection was absent from the last pass only, and otherwise every five minutes.
func (t *Table) NeedsPass() bool {
	return t.passes > 0 || t.collected.Sub(t.passed) >= passEvery
}

// Reconcile follows a full pass, after all its reports are applied and before the next Collect. A connection
// that was not reported since the last Collect was absent from the pass. After three passes in a row it is
// closed as lost, once.
func (t *Table) Reconcile(now time.Time) {
	t.passed = now
	t.passes = max(0, t.passes-1)
	for id, k := range t.connections {
		if k.over || k.round == t.round {
			continue
		}
		switch k.missed++; {
		case k.lost:
			if k.missed >= dropAfter && k.visit < 0 {
				t.drop(id, k)
			}
		case k.missed >= lostAfter:
			t.lose(k)
		default:
			t.passes = max(t.passes, lostAfter-int(k.missed))
		}
	}
	t.reconcileListeners()
}

// lose closes a connection as lost. If it is not credited yet, the end is counted when it is.
func (t *Table) lose(k *connection) {
	k.lost = true
	t.open--
	t.lost++
	if k.active {
		k.end(k.flow, conn.Lost)
	}
}
