package pipeline

import (
	"cmp"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/netconn/netconn/internal/conn"
)

// A choice lets in as many events as a rate allows. Among the events that are read at one time it takes the urgent ones
// first, then the slow ones. A part of the burst is kept for urgent events, so that the ends of one moment do not take
// the place of a failure that is read in the next. On average there are no more events than the rate.
type choice struct {
	rate   *rate.Limiter
	burst  int
	events []*Event // of one reading
	others uint64   // that are not let in
	full   bool     // the first burst of the events are the best of those that were read
	read   time.Time
}

// newChoice returns a choice that lets events in at a rate.
func newChoice(perSecond int) choice {
	burst := perSecond + reserve(perSecond)
	return choice{rate: rate.NewLimiter(rate.Limit(perSecond), burst), burst: burst}
}

// reserve is the part of the burst that only urgent events may use.
func reserve(perSecond int) int { return perSecond / 4 }

// add takes an event, and returns it if it may be let in. What cannot be let in any more is not kept: there may be a
// hundred thousand ends in one reading.
func (c *choice) add(report *conn.Conn, why Trigger, read time.Time) *Event {
	c.read = read
	if c.full && compare(c.events[c.burst-1].weigh(), weigh(report, why)) <= 0 {
		c.others++
		return nil
	}
	e := &Event{Conn: *report, Trigger: why, Read: read}
	c.events = append(c.events, e)
	if len(c.events) == 2*c.burst {
		c.sort()
		c.full = true
		c.cut(c.burst)
	}
	return e
}

// take returns the events of the reading that are let in, for which there is room, and the number of the others.
func (c *choice) take(room int) (chosen []*Event, others uint64) {
	if len(c.events) > min(room, c.free(false)) {
		c.sort()
	}
	n := 0
	for n < min(room, len(c.events)) && c.free(c.events[n].weigh().rank == urgent) > 0 && c.rate.AllowN(c.read, 1) {
		n++
	}
	c.cut(n)
	chosen, others = c.events, c.others
	c.events, c.others, c.full = nil, 0, false
	return chosen, others
}

// free returns how many events may be let in now.
func (c *choice) free(urgent bool) int {
	tokens := int(c.rate.TokensAt(c.read))
	if urgent {
		return tokens
	}
	return tokens - reserve(int(c.rate.Limit()))
}

// cut keeps the first n events, and counts the others.
func (c *choice) cut(n int) {
	c.others += uint64(len(c.events) - n)
	clear(c.events[n:])
	c.events = c.events[:n]
}

// sort puts what matters most first, and equals in the order of their reading.
func (c *choice) sort() {
	slices.SortStableFunc(c.events, func(a, b *Event) int {
		return compare(a.weigh(), b.weigh())
	})
}

// A weight is how much an event matters.
type weight struct {
	rank int
	rtt  time.Duration
}

const (
	routine  = iota // nothing happened to a live connection
	ordinary        // it ended
	urgent          // something went wrong
)

// compare returns a negative number if a matters more than b.
func compare(a, b weight) int {
	return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(b.rtt, a.rtt))
}

// weigh returns the weight of an event. What goes wrong is a failed attempt, an end by an error, segments that were
// sent again, and a live connection that has become worse.
func weigh(c *conn.Conn, why Trigger) weight {
	w := weight{ordinary, c.RTT}
	switch {
	case why == Periodic:
		w.rank = routine
	case why != NoTrigger, c.Phase == conn.Failed, c.Error != conn.NoError, c.Counts[conn.Retransmits] > 0:
		w.rank = urgent
	}
	return w
}

func (e *Event) weigh() weight { return weigh(&e.Conn, e.Trigger) }
