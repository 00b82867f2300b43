package pipeline

import (
	"net/netip"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
)

// A Source knows who is at the other end of connections. It answers at once, from what it has. A connection waits for
// its identity until every source is certain, for Patience at most. Its methods are safe for concurrent use.
type Source interface {
	// Peer describes the other end of a connection.
	Peer(q conn.Query) (conn.Peer, conn.Answer)
	// Service names the service that a client asks for at an address. Empty: there is none.
	Service(protocol conn.Protocol, asked netip.AddrPort) string
	// Here returns the zone and the region of this machine. Empty: not known.
	Here() (zone, region string, a conn.Answer)
	// Warnings name what the source does without since it was opened.
	Warnings() []string
	// Faults returns what does not work now, and may work again.
	Faults() []conn.Fault
	// Close may be called twice.
	Close()
}

// openSources opens the sources that the options name, in the order in which they are asked. An error says what is
// missing, and what it costs.
func openSources(o Options, now func() time.Time) (s Sources, missing []error) {
	for _, source := range []struct {
		used bool
		open func() (Source, error)
	}{
		{o.Kubernetes.Used(), func() (Source, error) { return kubernetes.Open(o.Kubernetes, now) }},
	} {
		if !source.used {
			continue
		}
		opened, err := source.open()
		if err != nil {
			missing = append(missing, err)
			continue
		}
		s = append(s, opened)
	}
	return s, missing
}

// Sources are asked in turn.
type Sources []Source

// peer returns what the sources know of the other end, up to the first one that knows what kind of peer it is. Settled:
// none of these will have a better answer.
func (s Sources) peer(q conn.Query) (known conn.Peer, settled bool) {
	settled = true
	for _, source := range s {
		p, a := source.Peer(q)
		known, settled = known.Or(p), settled && a == conn.Final
		if p[names.PeerType] != "" {
			break
		}
	}
	return known, settled
}

// believe returns an owner without what a source contradicts, and whether this is certain.
func (s Sources) believe(o conn.Owner, now time.Time) (conn.Owner, conn.Answer) {
	for _, source := range s {
		if k, ok := source.(interface {
			Believe(o conn.Owner, now time.Time) (conn.Owner, conn.Answer)
		}); ok {
			return k.Believe(o, now)
		}
	}
	return o, conn.Unknown
}

// service returns the name that the first source has for a service.
func (s Sources) service(protocol conn.Protocol, asked netip.AddrPort) string {
	for _, source := range s {
		if name := source.Service(protocol, asked); name != "" {
			return name
		}
	}
	return ""
}

// here returns the zone and the region that the first source has for this machine.
func (s Sources) here() (zone, region string, settled bool) {
	settled = true
	for _, source := range s {
		var a conn.Answer
		zone, region, a = source.Here()
		settled = settled && a == conn.Final
		if zone != "" || region != "" {
			break
		}
	}
	return zone, region, settled
}

func (s Sources) warnings() (all []string) {
	for _, source := range s {
		all = append(all, source.Warnings()...)
	}
	return all
}

func (s Sources) faults() (all []conn.Fault) {
	for _, source := range s {
		all = append(all, source.Faults()...)
	}
	return all
}

func (s Sources) close() {
	for _, source := range s {
		source.Close()
	}
}

// listed reports whether there is a cluster, and all of its watches have listed their objects once.
func (s Sources) listed() bool {
	watches := s.cluster().Watches
	return len(watches) > 0 && !slices.ContainsFunc(watches, func(w kubernetes.WatchHealth) bool { return !w.Synced })
}

// cluster returns how the watches of Kubernetes are; the zero value where it is no source.
func (s Sources) cluster() kubernetes.Health {
	for _, source := range s {
		if k, ok := source.(interface{ Health() kubernetes.Health }); ok {
			return k.Health()
		}
	}
	return kubernetes.Health{}
}
