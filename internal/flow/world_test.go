package flow

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// world is a machine with connections that are reported to a table, and the result that the table should have.
// It is a plain model: it knows nothing of flows, limits and expiry, which must not change any sum.
type world struct {
	t      *testing.T
	next   func(n int) int // a choice in [0, n)
	now    time.Time
	table  *Table
	config Config

	sockets  []*socket
	losses   conn.Losses
	drops    [4]uint64 // of the listeners
	reported [4]uint64
	round    int // of collections
	late     uint64
	deferred uint64 // reports of live connections beyond the limit
	beyond   uint64 // ends of such

	shown       map[identity]Flow // of the last collection
	differences *Differences
	moved       sums // by all differences so far

	last    time.Time // the last collection
	retired sums      // of flows that are not shown any more
}

// socket is a connection as it is, and as far as it was reported.
type socket struct {
	c           conn.Conn // the truth
	reported    conn.Conn // the last report
	known       bool      // there was a report
	kept        bool      // by the table
	first       time.Time // report since it is kept
	settles     time.Time // when its peer can be identified
	ended       time.Time // beyond the limit
	done        bool      // it has ended
	reportedEnd bool      // and that was reported
	round       int       // of the last report
	missed      int       // passes in a row without a report
	skipped     int       // passes in a row that skipped it
	lost        bool      // three passes did
	credited    bool
	creditedC   conn.Counts
}

func newWorld(t *testing.T, next func(n int) int) *world {
	w := &world{t: t, next: next, now: at(0), shown: map[identity]Flow{}, last: at(0)}
	w.config = Config{
		LimitPerResource: 1 + next(5),
		MaxResources:     1 + next(4),
		MaxConnections:   []int{1, 3, 10, 1000}[next(4)],
		ExpireAfter:      []time.Duration{100 * time.Millisecond, 3 * time.Second, time.Minute, time.Hour}[next(4)],
	}
	w.table, w.differences = newTable(w.config, w.now), NewDifferences(w.now)
	return w
}

var owners = []conn.Owner{{}, shop, bank, sshd, {Unit: "cron.service"}, {ContainerID: "c9"}}

// step does one thing that can happen on a machine.
func (w *world) step() {
	w.now = w.now.Add(time.Duration(w.next(200)) * time.Millisecond)
	switch w.next(15) {
	case 0, 1:
		w.open(true)
	case 2:
		w.open(false)
	case 3, 4:
		w.grow(w.pick())
	case 5:
		w.grow(w.pick())
		w.report(w.pick())
	case 6:
		w.end(w.pick(), true)
	case 7:
		w.end(w.pick(), false)
	case 8:
		w.fail()
	case 9:
		w.stale()
	case 10:
		w.correct(w.pick())
	case 11:
		w.listen()
	case 12:
		w.table.Gone(owners[w.next(len(owners))])
	case 13:
		w.now = w.now.Add([]time.Duration{0, time.Second, 10 * time.Second, 10 * time.Minute}[w.next(4)])
		w.scrape()
	case 14:
		w.table.Settle(w.now, w.identify)
	}
}

func (w *world) open(report bool) {
	c := dial(uint64(len(w.sockets)+1), uint16(80+w.next(4)))
	c.Owner = owners[w.next(len(owners))]
	c.SeenOpening = w.next(3) > 0
	if w.next(2) == 0 {
		c.Role = conn.RoleUnknown
	}
	c.Handshake = time.Duration(w.next(2)) * time.Millisecond
	s := &socket{c: c, settles: w.now.Add(time.Duration(w.next(40)) * 100 * time.Millisecond)}
	w.sockets = append(w.sockets, s)
	w.grow(s)
	if report {
		w.report(s)
	}
}

// pick returns one of the last sockets, or nil if there is none.
func (w *world) pick() *socket {
	if len(w.sockets) == 0 {
		return nil
	}
	n := min(len(w.sockets), 12)
	return w.sockets[len(w.sockets)-1-w.next(n)]
}

func (w *world) grow(s *socket) {
	if s == nil || s.done {
		return
	}
	for c := range s.c.Counts {
		most := []int{1000, 1 << 20, 3}[c%3]
		if conn.Counter(c) >= conn.Timeouts { // has 16 bits
			most = 5
		}
		s.c.Counts[c] += uint64(w.next(most))
	}
}

// report gives the table the present state of a socket.
func (w *world) report(s *socket) {
	if s == nil || s.reportedEnd || s.done && s.c.Phase == conn.Open {
		return
	}
	s.known = true
	s.reported, s.round, s.missed = s.c, w.round, 0
	s.reportedEnd = s.c.Phase != conn.Open
	w.table.Apply(s.c, w.now)
	if !s.kept {
		w.admit(s)
	}
}

// admit is the report of a connection that the table has not kept so far.
func (w *world) admit(s *socket) {
	_, s.kept = w.table.connections[s.c.ID]
	switch {
	case s.kept:
		s.first = w.now
		return
	case !w.full(&s.reported) && (s.reportedEnd || !w.sealed()):
		w.t.Fatalf("there was room for %+v", *s)
	case s.reportedEnd:
		s.kept, s.credited, s.creditedC = true, true, s.reported.Counts
		if w.beyond++; s.reported.Phase == conn.Closed { // no live report follows that of an attempt
			s.ended = w.now
		}
	default:
		w.deferred++
	}
}

// full reports whether there is no room for a connection: the last eighth is not for failed attempts.
func (w *world) full(c *conn.Conn) bool {
	room := w.config.MaxConnections
	if c.Phase == conn.Failed {
		room -= room / 8
	}
	return len(w.table.connections) >= room
}

// sealed reports whether a connection ended beyond the limit so shortly ago that a report of its life may follow.
func (w *world) sealed() bool {
	return slices.ContainsFunc(w.sockets, func(s *socket) bool { return w.follows(s) })
}

func (w *world) follows(s *socket) bool { return !s.ended.IsZero() && w.last.Sub(s.ended) < 5*patience }

// end closes a socket. The report may be lost, and then the kernel side says so.
func (w *world) end(s *socket, report bool) {
	if s == nil || s.done {
		return
	}
	s.done = true
	if report {
		s.c.Phase, s.c.Error = conn.Closed, []conn.Error{conn.NoError, conn.Reset}[w.next(2)]
		if s.known && w.next(8) == 0 {
			s.c.Counts[conn.Sent] = max(1, s.reported.Counts[conn.Sent]) - 1 // the FIN was counted
		}
		w.report(s)
		return
	}
	w.losses[conn.LostSent] += s.c.Counts[conn.Sent] - s.reported.Counts[conn.Sent]
	w.losses[conn.LostReceived] += s.c.Counts[conn.Received] - s.reported.Counts[conn.Received]
	w.losses[conn.LostRetransmits] += uint64(s.c.Counts[conn.Retransmits] - s.reported.Counts[conn.Retransmits])
	switch {
	case s.known:
		w.losses[conn.LostKnown]++
	case s.c.SeenOpening:
		w.losses[conn.LostOpenings]++
		fallthrough
	default:
		w.losses[conn.LostCloses]++
	}
}

func (w *world) fail() {
	w.open(false)
	s := w.sockets[len(w.sockets)-1]
	s.done = true
	if w.next(4) == 0 && s.c.SeenOpening {
		s.c.Counts = conn.Counts{}
		w.losses[conn.LostFailures]++
		return
	}
	s.c.Counts, s.c.Handshake = conn.Counts{}, 0
	s.c.Phase, s.c.Error = conn.Failed, conn.Refused
	w.report(s)
}

// stale repeats the last report of a socket as it was while it lived, even after its end.
func (w *world) stale() {
	s := w.pick()
	if s == nil || !s.known {
		return
	}
	c := s.reported
	c.Phase, c.Error = conn.Open, conn.NoError
	c.Counts[conn.Sent] /= 2
	_, remembered := w.table.connections[c.ID]
	switch {
	case w.follows(s):
		w.deferred++
	case !s.kept:
		return // it would be the first report, and is not the last
	case !remembered && !s.reportedEnd && !s.lost:
		w.t.Fatalf("a live connection was forgotten: %+v", *s)
	case !remembered:
		return // no report is this late
	case s.reportedEnd:
		w.late++
	default:
		s.round, s.missed = w.round, 0
	}
	w.table.Apply(c, w.now)
}

// correct makes the kernel side name another owner from now on.
func (w *world) correct(s *socket) {
	if s != nil && !s.done {
		s.c.Owner = owners[w.next(len(owners))]
		w.report(s)
	}
}

func (w *world) listen() {
	i := w.next(len(w.drops))
	w.drops[i] += uint64(w.next(5))
	w.reported[i] = w.drops[i]
	w.table.Listener(listening(uint64(1e6+i), uint16(80+i), owners[1+i%2], w.drops[i]), w.now)
}

// identify returns the peer as soon as it can be identified.
func (w *world) identify(c conn.Conn) (Key, bool) {
	s := w.sockets[c.ID.Cookie-1]
	k := Key{Owner: c.Owner, Role: c.Role, ServerPort: c.ServerPort(), Peer: conn.Peer{names.PeerName: "?"}}
	if w.now.Before(s.settles) {
		return k, false
	}
	k.Peer[names.PeerName] = fmt.Sprint(c.ID.Cookie % 3)
	return k, true
}

// scrape is one collection with a snapshot of some live sockets before it, or of all that a full pass finds.
func (w *world) scrape() {
	all := w.table.NeedsPass()
	for _, s := range w.sockets {
		if s.done {
			continue
		}
		if all {
			s.skip(w.next(10) == 0)
		}
		if all && s.skipped == 0 || !all && w.next(2) == 0 && s.reported.Counts != s.c.Counts {
			w.report(s)
		}
	}
	if all {
		for i, d := range w.reported {
			w.table.Listener(listening(uint64(1e6+i), uint16(80+i), owners[1+i%2], d), w.now)
		}
	}
	w.table.Lose(w.losses, w.now)
	if all {
		w.table.Reconcile(w.now)
		w.miss()
	}
	rs := w.table.Collect(w.now, w.identify)
	w.check(rs)
	w.checkDifferences(w.differences.Of(rs, w.now))
	w.round++
	w.last = w.now
}

// skip has a pass skip the socket, unless as many have that it would be lost.
func (s *socket) skip(may bool) {
	if s.skipped++; !may || s.skipped >= lostAfter || s.missed >= lostAfter-1 {
		s.skipped = 0
	}
}

// miss is what Reconcile should find.
func (w *world) miss() {
	for _, s := range w.sockets {
		if s.kept && !s.reportedEnd && s.round != w.round {
			s.missed++
			s.lost = s.lost || s.missed >= lostAfter
		}
	}
}
