// Package flow folds connections into flows: a flow is one combination of the attributes that are enabled, on
// one resource. Everything that is counted of a connection is counted in a flow. This is the only long-lived
// state of netconn, and the place where totals are kept true.
//
// In: reports of connections and listeners (absolute totals, in any order, repeated or late), and sums of what
// the kernel could not report. Out: at each collection, every flow with its cumulative counters, sorted.
// Differences turns these into what was counted since the collection before. A function of the caller
// identifies the other end of a connection.
//
// The rules:
//
//   - A connection is credited to a flow at the first collection at which its identity is settled, or when its
//     first report is as old as Config.Patience. What has been credited never moves. When a better identity
//     comes, later increments go to the new flow, and only Active moves: -1 there, +1 here, in one collection.
//     Until its identity is settled, a connection is looked up at every collection for 30 times the patience,
//     then only when a new report arrives.
//   - The gauges (RTT, jitter) are sampled once at each collection that credits something new, so also at the
//     end. An idle connection is not sampled again, however often it is reported. The handshake and the
//     duration count once.
//   - No counter of a flow ever falls. The totals of a connection's end are final, and reports that arrive
//     after it are dropped and counted. After Settle has credited an end, no report of that connection may
//     follow.
//   - Settle credits ended connections before the next collection, with the same patience, counted from their
//     end.
//   - Count credits a connection at once whose end is its only report. Nothing of it is kept. The caller may keep such
//     connections for a while, and says with Hold how many.
//   - Limits count flows, so a connection is named, or in overflow, in all its metrics alike until it closes.
//     The sums over all flows do not depend on the limits.
//   - At LimitPerResource and MaxResources what is idle leaves first: nothing is open in it, and the last collection
//     has shown all that it counted. A failed attempt takes no other flow's place, a program no container's, and a
//     listener has a flow once it has dropped something.
//   - A connection beyond MaxConnections is not kept, and a failed attempt beyond seven eighths of it. Its totals are
//     credited to the overflow flow of the host when its end is reported. Its live reports are not counted: they are
//     absolute, and without a kept connection there is nothing to subtract. It is kept from the first live report for
//     which there is room. If the kernel loses the report of its end too, its traffic is not counted.
//   - A new resource is left out of collections for as long as Config.Withhold says so. It loses nothing: its first
//     collection has everything from the start on. A resource that was shown once is never left out again.
//   - A flow with a live connection or listener never expires. An idle flow expires after it has shown an
//     Active of zero. If it returns it is a new flow, with a start that is not before the last point of the old
//     one.
//   - A connection with a lost end is closed as lost when it is absent from three full passes in a row.
//
// Time comes in with every call and must not run backwards. A Table is not safe for concurrent use. Nothing
// here fails: what cannot be itemised is in an overflow flow, and what is dropped is in Stats.
package flow

import (
	"cmp"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Config is what the caller sets. The zero value of a field means its default, but for Patience, which has none.
type Config struct {
	Patience         time.Duration // how long a connection waits for its identity; longer lives are multiples of it
	LimitPerResource int           // flows of one resource beside its overflow flow
	MaxResources     int           // resources beside that of the host
	MaxConnections   int           // connections that are kept, with the ended ones that are remembered
	ExpireAfter      time.Duration // life of an idle flow
	Bounds           Bounds        // of the histograms
	// Withhold reports whether to leave out the resource of an owner that was first seen so long ago. nil: never.
	Withhold func(o conn.Owner, age time.Duration) bool
}

// Defaults are the values of a configuration that names none.
func Defaults() Config {
	return Config{
		LimitPerResource: 500, MaxResources: 2000, MaxConnections: 1_000_000, ExpireAfter: time.Hour,
		Bounds: DefaultBounds(),
	}
}

func (c Config) withDefaults() Config {
	d := Defaults()
	c.LimitPerResource = cmp.Or(c.LimitPerResource, d.LimitPerResource)
	c.MaxResources = cmp.Or(c.MaxResources, d.MaxResources)
	c.MaxConnections = cmp.Or(c.MaxConnections, d.MaxConnections)
	c.ExpireAfter = cmp.Or(c.ExpireAfter, d.ExpireAfter)
	if !slices.ContainsFunc(c.Bounds[:], func(bounds []float64) bool { return bounds != nil }) {
		c.Bounds = d.Bounds
	}
	return c
}

// lookupFor is how long an idle connection without a settled identity is looked up at every collection.
func (c *Config) lookupFor() time.Duration { return 30 * c.Patience }

// rememberFor is how long an end is remembered after it was credited, to recognise late reports. Those come with the
// snapshot that the end overtook, so one snapshot would do.
func (c *Config) rememberFor() time.Duration { return 5 * c.Patience }

// Identify returns the flow of a connection, as far as it is known. If settled is false a better answer may
// come, and the connection is looked up again.
type Identify func(c conn.Conn) (k Key, settled bool)

// Resource is one owner with its flows: by Key, the overflow flow last.
type Resource struct {
	Owner conn.Owner // the zero value: the host, for connections of unknown owner and for those beyond MaxResources
	Flows []*Flow
}

// Stats counts what there is now, and what was dropped since New.
type Stats struct {
	Resources   int    // with the host's
	Flows       int    // with the overflow flows
	Overflow    int    // overflow flows
	Connections int    // tracked and not ended
	Listeners   int    // tracked and not closed
	Pending     int    // connections that no flow was credited with yet
	Late        uint64 // reports that arrived after the end of their connection
	Lost        uint64 // connections closed because three passes did not find them
	Deferred    uint64 // reports of live connections beyond MaxConnections: they count at the connection's end
	// AtMaxConnections says that there is no room for one more connection.
	AtMaxConnections bool
	Evicted          uint64 // idle flows and resources that made room for others

	Beyond [Causes]uint64 // connections and listeners in overflow, by the limit
	Full   []Full         // resources with such connections beyond LimitPerResource, most first
}

// Full is a resource that has had as many flows as it may, and how many connections and listeners were beyond that.
type Full struct {
	Owner  conn.Owner
	Beyond uint64
}
