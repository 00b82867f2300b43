package ends

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

const patience = 2 * time.Second

// place is where a packet is asked about.
type place struct {
	netns uint32
	tuple conn.Tuple
}

// entry is what connection tracking has of a packet.
type entry struct {
	Answer
	established bool // it is not the entry of a connection that has ended
}

// tracking is connection tracking that a test answers for.
type tracking struct {
	entries   map[place]entry // a packet that is not in it has no entry
	outers    map[uint32]uint32
	uncertain map[uint32]bool // namespaces with another way out than to outers
	lost      map[uint32]bool // namespaces of which it is not known what is around them
	closed    map[uint32]bool // namespaces of which the addresses are not known
	early     int             // how many times it is too early to ask
	between   int             // how many times an entry is missing where packets are translated
	asked     []Question
	most      int // of them in one call
}

func (o *tracking) lookup() Lookup {
	return Lookup{
		Ask: func(_ time.Time, questions []Question) (answers []Answer) {
			o.most = max(o.most, len(questions))
			for _, q := range questions {
				answers = append(answers, o.answer(q))
			}
			return answers
		},
		Local: func(_ time.Time, netns uint32, a netip.Addr) (bool, error) {
			if o.closed[netns] {
				return false, errors.New("not known")
			}
			return a.IsLoopback(), nil
		},
		Outer: func(_ time.Time, netns uint32, _ conn.Tuple) (uint32, bool, error) {
			if o.lost[netns] {
				return 0, false, errors.New("not known")
			}
			return o.outers[netns], !o.uncertain[netns], nil
		},
	}
}

func (o *tracking) answer(q Question) Answer {
	if o.early > 0 {
		o.early--
		return Answer{Result: Early}
	}
	o.asked = append(o.asked, q)
	if o.between > 0 {
		o.between--
		return Answer{Result: NoEntry, Translates: true}
	}
	e, found := o.entries[place{q.Namespace.Inode, q.Tuple}]
	switch {
	case !found:
		return Answer{Result: NoEntry}
	case e.established && q.Phase != conn.Open:
		e.Result = Displaced
	}
	return e.Answer
}

// journey adds reports to an index as the pipeline does.
type journey struct {
	*Index
	t   *testing.T
	now time.Time
}

func newJourney(t *testing.T, o *tracking) *journey { return newLimitedJourney(t, o, 0) }

func newLimitedJourney(t *testing.T, o *tracking, limit int) *journey {
	j := &journey{t: t, now: at(0)}
	j.Index = New(Config{Limit: limit, Patience: patience, Lookup: o.lookup()}, j.now)
	return j
}

// read reads reports a moment later.
func (j *journey) read(reports ...conn.Conn) {
	j.now = j.now.Add(100 * time.Millisecond)
	for _, c := range reports {
		j.Add(&c, j.now)
	}
	j.Settle(j.now)
}

func (j *journey) want(c conn.Conn, want *conn.Route) {
	j.t.Helper()
	equal := cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })
	if diff := cmp.Diff(want, j.View(c.Sequence, c.ID).Route, equal); diff != "" {
		j.t.Errorf("route of %d (-want +got):\n%s", c.ID.Cookie, diff)
	}
}

const pod, node = 1, 2

// dialled is the client's end of a connection to a service.
func dialled(id uint64, phase conn.Phase) conn.Conn {
	return conn.Conn{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: id}, Namespace: conn.Namespace{Inode: pod}, Role: conn.RoleClient,
			Phase: phase, SeenOpening: true,
			Sequence: conn.Sequence{Local: uint32(id), Remote: uint32(id) + 1000},
			Tuple:    conn.Tuple{Source: netip.MustParseAddrPort("10.244.1.11:40000"), Destination: netip.MustParseAddrPort("10.96.1.3:80")},
		},
	}
}

// service is a node that translates what its pods dial.
func service(established bool) *tracking {
	packet := dialled(1, conn.Open).Tuple
	translated := conn.Tuple{Source: packet.Source, Destination: netip.MustParseAddrPort("10.244.2.13:9080")}
	return &tracking{
		entries: map[place]entry{{node, packet}: {Answer{Result: Found, Tuple: translated}, established}},
		outers:  map[uint32]uint32{pod: node},
	}
}

func toBackend() *conn.Route {
	return &conn.Route{
		NAT: conn.NATDestination, Client: netip.MustParseAddrPort("10.244.1.11:40000"), Server: netip.MustParseAddrPort("10.244.2.13:9080"),
		Asked: netip.MustParseAddrPort("10.96.1.3:80"), Port: 9080,
	}
}
