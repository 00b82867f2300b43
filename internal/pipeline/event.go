package pipeline

import (
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// An Event is the end of a connection, or a report of a live one, for a log record.
type Event struct {
	Identity
	Conn    conn.Conn
	Trigger Trigger
	Read    time.Time // when it was read: up to DrainInterval after Conn.Reported
	other   *conn.End // the other end, of a pair that was counted at once; nil: the tables know what there is to know
}

// EventOptions say what is an event, and how many there may be.
type EventOptions struct {
	Closed, Failed bool          // the ends of connections that were established, and of attempts
	Open           bool          // live connections, each OpenInterval and when something has become worse
	OpenInterval   time.Duration // less than that after its opening, a live connection is not reported
	MaxConnections int           // that are compared with what they were
	MaxPerSecond   int           // of the connections that end in a second
	Interval       time.Duration // at which they are taken
}

// events holds the ends of connections until a logs receiver takes them. No more are let in than the rate allows, and
// no more are held than that rate brings between two collections.
type events struct {
	config    EventOptions
	wanted    bool // there is a logs receiver
	live      live
	choice    choice
	room      int
	unsettled []Event // whose other end may still be found
	settled   []Event
	stats     EventStats
}

// EventStats counts events that were dropped since the start. What is switched off is no event.
type EventStats struct {
	Limited uint64 // dropped by max_per_second
	Full    uint64 // dropped because there was no room: the events before were not taken
}

func newEvents(o EventOptions) *events {
	held := o.Interval + Patience
	return &events{
		config: o,
		live:   newLive(o),
		choice: newChoice(o.MaxPerSecond),
		room:   o.MaxPerSecond * (2 + int(held/time.Second)), // the burst, and parts of a second
	}
}

// add takes a report of a connection. It is an event if it is the last one or if it is to be reported while it is
// live, and if it is chosen among those that are read at the same time: then it is returned, as long as it may be.
func (e *events) add(c conn.Conn, now time.Time) *Event {
	if !e.wanted {
		return nil
	}
	trigger := e.live.see(&c)
	if trigger == NoTrigger && !e.enabled(c.Phase) {
		return nil
	}
	if !now.Equal(e.choice.read) {
		e.admit()
	}
	return e.choice.add(&c, trigger, now)
}

// admit ends the choice among the events of one reading, and takes in what is chosen.
func (e *events) admit() {
	room := max(0, e.room-len(e.unsettled)-len(e.settled))
	chosen, others := e.choice.take(room)
	for _, v := range chosen {
		e.unsettled = append(e.unsettled, *v)
	}
	if len(chosen) == room {
		e.stats.Full += others
	} else {
		e.stats.Limited += others
	}
}

// want begins to take events, or ends it and forgets the events that no receiver will take.
func (e *events) want(wanted bool) {
	if e.wanted = wanted; !wanted {
		e.unsettled, e.settled = nil, nil
		e.choice.events, e.choice.full = nil, false
		e.live = newLive(e.config)
	}
}

// wants reports whether the end of a connection in a phase is an event that a receiver takes.
func (e *events) wants(p conn.Phase) bool { return e.wanted && e.enabled(p) }

func (e *events) enabled(p conn.Phase) bool {
	switch p {
	case conn.Closed:
		return e.config.Closed
	case conn.Failed:
		return e.config.Failed
	}
	return false
}

// settle asks for the other ends of the connections: what meet has a final answer for can be told, and what has waited
// long enough.
func (e *events) settle(now time.Time, meet func(*Event) Identity) {
	e.admit()
	waiting := e.unsettled[:0]
	for i := range e.unsettled {
		v := &e.unsettled[i]
		other := meet(v)
		if !other.settled && now.Sub(v.Read) < Patience {
			waiting = append(waiting, *v)
			continue
		}
		v.Identity, v.Conn.Role, v.Conn.Owner, v.other = other, other.Role, other.Owner, nil
		e.settled = append(e.settled, *v)
	}
	clear(e.unsettled[len(waiting):])
	e.unsettled = waiting
}

// resolveEvent returns what is known of the connection of an event.
func (p *Pipeline) resolveEvent(e *Event, now time.Time) Identity {
	if e.other == nil {
		return p.resolve(e.Conn, now)
	}
	views, _ := p.ends.Shown(e.Conn.End(), *e.other)
	return p.resolveView(e.Conn, views[0], now)
}

// putBack makes events that could not be emitted the first of the next ones. They take the room of later events.
func (e *events) putBack(refused []Event) {
	if !e.wanted {
		return
	}
	if room := max(0, e.room-len(e.unsettled)-len(e.settled)); len(refused) > room {
		e.stats.Full += uint64(len(refused) - room)
		refused = refused[:room]
	}
	e.settled = slices.Concat(refused, e.settled)
}

// take returns what can be told, in the order in which it settled.
func (e *events) take() []Event {
	taken := e.settled
	e.settled = nil
	return taken
}
