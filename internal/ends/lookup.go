package ends

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/nat"
)

// Lookup is how connection tracking is asked. The zero value: it cannot be.
type Lookup struct {
	// Ask answers questions, in their order. What it returns is valid until the next call.
	Ask func(now time.Time, questions []Question) []Answer
	// Local reports whether an address belongs to a namespace.
	Local func(now time.Time, netns uint32, a netip.Addr) (bool, error)
	// Outer returns the namespace that a packet enters next; 0: there is none. Certain: it cannot enter another one.
	Outer func(now time.Time, netns uint32, packet conn.Tuple) (outer uint32, certain bool, err error)
}

// ErrEarly is what Local and Outer return if a namespace is not known yet.
var ErrEarly = errors.New("it is too early to look for a network namespace")

// Question asks what connection tracking of a namespace makes of a packet.
type Question struct {
	Namespace conn.Namespace
	Process   uint32     // that opened the connection; it may be in the namespace
	Phase     conn.Phase // of the connection
	Tuple     conn.Tuple // of the packet as it enters the namespace
}

// Result says what an Answer is worth.
type Result uint8

const (
	Unknown Result = iota // there is none, or it is about another connection
	Found
	NoEntry
	Early     // ask again
	Displaced // the entry is in a state that the connection cannot have: a later one has taken its tuple
)

// Answer is what connection tracking makes of a packet.
type Answer struct {
	Result Result
	Tuple  conn.Tuple // of the packet as it leaves the namespace
	Reply  bool       // the packet belongs to the answering direction
	// Translates is of NoEntry. False: the namespace cannot have translated the packet.
	Translates bool
}

// party is a record, and the connection that it was of when a lookup began.
type party struct {
	*record
	of conn.ID
}

func partyOf(r *record) party { return party{r, r.id()} }

// live reports whether the record is still that of the connection.
func (p party) live() bool { return p.record != nil && p.state != free && p.id() == p.of }

// lookup is about the route of one end, or of two.
type lookup struct {
	subject party
	other   party  // of a pair
	asks    party  // one of them, whose packets are followed: of a pair the server's, and only on its doorstep
	at      packet // of asks
	open    bool   // asks was, when the lookup began

	retries int

	netns    uint32   // that is asked next
	passed   []uint32 // those that were asked
	steps    []nat.Step
	others   []*lookup // with the same packets: these take over the answer
	conflict bool
	retrying bool
}

// newLookup returns one.
func (x *Index) newLookup() *lookup {
	var q *lookup
	if n := len(x.spareLookups); n > 0 {
		q, x.spareLookups = x.spareLookups[n-1], x.spareLookups[:n-1]
	} else {
		q = new(lookup)
	}
	*q = lookup{passed: q.passed, steps: q.steps, others: q.others}
	return q
}

// begin makes a lookup about one end, or about both, with what was reported by now.
func (q *lookup) begin(subject, other, asks *record) {
	q.subject, q.other, q.asks = partyOf(subject), party{}, partyOf(asks)
	if other != nil {
		q.other = partyOf(other)
	}
	q.at, q.open, q.netns = asks.packet(), asks.phase == conn.Open, asks.netnsInode
	q.passed, q.steps, q.others, q.conflict, q.retrying = q.passed[:0], q.steps[:0], q.others[:0], false, false
}

// paired reports whether the lookup is about both ends.
func (q *lookup) paired() bool { return q.other.record != nil }

// alive reports whether an end is still kept that the lookup is about. It is the subject then.
func (q *lookup) alive() bool {
	if !q.subject.live() {
		q.subject, q.other = q.other, q.subject
	}
	return q.subject.live()
}

// twin reports whether another connection is between the same two sockets' addresses as that of a lookup. The same
// rules make the same route of both, so an answer is right for either.
func (q *lookup) twin(r *record) bool {
	if !q.paired() || !q.subject.live() || !q.other.live() || r.other == nil {
		return false
	}
	return q.asks.record.opposite().packet() == r.opposite().packet() && q.asks.packet() == r.packet()
}

// findConflict marks the lookup with an answer that may be about another connection with the same packets.
func (x *Index) findConflict(of packet, id conn.ID) {
	if q := x.asked[of]; q != nil && q.asks.of != id {
		q.conflict = true
	}
}

// recheck has a connection asked about again that was open when it was asked about and has ended: the answer may be
// about a later one.
func (x *Index) recheck(r *record) {
	if r.phase == conn.Open || len(x.asked) == 0 {
		return
	}
	if q := x.asked[r.packet()]; q != nil && q.asks.of == r.id() && q.open {
		q.retries = 0
		x.retry(q)
		return
	}
	x.findConflict(r.packet(), r.id())
}

// retry has the next Settle ask again, in the order of the reports.
func (x *Index) retry(q *lookup) {
	for _, other := range q.others {
		x.retry(other)
	}
	if x.asked[q.at] == q {
		delete(x.asked, q.at)
	}
	q.retrying = true
	if q.alive() {
		q.subject.state = retrying
	}
	x.retries = append(x.retries, q)
}

// ask asks about all that wait: what was retried first, then in the order of the reports, which start relies on.
func (x *Index) ask(now time.Time) {
	retries := x.retries
	x.retries = nil
	for _, q := range retries {
		if q.alive() && q.subject.route == nil {
			x.search(q.subject.record, q)
		}
	}
	waiting := x.queue[:0]
	for i, r := range x.queue {
		switch {
		case r.state != queued:
		case x.whole >= 0 && i >= x.whole && r.cut():
			waiting = append(waiting, r)
		default:
			x.search(r, nil)
		}
	}
	clear(x.queue[len(waiting):])
	if x.queue, x.whole = waiting, -1; len(waiting) == 0 {
		x.queue = reuse(x.queue)
	}
	for on := x.round; len(on) > 0 && x.config.Lookup.Ask != nil; {
		on = x.askRound(on, now)
	}
	x.round, x.questions = reuse(x.round), reuse(x.questions)
}

// reuse empties a slice. A large array is not kept: a snapshot may report a hundred thousand connections once.
func reuse[T any](s []T) []T {
	if cap(s) > maxSpare {
		return nil
	}
	clear(s)
	return s[:0]
}

// search finds the route of a record from the sockets of both ends, or starts a lookup: q, if it has had one.
func (x *Index) search(r *record, q *lookup) {
	asks := r
	if r.other != nil {
		end, other := r.socket(), r.other.socket()
		if nat.Shown(end, other) {
			x.settleBoth(r, &end, r.other, &other, nat.Between(end, other, nat.Step{}))
			return
		}
		if server, _ := nat.Server(end, other); server.ID != end.ID {
			asks = r.other
		}
	}
	if q == nil {
		q = x.newLookup()
	}
	q.begin(r, r.other, asks)
	if r.other != nil && r.other.state == queued {
		r.other.state = asked // together
	}
	x.start(q)
}

// start reserves the answer to a lookup, if there is none about both ends already. Of two connections that have one
// tuple one after the other, the answer is about the later one: the one that is open, or else the one that was reported
// later.
func (x *Index) start(q *lookup) {
	q.subject.state = asked
	x.begun = append(x.begun, q)
	switch before := x.asked[q.at]; {
	case before == nil:
	case before.asks.of == q.asks.of:
		if before.paired() || !q.paired() {
			return
		}
	case before.twin(q.asks.record):
		before.others = append(before.others, q)
		return
	case before.open && !q.open:
		q.conflict = true
		before.others = append(before.others, q)
		return
	default:
		before.conflict = true
		q.others = append(q.others, before)
	}
	x.asked[q.at] = q
	x.round = append(x.round, q)
}

// askRound asks one namespace for each lookup, and returns those that go on in the next one outward.
func (x *Index) askRound(all []*lookup, now time.Time) (on []*lookup) {
	all = slices.DeleteFunc(all, func(q *lookup) bool { return q.conflict })
	on = all[:0]
	for some := range slices.Chunk(all, maxAsked) {
		on = x.askSome(on, some, now)
	}
	return on
}

// askSome asks one namespace for each lookup of a part, and appends those that go on.
func (x *Index) askSome(on, some []*lookup, now time.Time) []*lookup {
	x.questions = x.questions[:0]
	for _, q := range some {
		x.questions = append(x.questions, q.question())
	}
	for i, a := range x.config.Lookup.Ask(now, x.questions) {
		q := some[i]
		s, early := x.step(q, x.questions[i].Tuple, a, now)
		if !early {
			q.steps = append(q.steps, s)
			var outward bool
			if outward, early = x.advance(q, now); outward {
				on = append(on, q)
			}
		}
		if early {
			x.postpone(q)
		}
	}
	return on
}

// question returns what is asked next. Of a namespace further out than the socket's only the inode is known.
func (q *lookup) question() Question {
	e := q.asks.socket()
	in := e.Namespace
	if len(q.passed) > 0 {
		in = conn.Namespace{Inode: q.netns}
	}
	return Question{Namespace: in, Process: e.Process, Phase: e.Phase, Tuple: nat.Packet(e, q.steps)}
}

// step turns an answer into what it means for the connection; early: that is not known yet. Where the packet goes next
// does not matter to the route of a pair.
func (x *Index) step(q *lookup, in conn.Tuple, a Answer, now time.Time) (s nat.Step, early bool) {
	out := in
	switch a.Result {
	case NoEntry:
		if s.Knowledge = nat.Without(q.asks.socket(), a.Translates); q.between(s.Knowledge) {
			return s, true
		}
	case Found:
		s, out = nat.Step{Knowledge: nat.Tracked, Out: a.Tuple, Reply: a.Reply}, a.Tuple
	case Displaced:
		return nat.Step{Out: a.Tuple, Reply: a.Reply}, false
	default:
		return s, a.Result == Early
	}
	if q.paired() {
		return s, false
	}
	local, err := x.config.Lookup.Local(now, q.netns, out.Destination.Addr())
	if err != nil {
		return nat.Step{}, errors.Is(err, ErrEarly)
	}
	s.Local = local
	return s, false
}

// between reports whether an entry is missing because the next connection takes the same tuple right now: the kernel
// deletes the entry of the one that has ended, and makes that of the next when its first packet has passed
// (nf_conntrack_proto_tcp.c). An entry that was missing once before is missing for another reason.
func (q *lookup) between(k nat.Knowledge) bool {
	return k == nat.Doubted && q.asks.phase == conn.Closed && q.retries == 0
}

// advance moves a lookup one namespace outward, and reports whether there is one; early: that is not known yet.
func (x *Index) advance(q *lookup, now time.Time) (outward, early bool) {
	last := q.steps[len(q.steps)-1]
	if q.paired() || last.Knowledge == nat.Unknown || last.Local || len(q.steps) == nat.MaxSteps {
		return false, false
	}
	outer, certain, err := x.config.Lookup.Outer(now, q.netns, nat.Packet(q.asks.socket(), q.steps))
	if err != nil {
		if !errors.Is(err, ErrEarly) {
			q.steps = append(q.steps, nat.Step{Knowledge: nat.Unknown})
		}
		return false, errors.Is(err, ErrEarly)
	}
	q.steps[len(q.steps)-1].Uncertain = !certain
	q.netns, q.passed = outer, append(q.passed, q.netns)
	return outer != 0 && !slices.Contains(q.passed, outer), false // two default routes may lead to each other
}

// postpone retries a lookup, or gives it up if that was done too often.
func (x *Index) postpone(q *lookup) {
	if q.retries == maxRetries {
		q.steps = append(q.steps, nat.Step{Knowledge: nat.Unknown})
		return
	}
	q.retries++
	x.retry(q)
}
