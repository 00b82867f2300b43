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

// add takes an event, and returns how many events that makes too many. What cannot be let in any more is not kept: there
// may be a hundred thousand ends in one reading.
func (c *choice) add(end *conn.Conn, read time.Time) (tooMany uint64) {
	c.read = read
	if c.full && compare(&c.events[c.burst-1].Conn, end) <= 0 {
		return 1
	}
	c.events = append(c.events, &Event{Conn: *end, Read: read})
	if len(c.events) < 2*c.burst {
		return 0
	}
	c.sort()
	c.full = true
	return c.cut(c.burst)
}

// take returns the events of the reading that are let in, and the number of the others.
func (c *choice) take() (chosen []*Event, limited uint64) {
	if len(c.events) > c.free(false) {
		c.sort()
	}
	n := 0
	for n < len(c.events) && c.free(urgent(&c.events[n].Conn)) > 0 && c.rate.AllowN(c.read, 1) {
		n++
	}
	limited = c.cut(n)
	chosen, c.events, c.full = c.events, nil, false
	return chosen, limited
}

// free returns how many events may be let in now.
func (c *choice) free(urgent bool) int {
	tokens := int(c.rate.TokensAt(c.read))
	if urgent {
		return tokens
	}
	return tokens - reserve(int(c.rate.Limit()))
}

// cut keeps the first n events, and returns the number of the others.
func (c *choice) cut(n int) (others uint64) {
	others = uint64(len(c.events) - n)
	clear(c.events[n:])
	c.events = c.events[:n]
	return others
}

// sort puts what matters most first, and equals in the order of their reading.
func (c *choice) sort() {
	slices.SortStableFunc(c.events, func(a, b *Event) int { return compare(&a.Conn, &b.Conn) })
}

// compare returns a negative number if a matters more than b.
func compare(a, b *conn.Conn) int {
	switch {
	case urgent(a) == urgent(b):
		return cmp.Compare(b.RTT, a.RTT)
	case urgent(a):
		return -1
	}
	return 1
}

// urgent reports whether something went wrong: the attempt failed, the connection ended in an error, or segments were
// sent again.
func urgent(c *conn.Conn) bool {
	return c.Phase == conn.Failed || c.Error != conn.NoError || c.Counts[conn.Retransmits] > 0
}
