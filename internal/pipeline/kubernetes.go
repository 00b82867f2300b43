package pipeline

import (
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
)

// named returns what the cluster knows of the other end, nil if it is not on this machine, of a connection. Settled: no
// better answer will come.
func (p *Pipeline) named(
	c conn.Conn, other *conn.End, remote netip.AddrPort, now time.Time,
) (known conn.Peer, settled bool) {
	switch {
	case !p.cluster.there():
		return conn.Peer{}, true
	case other != nil:
		return p.owned(other.Owner)
	case remote.Addr().IsLoopback() || !remote.IsValid():
		return conn.Peer{}, true
	}
	q := kubernetes.Query{Address: remote.Addr(), At: c.Opened, Now: now}
	if c.Role == conn.RoleClient {
		q.Port = remote.Port()
	}
	known, answer := p.cluster.Address(q)
	return known, answer == kubernetes.Final
}

// owned tells what the cluster knows of an owner on this machine. A container may be older than what the API says of
// it.
func (p *Pipeline) owned(o conn.Owner) (known conn.Peer, settled bool) {
	answer := kubernetes.Unknown
	inCluster := o.ContainerID != "" && !o.ClaimedID()
	if inCluster {
		known, answer = p.cluster.Container(o.ContainerID)
	}
	settled = answer == kubernetes.Final || !inCluster && o.PodUID == ""
	if answer == kubernetes.Unknown && o.PodUID != "" {
		known, _ = p.cluster.Pod(o.PodUID)
	}
	if known[names.PeerZone] == "" {
		known[names.PeerZone], known[names.PeerRegion] = p.cluster.Here()
	}
	return known, settled && p.cluster.Synced()
}

// destination names what a client asked for.
func (p *Pipeline) destination(asked netip.AddrPort) string {
	if p.cluster.there() {
		if name := p.cluster.Service(asked); name != "" {
			return name
		}
	}
	return p.peers.Destination(asked.Addr())
}

// Here returns the zone and the region of this machine, empty if they are not known, and whether no better answer is
// expected soon.
func (p *Pipeline) Here() (zone, region string, settled bool) {
	if !p.cluster.there() {
		return "", "", true
	}
	zone, region = p.cluster.Here()
	return zone, region, zone != "" || p.cluster.Synced()
}
