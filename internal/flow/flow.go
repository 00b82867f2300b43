// Package flow folds connections into flows: a flow is one combination of the attributes that are enabled, on one
// resource, and everything that is counted of a connection is counted in a flow. This is the only long-lived state of
// netconn, and the place where totals are kept true.
//
// In: reports of connections and listeners (absolute totals, in any order, repeated or late), and the sums of what the
// kernel could not report. Out: at each collection, every flow with its cumulative counters, sorted; Differences makes
// of them what was counted since the last one. In between a function that the caller passes says who is at the other end.
//
// The rules:
//
//   - A connection is credited to a flow at the first collection at which its identity is settled, or once its first
//     report is two seconds old. What has been credited never moves; when a better answer comes, later increments go to
//     the new flow, and only Active moves: -1 there, +1 here, in one collection. Whose identity is not settled is asked
//     about at every collection for a minute, and after that when something new is reported of it.
//   - The gauges (RTT, jitter) are sampled once at each collection that credits something new, and so at the end too; an
//     idle connection is not sampled again, however often it is reported. The handshake and the duration count once.
//   - No counter of a flow ever falls. The totals of a connection's end are final, and reports that arrive after it are
//     dropped and counted, but for what Settle has credited: nothing may be reported of that any more.
//   - Settle credits ended connections before the next collection, by the same rule of two seconds, from the end on.
//   - Limits count flows, so that a connection is named, or in overflow, in all its metrics alike until it closes.
//     Whatever the limits, the sums over all flows are the same.
//   - A connection beyond MaxConnections is not kept. Its totals are credited to the overflow flow of the host when its
//     end is reported; before that nothing of it is, because a live report is absolute, and what it adds to the one
//     before is only known of a connection that is kept. It is kept from the first live report for which there is room.
//     (If the kernel cannot report its end either, what its live reports told is not counted.)
//   - A flow with a live connection or listener never expires; an idle one does by silence, after it has shown an Active
//     of zero. Its return is a new flow, with a start not before the last point of the old one.
//   - A connection whose end was lost is closed as lost when it is absent from three full passes in a row.
//
// Time comes in with every call and must not run backwards. A Table is not safe for concurrent use. Nothing here fails:
// what cannot be itemised is in an overflow flow, and what is dropped is in Stats.
package flow

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Config is what a user can set. The zero value of a field means its default.
type Config struct {
	LimitPerResource int           // flows of one resource beside its overflow flow; 500
	MaxResources     int           // resources beside that of the host; 2000
	MaxConnections   int           // that are kept, the ended ones while they are remembered included; 1,000,000
	ExpireAfter      time.Duration // of silence; 1 h
	Buckets          []float64     // upper bounds of all histograms, in seconds, ascending; DefaultBuckets
}

func (c Config) withDefaults() Config {
	if c.LimitPerResource <= 0 {
		c.LimitPerResource = 500
	}
	if c.MaxResources <= 0 {
		c.MaxResources = 2000
	}
	if c.MaxConnections <= 0 {
		c.MaxConnections = 1_000_000
	}
	if c.ExpireAfter <= 0 {
		c.ExpireAfter = time.Hour
	}
	if len(c.Buckets) == 0 {
		c.Buckets = DefaultBuckets()
	}
	c.Buckets = slices.Clone(c.Buckets)
	return c
}

// Key is what tells one flow from another: the resource, and the attributes of its points. The caller fills in only what
// is enabled; a field that is left at zero tells nothing apart.
type Key struct {
	Owner         conn.Owner // the resource; the zero value is the host itself
	Role          conn.Role
	ServerPort    uint16
	Peer          conn.Peer
	NAT           conn.NAT
	Original      Original
	Zone          string         // opt-in: netconn.local.zone, of the node that this runs on
	Local, Remote netip.AddrPort // opt-in: network.local.*, network.peer.*; as the socket has them
	Server        netip.Addr     // opt-in: server.address
	Client        netip.Addr     // opt-in: client.address
}

// Original is what the client asked for, where its destination was translated.
type Original struct {
	Name    string
	Port    uint16
	Address netip.Addr // opt-in
}

// compare orders the keys of one resource, by what a reader looks for first.
func (k Key) compare(o Key) int {
	return cmp.Or(
		cmp.Compare(k.Role, o.Role),
		cmp.Compare(k.ServerPort, o.ServerPort),
		k.Peer.Compare(&o.Peer),
		cmp.Compare(k.NAT, o.NAT),
		cmp.Compare(k.Zone, o.Zone),
		cmp.Compare(k.Original.Name, o.Original.Name),
		cmp.Compare(k.Original.Port, o.Original.Port),
		k.Original.Address.Compare(o.Original.Address),
		k.Local.Compare(o.Local),
		k.Remote.Compare(o.Remote),
		k.Server.Compare(o.Server),
		k.Client.Compare(o.Client),
	)
}

func compareOwners(a, b conn.Owner) int {
	return cmp.Or(
		cmp.Compare(a.PodUID, b.PodUID),
		cmp.Compare(a.ContainerID, b.ContainerID),
		cmp.Compare(a.Unit, b.Unit),
		cmp.Compare(a.Executable, b.Executable),
	)
}

// Identify tells which flow a connection belongs to, as far as it is known. Settled false means that a better answer may
// come: the connection is asked about again.
type Identify func(c conn.Conn) (k Key, settled bool)

// Resource is one owner with its flows: by Key, the overflow flow last.
type Resource struct {
	Owner conn.Owner // the zero value: the host, for connections of unknown owner and for what is beyond MaxResources
	Flows []*Flow
}

// Flow is what was counted since Start. All counters are cumulative, and all but Active only grow.
type Flow struct {
	Key      Key
	Overflow bool      // stands for the flows beyond a limit: Key holds the owner and nothing else
	Start    time.Time // not after the first event that is counted here

	Connections bool // a connection or a loss was ever counted here; where false, only ListenDrops has a meaning
	Listens     bool // a listener was ever counted here; where false, ListenDrops has no meaning

	Sent, Received                          uint64 // payload bytes
	SegmentsSent, SegmentsReceived          uint64
	Retransmits, OutOfOrder, Reordering, CE uint64
	Lost                                    uint64              // segments that the sender took for lost
	Attempts                                [conn.Errors]uint64 // by outcome; conn.NoError: established
	Closed                                  [conn.Errors]uint64 // by reason; conn.NoError: by agreement
	Active                                  int64
	RTT, Jitter, Handshake, Duration        Histogram // seconds
	ListenDrops                             uint64    // connections that a full queue dropped
}

// Stats tells how much there is now, and what was dropped since New.
type Stats struct {
	Resources   int    // with the host's
	Flows       int    // with the overflow flows
	Overflow    int    // overflow flows
	Connections int    // tracked and not ended
	Listeners   int    // tracked and not closed
	Pending     int    // connections that no flow was credited with yet
	Late        uint64 // reports that arrived after the end of their connection
	Lost        uint64 // connections closed because three passes did not find them
	Deferred    uint64 // reports of live connections that were beyond MaxConnections: they count at its end
	Beyond      uint64 // ends of connections that were beyond MaxConnections
}
