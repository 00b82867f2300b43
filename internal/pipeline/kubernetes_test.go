package pipeline

import (
	"net/netip"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
)

// The answer of a cluster is awaited as that of a peer on this machine is: a better one may come.
func TestRecogniseSettles(t *testing.T) {
	answer := kubernetes.Unknown
	var asked kubernetes.Query
	p := &Pipeline{cluster: Cluster{
		Address:   func(q kubernetes.Query) (conn.Peer, kubernetes.Answer) { asked = q; return conn.Peer{}, answer },
		Container: func(string) (conn.Peer, kubernetes.Answer) { return conn.Peer{}, answer },
		Pod: func(string) (conn.Peer, kubernetes.Answer) {
			return conn.Peer{names.PeerPod: "web-1"}, kubernetes.Final
		},
		Here:   func() (zone, region string) { return "zone-a", "east" },
		Synced: func() bool { return true },
		Close:  func() {},
	}}
	moment, now := time.Unix(1000, 0), time.Unix(2000, 0)
	c := conn.Conn{Socket: conn.Socket{Role: conn.RoleClient}, Timing: conn.Timing{Opened: moment}}
	remote := netip.MustParseAddrPort("10.244.1.7:80")
	for _, a := range []kubernetes.Answer{kubernetes.Unknown, kubernetes.Provisional, kubernetes.Final} {
		answer = a
		if _, settled := p.named(c, nil, remote, now); settled != (a == kubernetes.Final) {
			t.Errorf("address, answer %v: settled %v", a, settled)
		}
		known, settled := p.named(c, &conn.End{Owner: conn.Owner{ContainerID: "c1", PodUID: "u1"}}, remote, now)
		if settled != (a == kubernetes.Final) || known[names.PeerZone] != "zone-a" || a == kubernetes.Unknown && known[names.PeerPod] != "web-1" {
			t.Errorf("container, answer %v: settled %v, %+v", a, settled, known)
		}
	}
	if want := (kubernetes.Query{Address: remote.Addr(), Port: 80, At: moment, Now: now}); asked != want {
		t.Errorf("asked %+v, want %+v", asked, want)
	}
	c.Role = conn.RoleServer
	p.named(c, nil, remote, now)
	if asked.Port != 0 {
		t.Error("the port of a client was asked about")
	}
	answer = kubernetes.Unknown
	if known, settled := p.named(c, &conn.End{
		Owner: conn.Owner{Executable: "kubelet"},
	}, remote, now); !settled || known[names.PeerZone] != "zone-a" {
		t.Errorf("a process of this host: settled %v, %+v", settled, known)
	}
	if _, settled := p.named(c, nil, netip.MustParseAddrPort("127.0.0.1:80"), now); !settled {
		t.Error("a loopback address was asked about")
	}
}
