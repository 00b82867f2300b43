package netconnreceiver

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/netconn/netconn/internal/conn"
)

// eventPatience is how long the event of a connection waits for the report of its other end, as flows do.
const eventPatience = 2 * time.Second

// An event is the end of a connection, to be told in a log record.
type event struct {
	conn  conn.Conn
	read  time.Time // when its end was read
	other acquaintance
}

// events holds the ends of connections until a logs receiver takes them. No more are let in than the rate allows, and no
// more are held than that rate brings between two collections.
type events struct {
	config    EventsConfig
	wanted    bool // there is a logs receiver
	rate      *rate.Limiter
	room      int
	unsettled []event // whose other end may still be found
	settled   []event
	stats     eventStats
}

// eventStats counts events since the start. What is switched off is no event.
type eventStats struct {
	Emitted uint64
	Limited uint64 // dropped by max_per_second
	Full    uint64 // dropped because there was no room: nobody took what was there
}

func newEvents(c *Config) *events {
	perSecond := c.Events.MaxPerSecond
	held := c.CollectionInterval + eventPatience
	return &events{
		config: c.Events,
		rate:   rate.NewLimiter(rate.Limit(perSecond), perSecond),
		room:   perSecond * (2 + int(held/time.Second)), // the burst, and parts of a second
	}
}

// add takes a report of a connection. It is an event if it is the last one.
func (e *events) add(c conn.Conn, now time.Time) {
	if !e.wanted || !e.enabled(c.Phase) {
		return
	}
	switch {
	case len(e.unsettled)+len(e.settled) >= e.room:
		e.stats.Full++
	case !e.rate.AllowN(now, 1):
		e.stats.Limited++
	default:
		e.unsettled = append(e.unsettled, event{conn: c, read: now})
	}
}

// want begins to take events, or ends it and forgets those that nobody will take.
func (e *events) want(wanted bool) {
	if e.wanted = wanted; !wanted {
		e.unsettled, e.settled = nil, nil
	}
}

func (e *events) enabled(p conn.Phase) bool {
	switch p {
	case conn.Closed:
		return e.config.Enabled && e.config.NetconnConnectionClosed.Enabled
	case conn.Failed:
		return e.config.Enabled && e.config.NetconnConnectionFailed.Enabled
	}
	return false
}

// settle asks for the other ends of the connections: what meet has a final answer for can be told, and what has waited
// long enough.
func (e *events) settle(now time.Time, meet func(conn.Conn) acquaintance) {
	waiting := e.unsettled[:0]
	for _, v := range e.unsettled {
		other := meet(v.conn)
		if !other.settled && now.Sub(v.read) < eventPatience {
			waiting = append(waiting, v)
			continue
		}
		v.other = other
		e.settled = append(e.settled, v)
	}
	clear(e.unsettled[len(waiting):])
	e.unsettled = waiting
}

// take returns what can be told, in the order in which it settled.
func (e *events) take() []event {
	taken := e.settled
	e.settled = nil
	return taken
}
