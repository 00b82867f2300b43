package pipeline

import (
	"net/netip"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/dns"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
)

// domains knows the names of peers outside from the answers of DNS.
//
// With dns.All, each container has the answers that it got, and the programs of a host share those of their network
// namespace. A server does not know which process asked: with dns.Servers, an answer is for the address that it was
// sent to, or for the network namespace if the client is beside the server.
type domains struct {
	limit int // names of one resource; 0: none
	all   bool
	names dns.Names
	shown map[conn.Owner]map[string]bool
}

// DomainStats says how many names are known, and what is left out.
type DomainStats struct {
	Known   int    // addresses with a name, each for one container
	Evicted uint64 // that were dropped since Open, although their answers held
	Full    int    // resources that have as many names as they may
}

func newDomains(o Options) domains {
	return domains{limit: o.PeerDomains, all: o.DNS == dns.All, shown: make(map[conn.Owner]map[string]bool)}
}

func (d *domains) stats() DomainStats {
	var s DomainStats
	s.Known, s.Evicted = d.names.Held()
	for _, shown := range d.shown {
		if len(shown) >= d.limit {
			s.Full++
		}
	}
	return s
}

// learn takes the addresses of a response. A response without a query may come from anybody, so it is no answer.
func (d *domains) learn(l *conn.Lookup, addresses []dns.Address) {
	if d.limit == 0 || l.Question == "" || l.Rcode != 0 || l.Latency == 0 {
		return
	}
	if asker := d.asker(l); asker != (dns.Asker{}) {
		d.names.Learn(asker, l.Question, addresses, l.At)
	}
}

// asker returns who got a response; the zero value: that is not known.
func (d *domains) asker(l *conn.Lookup) dns.Asker {
	client := l.Tuple.Destination.Addr()
	switch {
	case l.Role == conn.RoleClient:
		return askerOf(l.Owner, l.Namespace)
	case d.all:
		return dns.Asker{} // its client has it, if that is on this machine
	case client.IsLoopback() || client == l.Tuple.Source.Addr():
		return dns.Asker{Namespace: l.Namespace}
	}
	return dns.Asker{Address: client}
}

// askerOf returns the pod, the container, or else the network namespace of an owner.
func askerOf(o conn.Owner, n conn.Namespace) dns.Asker {
	switch {
	case o.PodUID != "":
		return dns.Asker{Owner: conn.Owner{PodUID: o.PodUID}}
	case o.ContainerID != "":
		return dns.Asker{Owner: conn.Owner{ContainerID: o.ContainerID, Unit: o.Unit}}
	}
	return dns.Asker{Namespace: n}
}

// find returns the name that was asked for to connect to an address.
func (d *domains) find(c *conn.Conn, address netip.Addr) string {
	askers := []dns.Asker{askerOf(c.Owner, c.Namespace)}
	if !d.all {
		askers = append(askers, dns.Asker{Address: c.Tuple.Source.Addr()}, dns.Asker{Namespace: c.Namespace})
	}
	for _, asker := range askers {
		if name, found := d.names.Find(asker, address, c.Opened); found && asker != (dns.Asker{}) {
			return name
		}
	}
	return ""
}

// bounded leaves the name of a peer out of a flow beyond the limit of the resource, so that the address class remains.
func (d *domains) bounded(k flow.Key) flow.Key {
	name := k.Peer[names.PeerDomain]
	if name == "" {
		return k
	}
	shown := d.shown[k.Owner]
	switch {
	case shown == nil:
		shown = make(map[string]bool)
		d.shown[k.Owner] = shown
	case !shown[name] && len(shown) >= d.limit:
		k.Peer[names.PeerDomain] = ""
		return k
	}
	shown[name] = true
	return k
}

// nameOutside returns the name that was asked for to connect to a peer outside, and whether that can still change. What
// the connection was opened with stays, whatever the answers are later: known is that name, if it was found before.
func (p *Pipeline) nameOutside(
	c *conn.Conn, known string, remote netip.AddrPort, to *conn.Peer,
) (name string, settled bool) {
	if !p.follows() || c.Role != conn.RoleClient || !outside(to) || remote != c.Tuple.Destination {
		return "", true
	}
	if known == "" {
		known = p.domains.find(c, remote.Addr())
	}
	return known, known != "" || !c.Opened.After(p.lookups.read)
}

// follows reports whether peers outside have names.
func (p *Pipeline) follows() bool { return p.domains.limit > 0 && p.lookups.Drain != nil }

// outside reports whether a peer is known by its address only.
func outside(p *conn.Peer) bool {
	return p[names.PeerType] == names.TypePublic || p[names.PeerType] == names.TypePrivate
}
