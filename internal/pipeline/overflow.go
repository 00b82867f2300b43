package pipeline

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
)

var errNoRoom = errors.New("follow all sockets: the kernel keeps state for as many as fit into the memory limit; " +
	"raise it, because connections beyond that are not reported")

// overflow remembers when connections were beyond each limit.
type overflow struct {
	beyond [flow.Causes]growth
	noRoom growth // of sockets without state
	now    time.Time
	full   []flow.Full
}

// note takes the counts of a collection.
func (o *overflow) note(s flow.Stats, now time.Time) {
	o.now, o.full = now, s.Full
	s.Beyond[flow.ByConnections] += s.Deferred // live ones, which count at their end
	for cause, n := range s.Beyond {
		o.beyond[cause].note(n, now)
	}
	if g := &o.beyond[flow.ByConnections]; s.AtMaxConnections && g.counted > 0 {
		g.last = now // idle connections beyond it report nothing new
	}
}

// noteSockets takes the counts of the kernel side.
func (o *overflow) noteSockets(s kernel.Stats) {
	o.noRoom.note(s.NoRoom, o.now)
	if s.Full {
		o.noRoom.last = o.now
	}
}

// faults returns a fault for each limit that is reached.
func (o *overflow) faults() (all []conn.Fault) {
	for cause := range o.beyond {
		if !o.beyond[cause].recent(o.now) {
			continue
		}
		err := fmt.Errorf("name all connections: %s is reached, and %s", flow.Cause(cause), costs[cause])
		if flow.Cause(cause) == flow.ByResource {
			err = fmt.Errorf("%w: %s", err, o.fullest())
		}
		all = append(all, conn.Fault{About: flow.Cause(cause).String(), Err: err, Lasts: true})
	}
	if o.noRoom.recent(o.now) {
		all = append(all, conn.Fault{About: "sockets", Err: errNoRoom, Lasts: true})
	}
	return all
}

// costs are what is missing beyond a limit.
var costs = [flow.Causes]string{
	flow.ByResource:  "what is beyond it is one series with otel.metric.overflow=true, of",
	flow.ByResources: "what is beyond it is counted on the host, in the series with otel.metric.overflow=true",
	flow.ByPeers: "datagrams with further peers are counted in the series with otel.metric.overflow=true, of the " +
		"sockets' containers",
	flow.ByConnections: "what is beyond it is counted at its end, in the host's series with otel.metric.overflow=true",
}

// fullest names the resources with most connections beyond the limit.
func (o *overflow) fullest() string {
	const most = 3
	var all []string
	for _, f := range o.full[:min(most, len(o.full))] {
		all = append(all, fmt.Sprintf("%s (%d)", Describe(f.Owner), f.Beyond))
	}
	if more := len(o.full) - len(all); more > 0 {
		all = append(all, fmt.Sprintf("%d more", more))
	}
	return strings.Join(all, ", ")
}

// Describe names a resource for people.
func Describe(o conn.Owner) string {
	switch {
	case o == conn.Owner{}:
		return "the host"
	case o.ContainerID != "":
		return "container " + o.ContainerID
	case o.PodUID != "":
		return "pod " + o.PodUID
	}
	return strings.TrimSpace(o.Executable + " " + o.Unit)
}
