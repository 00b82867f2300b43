package pipeline

import (
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// podOf is what the cluster knows of a pod of a workload.
func podOf(workload, namespace string) conn.Peer {
	return conn.Peer{names.PeerType: names.TypePod, names.PeerName: workload, names.PeerNamespace: namespace}
}

// A ztunnel connects from the address of the pod that it serves, so both ends report the pod's workload as the original
// source. Its own connections have none, nor have those of other programs from an address that is not theirs.
func TestTheOriginalSourceOfATunnel(t *testing.T) {
	ztunnel := podOf("ztunnel", "istio-system")
	ztunnel[names.PeerProxy] = string(names.Ztunnel)
	app := podOf("api", "shop")
	web := netip.MustParseAddr("10.244.1.11")
	for name, c := range map[string]struct {
		self, at  conn.Peer // who connects, and who has the address that it connects from
		certainty conn.Answer
		want      string
		settled   bool
	}{
		"for a pod":             {ztunnel, podOf("web.v2", "shop"), conn.Final, "web.v2.shop", true},
		"a moment after a pod":  {ztunnel, podOf("web", "shop"), conn.Provisional, "web.shop", false},
		"for itself":            {ztunnel, podOf("ztunnel", "istio-system"), conn.Final, "", true},
		"for a namesake":        {ztunnel, podOf("ztunnel", "shop"), conn.Final, "ztunnel.shop", true},
		"for someone outside":   {ztunnel, conn.Peer{}, conn.Final, "", true},
		"for a node":            {ztunnel, conn.Peer{names.PeerType: names.TypeNode}, conn.Final, "", true},
		"an application":        {app, podOf("web", "shop"), conn.Final, "", true},
		"a pod without a name":  {ztunnel, podOf("", "shop"), conn.Final, "", true},
		"in no namespace":       {ztunnel, podOf("web", ""), conn.Final, "", true},
		"nothing is known, yet": {ztunnel, conn.Peer{}, conn.Unknown, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			source := &oracle{owned: c.self, answer: conn.Final, peers: map[netip.Addr]conn.Peer{web: c.at}}
			p := (&scripted{}).open(t)
			p.sources = Sources{source}
			client := dialled(1, conn.Open)
			client.Owner = conn.Owner{ContainerID: "c1", PodUID: "p1"}
			p.introduced(client.Owner)
			source.answer = c.certainty
			if got, settled := p.originalSource(&client, client.Owner, nil, app, at(1000)); got != c.want || settled != c.settled {
				t.Errorf("the client: %q, settled %t", got, settled)
			}
			server := client
			server.Role, server.Tuple = conn.RoleServer, client.Tuple.Reverse()
			end := client.End()
			if got, settled := p.originalSource(&server, conn.Owner{}, &end, c.self, at(1000)); got != c.want || settled != c.settled {
				t.Errorf("the server: %q, settled %t", got, settled)
			}
			if got, _ := p.originalSource(&server, conn.Owner{}, nil, c.self, at(1000)); got != "" {
				t.Errorf("of a client that was not found: %q", got)
			}
		})
	}
}

// The flow of a tunnel's connection has its source, and waits until that is certain.
func TestTheOriginalSourceReachesTheFlow(t *testing.T) {
	ztunnel := podOf("ztunnel", "istio-system")
	ztunnel[names.PeerProxy] = string(names.Ztunnel)
	s := &scripted{peers: map[netip.Addr]conn.Peer{
		remote.Addr():                      {names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote},
		netip.MustParseAddr("10.244.1.11"): podOf("web", "shop"),
	}, certainty: conn.Final}
	p := s.open(t)
	s.source.owned = ztunnel
	c := dialled(1, conn.Open)
	c.Owner = conn.Owner{ContainerID: "c1", PodUID: "p1"}
	s.reports = []conn.Conn{c}
	s.pass(t, p, DrainInterval)
	s.pass(t, p, DrainInterval)
	if got := p.resolve(c, s.now); got.Original.Source != "web.shop" || !got.settled {
		t.Errorf("got %+v", got)
	}
}
