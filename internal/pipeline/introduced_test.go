package pipeline

import (
	"net/netip"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kubernetes"
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

// The flows of a pod's container wait for an API that has listed the other containers, but not for ever, and not at the
// end of the agent. Nothing else waits.
func TestFlowsWaitForTheirContainer(t *testing.T) {
	inPod := conn.Owner{ContainerID: "5f70", PodUID: "8f0c"}
	static := conn.Owner{ContainerID: "0b5c", StaticPod: true}
	synced := kubernetes.WatchHealth{Kind: "pods", Synced: true}
	for name, c := range map[string]struct {
		owner   conn.Owner
		age     time.Duration
		watches []kubernetes.WatchHealth
		known   string
		final   bool
		want    bool
	}{
		"a container that has just started": {owner: inPod, watches: []kubernetes.WatchHealth{synced}, want: true},
		"a static pod":                      {owner: static, watches: []kubernetes.WatchHealth{synced}, want: true},
		"almost too long":                   {owner: static, age: ContainerPatience - 1, watches: []kubernetes.WatchHealth{synced}, want: true},
		"too long":                          {owner: static, age: ContainerPatience, watches: []kubernetes.WatchHealth{synced}},
		"a known container":                 {owner: inPod, watches: []kubernetes.WatchHealth{synced}, known: "5f70"},
		"another known container":           {owner: inPod, watches: []kubernetes.WatchHealth{synced}, known: "0b5c", want: true},
		"the last collection":               {owner: inPod, watches: []kubernetes.WatchHealth{synced}, final: true},
		"an API that has not answered":      {owner: inPod, watches: []kubernetes.WatchHealth{synced, {Kind: "services"}}},
		"no API":                            {owner: inPod},
		"a container in no pod":             {owner: conn.Owner{ContainerID: "5f70"}, watches: []kubernetes.WatchHealth{synced}},
		"a host process":                    {owner: conn.Owner{Executable: "sshd"}, watches: []kubernetes.WatchHealth{synced}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scripted{peers: map[netip.Addr]conn.Peer{}}
			p := s.open(t)
			p.sources = Sources{&registrar{oracle{health: kubernetes.Health{Watches: c.watches}}, map[string]bool{c.known: true}, 0}}
			if _, err := p.Collect(s.now); err != nil {
				t.Fatal(err)
			}
			p.TakeAsFinal(c.final)
			if got := p.withhold(c.owner, c.age); got != c.want {
				t.Errorf("withheld: %t, want %t", got, c.want)
			}
		})
	}
}
