package netconnreceiver

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kubernetes"
)

// join is the cluster of a story: what it knows, it knows from the beginning.
func (s *story) join(*Config, func() time.Time) (cluster, error) {
	if s.Pods == nil {
		return cluster{}, nil
	}
	find := func(what string) (conn.Peer, kubernetes.Answer) {
		if p, ok := s.Pods[what]; ok {
			return p, kubernetes.Final
		}
		return conn.Peer{}, kubernetes.Unknown
	}
	return cluster{
		container: find,
		pod:       find,
		address: func(q kubernetes.Question) (conn.Peer, kubernetes.Answer) {
			if p, a := find(netip.AddrPortFrom(q.Address, q.Port).String()); a == kubernetes.Final {
				return p, a
			}
			return find(q.Address.String())
		},
		service: func(to netip.AddrPort) string { return s.Names[to] },
		here:    func() (zone, region string) { return "zone-a", "east" },
		synced:  func() bool { return true },
		faults:  func() []kubernetes.Fault { return nil },
		health:  func() kubernetes.Health { return kubernetes.Health{} },
		close:   func() {},
	}, nil
}

// What comes and goes while the receiver runs is told when it does, once, beside what was missing from the start.
func TestClusterFaultsAreTold(t *testing.T) {
	r := newRig(t)
	var faults []kubernetes.Fault
	away := kubernetes.Fault{About: "pods", Err: errors.New("watch pods: connection refused")}
	again := kubernetes.Fault{About: "pods", Err: errors.New("watch pods: connection refused, again")}
	r.cluster = cluster{
		here: func() (zone, region string) { return "", "" }, synced: func() bool { return true },
		faults: func() []kubernetes.Fault { return faults }, health: func() kubernetes.Health { return kubernetes.Health{} },
		close: func() { r.closed++ },
	}
	r.scraper.config.NodeName = "node-1"
	r.start(t)
	r.scraper.reportTo(signalMetrics, r)
	missing := r.noCgroups(t)
	for _, now := range [][]kubernetes.Fault{nil, {away}, {again}, nil, nil} {
		faults = now
		scrapeOnce(t, r)
	}
	r.scraper.reportTo(signalMetrics, nil) // it has shut down
	faults = []kubernetes.Fault{away}
	scrapeOnce(t, r)
	want := []string{
		"Something is missing. " + missing, "Something does not work. " + away.Err.Error(), "Something does not work. " + away.Err.Error(),
		"StatusRecoverableError " + missing, "StatusRecoverableError " + missing + "\n" + away.Err.Error(), "StatusRecoverableError " + missing,
	}
	if got := r.told(); !slices.Equal(got, want) {
		t.Errorf("told:\n%q\nwant:\n%q", got, want)
	}
	if err := r.scraper.shutdown(t.Context()); err != nil || r.closed != 2 {
		t.Errorf("closed %d of 2, %v", r.closed, err)
	}
}

// A cluster that cannot be joined costs the names of peers.
func TestClusterCannotBeJoined(t *testing.T) {
	r := newRig(t)
	r.clusterErr = errors.New("use the service account of this pod for the Kubernetes API: no such file")
	r.start(t)
	scrapeOnce(t, r)
	if got := r.told(); len(got) != 3 || got[0] != "Something is missing. "+r.clusterErr.Error() {
		t.Errorf("told %q", got)
	}
}

// The answer of a cluster is awaited as that of a peer on this machine is: a better one may come.
func TestRecogniseSettles(t *testing.T) {
	answer := kubernetes.Unknown
	var asked kubernetes.Question
	p := &pipeline{cluster: cluster{
		address:   func(q kubernetes.Question) (conn.Peer, kubernetes.Answer) { asked = q; return conn.Peer{}, answer },
		container: func(string) (conn.Peer, kubernetes.Answer) { return conn.Peer{}, answer },
		pod:       func(string) (conn.Peer, kubernetes.Answer) { return conn.Peer{Pod: "web-1"}, kubernetes.Final },
		here:      func() (zone, region string) { return "zone-a", "east" },
		synced:    func() bool { return true },
		close:     func() {},
	}}
	moment, now := time.Unix(1000, 0), time.Unix(2000, 0)
	c := conn.Conn{Role: conn.RoleClient, Moment: moment}
	remote := netip.MustParseAddrPort("10.244.1.7:80")
	for _, a := range []kubernetes.Answer{kubernetes.Unknown, kubernetes.Provisional, kubernetes.Final} {
		answer = a
		if _, settled := p.recognise(c, nil, remote, now); settled != (a == kubernetes.Final) {
			t.Errorf("address, answer %v: settled %v", a, settled)
		}
		known, settled := p.recognise(c, &conn.End{Owner: conn.Owner{ContainerID: "c1", PodUID: "u1"}}, remote, now)
		if settled != (a == kubernetes.Final) || known.Zone != "zone-a" || a == kubernetes.Unknown && known.Pod != "web-1" {
			t.Errorf("container, answer %v: settled %v, %+v", a, settled, known)
		}
	}
	if want := (kubernetes.Question{Address: remote.Addr(), Port: 80, At: moment, Now: now}); asked != want {
		t.Errorf("asked %+v, want %+v", asked, want)
	}
	c.Role = conn.RoleServer
	p.recognise(c, nil, remote, now)
	if asked.Port != 0 {
		t.Error("the port of a client was asked about")
	}
	answer = kubernetes.Unknown
	if known, settled := p.recognise(c, &conn.End{Owner: conn.Owner{Executable: "kubelet"}}, remote, now); !settled || known.Zone != "zone-a" {
		t.Errorf("a process of this host: settled %v, %+v", settled, known)
	}
	if _, settled := p.recognise(c, nil, netip.MustParseAddrPort("127.0.0.1:80"), now); !settled {
		t.Error("a loopback address was asked about")
	}
}

func scrapeOnce(t *testing.T, r *rig) {
	t.Helper()
	if _, err := r.scraper.scrape(t.Context()); err != nil {
		t.Fatal(err)
	}
}
