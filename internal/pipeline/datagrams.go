package pipeline

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/peer"
	"github.com/netconn/netconn/internal/udp"
)

// UDP says which UDP sockets are counted.
type UDP string

const (
	UDPOff  UDP = "off"
	UDPUsed UDP = "used" // those of cgroups that use UDP for anything but DNS
	UDPAll  UDP = "all"  // every one, from its first datagram on, and DNS
)

// Choices returns all values.
func (UDP) Choices() []string { return []string{string(UDPOff), string(UDPUsed), string(UDPAll)} }

func (d Datagrams) close() error {
	if d.Close == nil {
		return nil
	}
	return d.Close()
}

// openDatagrams begins to count UDP. The error says what is missing; TCP does not need it.
func (p *Pipeline) openDatagrams(o Options, m Machine) (err error) {
	if o.UDP == UDPOff || o.UDP == "" || m.Datagrams == nil {
		return nil
	}
	if p.udp, err = m.Datagrams(o.Root, o.UDP == UDPAll); err != nil {
		return fmt.Errorf("count UDP: %w; TCP is read as before (udp: off needs nothing)", err)
	}
	return nil
}

func (p *Pipeline) snapshotDatagrams(all bool, now time.Time) error {
	if p.udp.Snapshot == nil {
		return nil
	}
	p.udpRead, p.udpWanted = now, false
	return p.udp.Snapshot(all, now, p.datagrams(now))
}

// drainDatagrams reads what has ended. The server of a client that lived for a moment may not be reported yet, so its
// live end is read too, once a second at most.
func (p *Pipeline) drainDatagrams(now time.Time) error {
	if p.udp.Drain == nil {
		return nil
	}
	err := p.udp.Drain(now, p.datagrams(now))
	if p.udpWanted && now.Sub(p.udpRead) >= time.Second {
		err = errors.Join(err, p.snapshotDatagrams(false, now))
	}
	return err
}

// datagramFaults returns a fault for a minute after a cgroup was refused.
func (p *Pipeline) datagramFaults() []conn.Fault {
	if !p.udpRefused.recent(p.overflow.now) {
		return nil
	}
	err := fmt.Errorf("count the UDP of all cgroups: %w", p.udpErr)
	return []conn.Fault{{About: "udp", Err: err, Lasts: true}}
}

// noteDatagrams takes the counters of a collection.
func (p *Pipeline) noteDatagrams(now time.Time) {
	if s, err := p.udpHealth(); err == nil { // or Health returns it
		p.udpRefused.note(s.NotAttached, now)
		p.udpErr = s.Err
	}
}

// udpHealth returns the counters of UDP; zero: it is not counted.
func (p *Pipeline) udpHealth() (udp.Stats, error) {
	if p.udp.Stats == nil {
		return udp.Stats{}, nil
	}
	s, err := p.udp.Stats()
	if err != nil {
		return s, fmt.Errorf("read the counters of UDP: %w", err)
	}
	return s, nil
}

// datagrams takes the reports of UDP. These have no events.
func (p *Pipeline) datagrams(now time.Time) udp.Handler {
	return func(c conn.Conn) {
		c.Owner = p.owners.Resolve(c.Process)
		p.programs.note(c.Owner, c.Process.PID)
		p.datagramEnds.Add(&c, now)
		if c.Phase != conn.Open && c.Role == conn.RoleClient && !p.datagramEnds.View(c.ID).Found {
			p.udpWanted = true
		}
		p.flows.Apply(c, now)
	}
}

// resolveDatagrams returns what is known of the peer of a UDP socket if that is not on this machine. The packets show
// what the rules of the socket's own namespace translate.
func (p *Pipeline) resolveDatagrams(c conn.Conn, now time.Time) Identity {
	owner, believed := p.believe(c.Owner, now)
	known := Identity{Owner: owner, Role: c.Role}
	if !c.Tuple.Destination.IsValid() { // the rest of a socket
		known.settled = p.final || believed
		return known
	}
	remote := c.Tuple.Destination
	if c.Role == conn.RoleClient {
		remote = p.follow(&known, c, now)
	}
	asPeer, certain := p.named(c, nil, remote, now)
	known.Peer = peer.Enrich(p.peers.Describe(c, nil, remote.Addr()), asPeer)
	domain, named := p.nameOutside(&c, p.datagramEnds.View(c.ID).Name, remote, &known.Peer)
	if domain != "" {
		p.datagramEnds.Name(c.ID, domain)
		known.Peer[names.PeerDomain] = domain
	}
	known.settled = p.final ||
		certain && believed && named && p.introduced(owner) && !p.udpRead.Before(c.Reported())
	switch c.Role {
	case conn.RoleClient:
		known.Server, known.Client, known.Port = remote, c.Tuple.Source, remote.Port()
	case conn.RoleServer:
		known.Server, known.Client, known.Port = c.Tuple.Source, remote, c.Tuple.Source.Port()
	}
	if c.Role == conn.RoleClient && standsForOthers(known.Peer) {
		known.atService(remote, p.destination(c.Protocol, remote))
	}
	return known
}

// follow returns where the datagrams of a client went when they left its namespace. The translation is known if they
// entered no other namespace of this machine, which might translate again.
func (p *Pipeline) follow(known *Identity, c conn.Conn, now time.Time) netip.AddrPort {
	asked, actual := c.Tuple.Destination, c.Tuple.Destination
	if c.Datagrams != nil && c.Datagrams.Actual.IsValid() {
		actual = c.Datagrams.Actual
		known.Original = flow.Original{
			Name: p.destination(c.Protocol, asked), Port: asked.Port(), Address: asked.Addr(),
		}
	}
	inside := actual.Addr().IsLoopback() || actual.Addr() == c.Tuple.Source.Addr()
	switch {
	case c.ConnectHook: // what the application asked for is not known
		known.Original = flow.Original{}
	case !inside && !p.leaves(c, actual, now):
	case actual == asked:
		known.NAT = conn.NATNone
	case inside:
		known.NAT = conn.NATRedirect
	default:
		known.NAT = conn.NATDestination
	}
	return actual
}

// leaves reports whether packets of a socket leave this machine without entering another network namespace.
func (p *Pipeline) leaves(c conn.Conn, to netip.AddrPort, now time.Time) bool {
	if p.tables.Outer == nil {
		return false
	}
	outer, certain, err := p.tables.Outer(now, c.Namespace.Inode, conn.Tuple{Source: c.Tuple.Source, Destination: to})
	return err == nil && certain && outer == 0
}
