package kubernetes

import (
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// Used reports whether the configuration names an API.
func (c Config) Used() bool { return c.AuthType != AuthNone }

// Peer describes the other end of a connection: by its owner where that is on this machine, else by its address.
func (k *Cluster) Peer(q conn.Query) (conn.Peer, conn.Answer) {
	if q.Here {
		return k.owned(q.Owner)
	}
	return k.Address(q)
}

// owned describes an owner on this machine. A container may be older than what the API has reported of it. A program of
// the host is no object of the cluster, and only its place is known.
func (k *Cluster) owned(o conn.Owner) (known conn.Peer, a conn.Answer) {
	inCluster := o.ContainerID != "" && !o.ClaimedID() && !k.isInOther(o)
	if inCluster {
		known, a = k.Container(o.ContainerID)
	}
	final := a == conn.Final || !inCluster && o.PodUID == ""
	if a == conn.Unknown && o.PodUID != "" {
		known, a = k.Pod(o.PodUID)
	}
	if known[names.PeerZone] == "" {
		known[names.PeerZone], known[names.PeerRegion] = k.zone()
	}
	switch {
	case final && k.Synced():
		return known, conn.Final
	case a == conn.Unknown:
		return known, conn.Unknown
	}
	return known, conn.Provisional
}

// Here returns the zone and the region of the node that this runs on. Empty: not known.
func (k *Cluster) Here() (zone, region string, a conn.Answer) {
	zone, region = k.zone()
	switch {
	case zone != "", region != "", k.Synced():
		return zone, region, conn.Final
	}
	return "", "", conn.Unknown
}

// Warnings name what is not known because of the configuration.
func (k *Cluster) Warnings() []string {
	if k.config.Node != "" {
		return nil
	}
	return []string{
		"recognise peers on this node by their addresses, and report local zones: node_name is not set",
	}
}
