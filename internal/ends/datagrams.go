package ends

import (
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/nat"
)

// together is how long after the first datagram of a client its server may have begun, to be found by a hash. The hash
// has 32 bits, so two of many exchanges may have the same by chance.
const together = time.Second

// expireEvery is how often all exchanges are looked at for those to forget.
const expireEvery = time.Second

// Datagrams keeps the ends of the exchanges of UDP, and finds the other end of each.
//
// Two ends belong together if each has the other's address, as no translation was between them. Otherwise the hash of
// the packets shows it: the kernel gives a connected socket a random one, which its packets keep through every
// translation. Two candidates are none.
//
// In: reports, in any order, repeated or not. Out: a View of an exchange. Call Expire after each reading. Beyond the
// limit an end is not kept. A Datagrams is not safe for concurrent use.
type Datagrams struct {
	config Config
	ends   map[conn.ID]*datagramEnd
	hashes map[uint32][]*datagramEnd     // by the hash that was sent, and that was received
	tuples map[conn.Tuple][]*datagramEnd // as packets have them when they leave the end's namespace

	expired time.Time // when all were last looked at
}

type datagramEnd struct {
	conn.End
	opened time.Time
	gone   time.Time // when it is forgotten
	sent   uint32    // the hashes that it is found by
	heard  uint32
	tuple  conn.Tuple
	name   string // that Name gave the other end
}

// NewDatagrams returns an index that knows no exchange.
func NewDatagrams(c Config) *Datagrams {
	return &Datagrams{config: c, ends: make(map[conn.ID]*datagramEnd), hashes: make(map[uint32][]*datagramEnd),
		tuples: make(map[conn.Tuple][]*datagramEnd)}
}

// Add takes a report.
func (d *Datagrams) Add(c *conn.Conn, now time.Time) {
	if c.Datagrams == nil || !c.Tuple.Destination.IsValid() {
		return // the rest of a socket has no other end
	}
	e := d.ends[c.ID]
	switch {
	case e == nil && d.config.Limit > 0 && len(d.ends) >= d.config.Limit:
		return
	case e == nil:
		e = &datagramEnd{opened: c.Opened}
		d.ends[c.ID] = e
	}
	e.End = c.End()
	d.file(e)
	e.gone = now.Add(silence)
	if c.Phase != conn.Open {
		e.gone = now.Add(d.config.Patience + grace)
	}
}

// file enters an end where others look for it. Its first report may have no hash, or another address of its own.
func (d *Datagrams) file(e *datagramEnd) {
	if t := wire(&e.Socket); t != e.tuple {
		remove(d.tuples, e.tuple, e)
		d.tuples[t] = append(d.tuples[t], e)
		e.tuple = t
	}
	for _, h := range []struct {
		known *uint32
		now   uint32
	}{{&e.sent, e.Datagrams.SentHash}, {&e.heard, e.Datagrams.ReceivedHash}} {
		if h.now != *h.known && h.now != 0 {
			*h.known = h.now
			d.hashes[h.now] = append(d.hashes[h.now], e)
		}
	}
}

// wire returns the tuple of the packets that leave the end's namespace.
func wire(s *conn.Socket) conn.Tuple {
	t := s.Tuple
	if s.Datagrams.Actual.IsValid() {
		t.Destination = s.Datagrams.Actual
	}
	return t
}

func remove[K comparable](from map[K][]*datagramEnd, key K, e *datagramEnd) {
	rest := slices.DeleteFunc(from[key], func(o *datagramEnd) bool { return o == e })
	if from[key] = rest; len(rest) == 0 {
		delete(from, key)
	}
}

// View returns what is known of an exchange.
func (d *Datagrams) View(id conn.ID) (v View) {
	e := d.ends[id]
	if e == nil {
		return v
	}
	v.Name = e.name
	o := d.other(e)
	if o == nil {
		return v
	}
	var first nat.Step
	if client, server := sides(e, o); client != nil && wire(&client.Socket).Destination == server.Tuple.Source {
		first.Knowledge = nat.Absent // the datagram entered the server's namespace with the address of the socket
	}
	route := nat.Between(e.End, o.End, first)
	return View{Route: &route, Other: o.End, Found: true, Settled: true, Name: e.name}
}

// Name keeps a name of the other end for as long as the exchange. An exchange that is not kept has none.
func (d *Datagrams) Name(id conn.ID, name string) {
	if e := d.ends[id]; e != nil {
		e.name = name
	}
}

// sides returns the two ends by their roles; nil: these are not known.
func sides(a, b *datagramEnd) (client, server *datagramEnd) {
	switch s, known := nat.Server(a.End, b.End); {
	case !known:
		return nil, nil
	case s.ID == a.ID:
		return b, a
	}
	return a, b
}

// other returns the other end of an exchange, or nil.
func (d *Datagrams) other(e *datagramEnd) *datagramEnd {
	var all []*datagramEnd
	for _, o := range d.tuples[wire(&e.Socket).Reverse()] {
		if mirrored(e, o) {
			all = append(all, o)
		}
	}
	if len(all) > 1 { // a port is used again
		all = slices.DeleteFunc(all, func(o *datagramEnd) bool { return o.Phase != conn.Open })
	}
	switch found := d.byHash(e); {
	case len(all) == 1:
		return all[0]
	case len(all) == 0 && found != nil && d.byHash(found) == e:
		return found
	}
	return nil
}

// mirrored reports whether each end has the other's address. A loopback address is that of a socket in the namespace.
func mirrored(e, o *datagramEnd) bool {
	if o == e || e.Role == o.Role && e.Role != conn.RoleUnknown {
		return false
	}
	local := e.Tuple.Source.Addr().IsLoopback() || e.Tuple.Destination.Addr().IsLoopback()
	return !local || e.Namespace == o.Namespace
}

// byHash returns the one end with packets of the same hash, or nil.
func (d *Datagrams) byHash(e *datagramEnd) (found *datagramEnd) {
	for _, h := range []uint32{e.sent, e.heard} {
		for _, o := range d.hashes[h] {
			client, server := sides(e, o)
			if h == 0 || o == e || o == found || client == nil || client.sent != server.heard || client.sent == 0 ||
				e.Role == o.Role {
				continue
			}
			if after := server.opened.Sub(client.opened); after < 0 || after > together {
				continue
			}
			if found != nil {
				return nil
			}
			found = o
		}
	}
	return found
}

// Expire forgets what is past its deadline, up to a second later.
func (d *Datagrams) Expire(now time.Time) {
	if now.Sub(d.expired) < expireEvery {
		return
	}
	d.expired = now
	for id, e := range d.ends {
		if now.Before(e.gone) {
			continue
		}
		delete(d.ends, id)
		remove(d.tuples, e.tuple, e)
		remove(d.hashes, e.sent, e)
		remove(d.hashes, e.heard, e)
	}
}
