package pipeline

import (
	"errors"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/nat"
)

// An inquiry is what is asked about one connection, namespace after namespace outward.
type inquiry struct {
	waiting
	other     *conn.End // of a pair; else not on this machine, or not known
	paired    bool
	theirs    bool     // the other end's packets are followed: of two ends the server's, and only on its doorstep
	namespace uint32   // that is asked next
	passed    []uint32 // those that were asked
	steps     []nat.Step
	contested bool
}

// maxSpare bounds the inquiries that are kept to be used again.
const maxSpare = 4096

// inquiry returns one about a connection that waits, about which nothing is known.
func (r *routes) inquiry(w *waiting) *inquiry {
	n := len(r.spare)
	if n == 0 {
		return &inquiry{waiting: *w, namespace: w.end.Namespace.Inode}
	}
	q := r.spare[n-1]
	r.spare = r.spare[:n-1]
	*q = inquiry{waiting: *w, other: q.other, namespace: w.end.Namespace.Inode, passed: q.passed[:0], steps: q.steps[:0]}
	return q
}

// asks returns the end whose packets are followed.
func (q *inquiry) asks() *conn.End {
	if q.theirs {
		return q.other
	}
	return &q.end
}

// pair makes the inquiry one about two ends.
func (q *inquiry) pair(other, server conn.End) {
	if q.other == nil {
		q.other = new(conn.End)
	}
	*q.other = other
	q.paired, q.theirs, q.namespace = true, server.ID != q.end.ID, server.Namespace.Inode
}

// ask asks about all that wait. What both sockets tell needs no asking.
func (r *routes) ask(now time.Time) {
	clear(r.begun)
	r.pending = r.pending[:0]
	early := r.later
	r.later = nil
	for i := range early {
		if w := &early[i]; r.renew(w) {
			r.inquire(w)
		}
	}
	r.askQueue()
	for len(r.pending) > 0 {
		r.pending = r.round(r.pending, now)
	}
}

// askQueue begins with what was reported, in that order: claim relies on it.
func (r *routes) askQueue() {
	attempts := r.attempts
	for _, n := range r.queue {
		w := waiting{sequence: n.sequence, ended: r.before}
		if n.sequence == (conn.Sequence{}) {
			w.end, attempts = attempts[0], attempts[1:]
			r.inquire(&w)
		} else if end, known := r.pairs.Unrouted(n.sequence, n.id); known {
			w.end = end
			r.inquire(&w)
		}
	}
	r.queue, r.attempts = r.queue[:0], r.attempts[:0]
}

// renew brings an end that waits up to date, and tells whether its route is still not known.
func (r *routes) renew(w *waiting) bool {
	if w.sequence == (conn.Sequence{}) {
		return r.alone[w.end.ID] == nil
	}
	end, unrouted := r.pairs.Unrouted(w.sequence, w.end.ID)
	if unrouted {
		w.end = end
	}
	return unrouted
}

// postpone has a connection asked about again, if it has not been too often.
func (r *routes) postpone(q *inquiry) {
	if q.tries == maxTries {
		q.steps = append(q.steps, nat.Step{Knowledge: nat.Unknown})
		return
	}
	q.tries++
	r.later = append(r.later, q.waiting)
	if at := (place{q.asks().Namespace.Inode, q.asks().Tuple}); r.asked[at] == q {
		delete(r.asked, at)
	}
}

// inquire begins an inquiry, unless the route is known without. Of most connections it is: nothing is allocated for those.
func (r *routes) inquire(w *waiting) {
	other, found := r.pairs.Other(w.sequence)
	if !found {
		r.begin(r.inquiry(w))
		return
	}
	server, known := nat.Server(w.end, other)
	if nat.Mirrored(w.end, other) || !known {
		r.keepBoth(w, other, nat.Between(w.end, other, nat.Step{}))
		return
	}
	both := r.inquiry(w)
	both.pair(other, server)
	r.begin(both)
}

// begin claims the answers to an inquiry, unless there is one already that is about both ends.
func (r *routes) begin(q *inquiry) {
	if r.begun[q.asks().ID] {
		return
	}
	r.begun[q.asks().ID] = true
	if r.claim(q) {
		r.pending = append(r.pending, q)
	}
}

// claim makes the answer the inquiry's own, or tells that it is another one's. Of two connections that have one tuple one after the other
// it is the later one's: that which is open, or else that whose end was reported later.
func (r *routes) claim(q *inquiry) bool {
	asks := q.asks()
	at := place{asks.Namespace.Inode, asks.Tuple}
	before := r.asked[at]
	if before != nil && before.asks().ID != asks.ID {
		loser := before
		if before.asks().Phase == conn.Open && asks.Phase != conn.Open {
			loser = q
		}
		loser.contested = true
		r.conclude(loser)
		if loser == q {
			return false
		}
	}
	r.asked[at] = q
	return true
}

// round asks one namespace for each inquiry, and returns those that go on in the next one outward.
func (r *routes) round(all []*inquiry, now time.Time) (on []*inquiry) {
	if r.tables.Ask == nil {
		return nil
	}
	r.questions = slices.Grow(r.questions[:0], len(all))[:len(all)]
	questions := r.questions
	for i, q := range all {
		questions[i] = conntrack.Lookup{
			Namespace: q.namespace, Process: q.asks().Process, Open: q.asks().Phase == conn.Open, Tuple: nat.Packet(*q.asks(), q.steps),
		}
		if len(q.passed) == 0 {
			questions[i].Cookie = q.asks().Namespace.Cookie // of those further out only the inode is known
		}
	}
	on = all[:0]
	for i, a := range r.tables.Ask(now, questions) {
		q := all[i]
		s, early := r.step(q, questions[i], a, now)
		if early {
			r.postpone(q)
			continue
		}
		if q.steps = append(q.steps, s); r.advance(q, now) {
			on = append(on, q)
		}
	}
	return on
}

// step turns an answer into what it means for the connection; early: it is too early to know.
func (r *routes) step(q *inquiry, asked conntrack.Lookup, a conntrack.Answer, now time.Time) (s nat.Step, early bool) {
	out := asked.Tuple
	switch {
	case a.Result == conntrack.NoEntry:
		s.Knowledge = nat.Without(*q.asks(), r.clock().Sub(q.ended).Seconds(), a.Tracks)
	case a.Result == conntrack.Found && fits(q.asks().Phase, a.State):
		s, out = nat.Step{Knowledge: nat.Tracked, Out: a.Tuple, Reply: a.Reply}, a.Tuple
	default:
		return s, a.Result == conntrack.TooEarly
	}
	local, err := r.tables.Local(now, q.namespace, out.Destination.Addr())
	if err != nil {
		return nat.Step{}, errors.Is(err, conntrack.ErrTooEarly)
	}
	s.Local = local
	return s, false
}

// fits tells whether an entry's state can be that of the connection. An entry that is open is not that of a connection that has ended.
func fits(p conn.Phase, s conntrack.State) bool {
	switch p {
	case conn.Closed:
		return s.Closing()
	case conn.Failed:
		return s.Opening() || s.Closing()
	}
	return true
}

// advance moves an inquiry one namespace outward, and tells whether there is one.
func (r *routes) advance(q *inquiry, now time.Time) bool {
	last := q.steps[len(q.steps)-1]
	if q.paired || last.Knowledge == nat.Unknown || last.Local || len(q.steps) == nat.MaxSteps {
		return false
	}
	outer, err := r.tables.Outer(now, q.namespace, nat.Packet(*q.asks(), q.steps).Destination.Addr())
	if errors.Is(err, conntrack.ErrTooEarly) {
		r.postpone(q)
		return false
	}
	if err != nil {
		q.steps = append(q.steps, nat.Step{Knowledge: nat.Unknown})
		return false
	}
	q.namespace, q.passed = outer, append(q.passed, q.namespace)
	return outer != 0 && !slices.Contains(q.passed, outer) // two default routes may lead to each other
}
