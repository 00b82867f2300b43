package udp

import (
	"time"

	"github.com/netconn/netconn/internal/clock"
	"github.com/netconn/netconn/internal/conn"
)

// table holds what was reported of sockets, so that each exchange is a connection with an id of its own.
type table struct {
	sockets    map[uint64]*socket // by cookie
	exchanges  map[exchangeID]*exchange
	strays     map[exchangeID]uint8 // exchanges of unknown sockets, and how often they were seen
	generation uint32
}

func newTable() table {
	return table{sockets: make(map[uint64]*socket), exchanges: make(map[exchangeID]*exchange),
		strays: make(map[exchangeID]uint8)}
}

// reading is one reading of what the kernel has: the time that the caller gives it, for what is idle, and the clock of
// all times that it finds, so that they are in order.
type reading struct {
	now   time.Time
	clock clock.Clock
}

// socket takes the record of a socket: its first exchange and its rest.
func (t *table) socket(r *datagramsDatagramRecord, late bool, at reading, h Handler) {
	s := t.sockets[r.Cookie]
	if s == nil {
		s = &socket{}
		t.sockets[r.Cookie] = s
	}
	closed := r.Closed != 0
	if s.closed && !closed {
		return // the end has overtaken it
	}
	*s = socket{
		netns: conn.Namespace{Inode: r.Netns, Cookie: r.NetnsCookie}, process: process(&r.Process),
		bound: r.Flags&bound != 0, hooked: r.Flags&hooked != 0, late: late || r.Flags&older != 0, closed: closed,
	}
	id := exchangeID{cookie: r.Cookie, remote: endpoint(r.Remote, r.RemotePort), first: true}
	t.report(id, s, &r.First, closed, true, at, h)
	if rest := counts(&r.Rest); rest != (conn.Counts{}) {
		t.report(exchangeID{cookie: r.Cookie, first: true}, s, &datagramsDatagramExchange{
			Counts: r.Rest, OpenedNs: r.OpenedNs, Local: r.First.Local, LocalPort: r.First.LocalPort,
		}, closed, true, at, h)
	}
}

// further takes an exchange beyond a socket's first, and reports whether the kernel's table is to forget it. Its socket
// was reported before, unless it began during the snapshot, or its end was lost.
func (t *table) further(
	id exchangeID, x *datagramsDatagramExchange, all bool, at reading, h Handler,
) (forget bool) {
	s := t.sockets[id.cookie]
	if s == nil {
		t.strays[id]++
		return t.strays[id] > lostAfter
	}
	t.report(id, s, x, s.closed, all, at, h)
	return s.closed
}

// report hands over an exchange, if there is something new, or always if it must.
func (t *table) report(
	id exchangeID, s *socket, x *datagramsDatagramExchange, closed, must bool, at reading, h Handler,
) {
	e := t.exchanges[id]
	if e == nil {
		e = &exchange{opened: at.clock.At(x.OpenedNs), changed: at.now}
		t.exchanges[id] = e
	}
	grown := e.next(counts(&x.Counts), at.now)
	switch {
	case e.idle && !grown:
		if closed {
			delete(t.exchanges, id)
		}
		return
	case !grown && !must && !closed:
		return
	}
	if e.generation == 0 || e.idle {
		t.generation++
		e.generation, e.idle = t.generation, false
	}
	c := t.conn(id, e, s, x, at.now)
	if closed {
		c.Phase = conn.Closed
		delete(t.exchanges, id)
	} else {
		e.last = c
	}
	h(c)
}

// conn returns the report of an exchange. The rest of a socket has no peer.
func (t *table) conn(id exchangeID, e *exchange, s *socket, x *datagramsDatagramExchange, now time.Time) conn.Conn {
	c := conn.Conn{
		Socket: conn.Socket{
			ID:          conn.ID{Cookie: id.cookie, Generation: e.generation},
			Namespace:   s.netns,
			Tuple:       conn.Tuple{Source: endpoint(x.Local, x.LocalPort), Destination: id.remote},
			Protocol:    conn.UDP,
			Role:        role(x.Answered != 0, s.bound, s.late),
			Error:       reason(x.Error),
			Datagrams:   datagrams(x),
			ConnectHook: s.hooked,
		},
		Timing:  conn.Timing{Opened: e.opened, Age: max(now.Sub(e.opened), 0)},
		Counts:  e.total.Sub(e.base),
		Process: s.process,
	}
	if !id.remote.IsValid() {
		c.Role = conn.RoleUnknown
	}
	return c
}

// passed follows a full pass. A socket that was absent from three in a row has closed, and its end was lost.
func (t *table) passed() {
	for _, s := range t.sockets {
		if s.missed++; s.missed > lostAfter {
			s.closed = true
		}
	}
}

// expire closes the exchanges that were silent for long, and returns those that the kernel's table is to forget: of
// these, and of sockets that have closed.
func (t *table) expire(now time.Time, h Handler) (forget []exchangeID) {
	open := make(map[uint64]bool, len(t.sockets))
	for id, e := range t.exchanges {
		s := t.sockets[id.cookie]
		if !e.idle && now.Sub(e.changed) >= idleAfter {
			e.last.Phase = conn.Closed
			e.last.Age = e.changed.Sub(e.opened)
			h(e.last)
			e.idle, e.base, e.opened = true, e.total, now
		}
		switch gone := s == nil || s.closed; {
		case id.first && gone && e.idle:
			delete(t.exchanges, id)
		case id.first:
			open[id.cookie] = true
		case e.idle || gone:
			forget = append(forget, id)
			delete(t.exchanges, id)
		default:
			open[id.cookie] = true
		}
	}
	for id, n := range t.strays {
		if n > lostAfter || t.sockets[id.cookie] != nil {
			delete(t.strays, id)
		}
	}
	for cookie, s := range t.sockets {
		if s.closed && !open[cookie] {
			delete(t.sockets, cookie)
		}
	}
	return forget
}
