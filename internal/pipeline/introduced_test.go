package pipeline

import (
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// A registrar is a source that is certain of some containers of this machine, and of every address.
type registrar struct {
	oracle
	containers map[string]bool
	asked      int // about containers
}

func (r *registrar) Peer(q conn.Query) (conn.Peer, conn.Answer) {
	if !q.Here {
		return conn.Peer{names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote}, conn.Final
	}
	r.asked++
	if r.containers[q.Owner.ContainerID] {
		return conn.Peer{names.PeerType: names.TypePod}, conn.Final
	}
	return conn.Peer{}, conn.Unknown
}

// A connection of a container waits until the sources know the container, and does not ask again after that. One of a
// host process does not wait, and neither does any connection where there is no source.
func TestConnectionsWaitForTheirContainer(t *testing.T) {
	s := &scripted{peers: map[netip.Addr]conn.Peer{}}
	p := s.open(t)
	r := &registrar{containers: make(map[string]bool)}
	p.sources = Sources{r}
	settled := func(id uint64, container string) bool {
		c := dialled(id, conn.Open)
		c.Owner = conn.Owner{ContainerID: container}
		s.reports = []conn.Conn{c}
		s.pass(t, p, DrainInterval)
		s.pass(t, p, DrainInterval)
		return p.resolve(c, s.now).settled
	}
	if settled(1, "5f70") {
		t.Error("a container that no source knows: settled")
	}
	if !settled(2, "") {
		t.Error("a host process: not settled")
	}
	r.containers["5f70"] = true
	if !settled(3, "5f70") {
		t.Error("a container that the source knows: not settled")
	}
	before := r.asked
	delete(r.containers, "5f70")
	if !settled(4, "5f70") || r.asked != before {
		t.Errorf("a container that was known: asked %d times more", r.asked-before)
	}
	if settled(5, "0b5c") {
		t.Error("another container: settled")
	}
	p.final = true
	if !settled(6, "0b5c") {
		t.Error("at the last collection: not settled")
	}
	p.final, p.sources = false, nil
	if !p.introduced(conn.Owner{ContainerID: "0b5c"}) {
		t.Error("without a source: it waits")
	}
}
