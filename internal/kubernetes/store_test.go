package kubernetes

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// start is when the stories begin.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func after(d time.Duration) time.Time { return start.Add(d) }

const patience = 2 * time.Second

func storeOf(c Config) *store {
	c.Patience = patience
	return newStore(c)
}

var shared = netip.MustParseAddr("10.244.1.7")

// podAt is a pod that was taken by its node, and had its network, at certain times.
func podAt(name string, began, ready time.Duration, addresses ...netip.Addr) *pod {
	p := &pod{
		key: key{"shop", name}, uid: "uid-" + name, node: "node-1", name: name, workload: name, kind: "Deployment",
		addresses: addresses, began: after(began), ready: after(ready),
	}
	return p
}

// who returns the name of the pod that had the address at a moment, asked at another.
func who(s *store, a netip.Addr, at, now time.Duration) (string, conn.Answer) {
	p, answer := s.Address(conn.Query{Address: a, At: after(at), Now: after(now)})
	return p[names.PeerPod], answer
}

func wantWho(t *testing.T, s *store, at, now time.Duration, pod string, answer conn.Answer) {
	t.Helper()
	if got, a := who(s, shared, at, now); got != pod || a != answer {
		t.Errorf("at %v, asked at %v: %q, answer %d; want %q, %d", at, now, got, a, pod, answer)
	}
}

// The address goes from one pod to another within a second. Connections before belong to the first pod, connections
// after to the second. Those between belong to none.
func TestAddressUsedAgain(t *testing.T) {
	s := storeOf(Config{})
	s.putPod(podAt("first", 0, time.Second, shared), after(2*time.Second))
	s.dropPod(key{"shop", "first"}, after(100*time.Second))
	s.putPod(podAt("second", 99*time.Second, 99500*time.Millisecond, shared), after(100500*time.Millisecond))

	now := 110 * time.Second
	wantWho(t, s, 50*time.Second, now, "first", conn.Final)
	wantWho(t, s, 99*time.Second, now, "first", conn.Final)
	wantWho(t, s, 99600*time.Millisecond, now, "", conn.Unknown)
	wantWho(t, s, 100100*time.Millisecond, now, "second", conn.Final)
	wantWho(t, s, 105*time.Second, now, "second", conn.Final)
	if got := s.Stats().Ambiguous; got != 1 {
		t.Errorf("ambiguous: %d, want 1", got)
	}
}

// The API reports the end of the first pod after the second one has the address.
func TestAddressUsedAgainEndToldLate(t *testing.T) {
	s := storeOf(Config{})
	s.putPod(podAt("first", 0, time.Second, shared), after(2*time.Second))
	s.putPod(podAt("second", 99*time.Second, 99*time.Second, shared), after(100*time.Second))
	s.dropPod(key{"shop", "first"}, after(130*time.Second))
	now := 140 * time.Second
	wantWho(t, s, 98*time.Second, now, "first", conn.Final)
	wantWho(t, s, 99500*time.Millisecond, now, "", conn.Unknown)
	wantWho(t, s, 101*time.Second, now, "second", conn.Final)
	wantWho(t, s, 129*time.Second, now, "second", conn.Final)
}

// A late report of the older pod does not give it the address back.
func TestAddressLateReportOfOlder(t *testing.T) {
	s := storeOf(Config{})
	s.putPod(podAt("second", 99*time.Second, 99*time.Second, shared), after(100*time.Second))
	s.putPod(podAt("first", 0, time.Second, shared), after(101*time.Second))
	wantWho(t, s, 105*time.Second, 110*time.Second, "second", conn.Final)
	wantWho(t, s, 50*time.Second, 110*time.Second, "first", conn.Final)
}

// The API may still report another pod for a moment that is younger than its patience.
func TestAnswersSettle(t *testing.T) {
	s := storeOf(Config{})
	p := podAt("first", 0, time.Second, shared)
	s.putPod(p, after(2*time.Second))
	wantWho(t, s, 10*time.Second, 10500*time.Millisecond, "first", conn.Provisional)
	wantWho(t, s, 10*time.Second, 12*time.Second, "first", conn.Final)

	leaving := podAt("first", 0, time.Second, shared)
	leaving.leaving = true
	s.putPod(leaving, after(20*time.Second))
	wantWho(t, s, 21*time.Second, 30*time.Second, "first", conn.Provisional)
	s.dropPod(p.key, after(40*time.Second))
	wantWho(t, s, 21*time.Second, 41*time.Second, "first", conn.Final)
	wantWho(t, s, 41*time.Second, 50*time.Second, "", conn.Unknown)
}

// Pods that have ended keep their status, but not their address.
func TestAddressOfFinishedPod(t *testing.T) {
	s := storeOf(Config{})
	s.putPod(podAt("job", 0, time.Second, shared), after(2*time.Second))
	over := podAt("job", 0, time.Second, shared)
	over.over = true
	s.putPod(over, after(60*time.Second))
	wantWho(t, s, 30*time.Second, 70*time.Second, "job", conn.Final)
	wantWho(t, s, 61*time.Second, 70*time.Second, "", conn.Unknown)
}

func TestGrace(t *testing.T) {
	s := storeOf(Config{})
	p := podAt("first", 0, time.Second, shared)
	p.containers = []container{{name: "app", ids: []string{"c1"}, runs: true}}
	s.putPod(p, after(2*time.Second))
	s.dropPod(p.key, after(time.Minute))

	s.expire(after(time.Minute + rememberFor))
	wantWho(t, s, 30*time.Second, 2*time.Minute, "first", conn.Final)
	if _, a := s.Container("c1"); a != conn.Final {
		t.Error("the container is forgotten within the grace")
	}
	s.expire(after(time.Minute + rememberFor + time.Second))
	wantWho(t, s, 30*time.Second, 2*time.Minute, "", conn.Unknown)
	wantEmpty(t, s)
}

// wantEmpty finds what an index kept of what is gone.
func wantEmpty(t *testing.T, s *store) {
	t.Helper()
	sizes := map[string]int{
		"pods": len(s.pods.objects), "uids": len(s.pods.byUID.first), "containers": len(s.pods.byContainer.first),
		"addresses of pods": len(s.pods.byAddress.first), "host ports": len(s.pods.byHostPort.first), "ended": len(s.pods.ended),
		"released": len(s.pods.released),
		"services": len(s.services.objects), "addresses of services": len(s.services.byAddress.first),
		"node ports": len(s.services.byNodePort.first),
		"nodes":      len(s.nodes.objects), "addresses of nodes": len(s.nodes.byAddress.first),
		"slices": len(s.slices.objects), "endpoints": len(s.slices.byAddress.first),
	}
	for name, n := range sizes {
		if n != 0 {
			t.Errorf("%s: %d are left", name, n)
		}
	}
}

// A StatefulSet's pod is made anew under its name; a list may tell of the new one without the end of the old one.
func TestPodMadeAnew(t *testing.T) {
	s := storeOf(Config{})
	p := podAt("db-0", 0, time.Second, shared)
	s.putPod(p, after(2*time.Second))
	anew := podAt("db-0", time.Minute, time.Minute, netip.MustParseAddr("10.244.1.8"))
	anew.uid = "uid-anew"
	s.putPod(anew, after(time.Minute))
	wantWho(t, s, 30*time.Second, 2*time.Minute, "db-0", conn.Final)
	if p, a := s.Address(conn.Query{Address: shared, At: after(90 * time.Second), Now: after(2 * time.Minute)}); a != conn.Unknown {
		t.Errorf("the old address still is %+v", p)
	}
	if _, a := s.Pod("uid-db-0"); a != conn.Final {
		t.Error("the old pod is forgotten")
	}
	if _, a := s.Pod("uid-anew"); a != conn.Final {
		t.Error("the new pod is not known")
	}
}

// An API server that is behind lists what was before: a pod that is known is not in the list, and then it is there
// again.
func TestPodIsThereAgain(t *testing.T) {
	s := storeOf(Config{})
	p := func() *pod {
		p := podAt("web", 0, time.Second, shared)
		p.containers = []container{{name: "app", ids: []string{"c1"}, runs: true}}
		return p
	}
	s.putPod(p(), after(2*time.Second))
	s.keepPods(nil, after(10*time.Second))
	s.putPod(p(), after(11*time.Second))
	for _, at := range []time.Duration{5 * time.Second, 10500 * time.Millisecond, 20 * time.Second} {
		wantWho(t, s, at, time.Minute, "web", conn.Final)
	}
	s.expire(after(10*time.Second + rememberFor + time.Second))
	if _, a := s.Container("c1"); a != conn.Final {
		t.Error("its container is forgotten with the record of before")
	}
	if _, a := s.Pod("uid-web"); a != conn.Final {
		t.Error("it is forgotten with the record of before")
	}
}

func TestMaxPods(t *testing.T) {
	s := storeOf(Config{MaxPods: 2})
	for i := range 3 {
		s.putPod(podAt(fmt.Sprint("p", i), 0, 0), start)
	}
	s.putPod(podAt("p0", 0, 0), start) // an update has room
	if got := s.Stats(); got.Pods != 2 || got.PodsRefused != 1 {
		t.Errorf("pods %d, refused %d; want 2, 1", got.Pods, got.PodsRefused)
	}
	k := &Cluster{store: s}
	if f := k.Faults(); len(f) != 1 || f[0].About != "max_pods" {
		t.Errorf("faults %v, want one", f)
	}
	s.dropPod(key{"shop", "p1"}, start)
	if f := k.Faults(); len(f) != 0 {
		t.Errorf("faults %v, though there is room", f)
	}
}

var (
	reviewsService = conn.Peer{
		names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown, names.PeerName: "reviews",
		names.PeerNamespace: "shop",
	}
	secondNode = conn.Peer{
		names.PeerType: names.TypeNode, names.PeerScope: names.ScopeRemote, names.PeerNode: "node-2",
		names.PeerZone: "b", names.PeerRegion: "r",
	}
)

// addressed are addresses with ports, with the peer and the service that they lead to.
var addressed = []struct {
	what, to string
	want     conn.Peer
	service  string
}{
	{"cluster address", "10.96.1.3:9080", reviewsService, "reviews.shop"},
	{"a port that the service does not have", "10.96.1.3:1", reviewsService, "reviews.shop"},
	{"dual stack", "[fd00::3]:9080", reviewsService, "reviews.shop"},
	{"mapped address", "[::ffff:10.96.1.3]:9080", reviewsService, "reviews.shop"},
	{"load balancer of two services", "203.0.113.9:25",
		conn.Peer{
			names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown, names.PeerName: "mail",
			names.PeerNamespace: "shop",
		}, "mail.shop"},
	{"neither of two services", "203.0.113.9:443", conn.Peer{}, ""},
	{"node port", "192.0.2.2:30080", reviewsService, "reviews.shop"},
	{"node", "192.0.2.2:22", secondNode, ""},
	{"node as a client", "192.0.2.2:0", secondNode, ""},
	{"this node", "192.0.2.1:22", conn.Peer{
		names.PeerType: names.TypeNode, names.PeerScope: names.ScopeNode, names.PeerNode: "node-1",
		names.PeerZone: "a", names.PeerRegion: "r",
	}, ""},
	{"pod in the node's network", "192.0.2.2:9100", conn.Peer{
		names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: "exporter",
		names.PeerWorkload: "exporter", names.PeerWorkloadKind: "Deployment", names.PeerPod: "exporter",
		names.PeerNamespace: "shop", names.PeerNode: "node-2", names.PeerZone: "b", names.PeerRegion: "r",
		names.PeerContainerName: "exporter", names.PeerImageTag: "v1",
	}, ""},
	{"entered by hand", "198.51.100.5:5432", conn.Peer{
		names.PeerType: names.TypeService, names.PeerName: "db", names.PeerNamespace: "shop",
		names.PeerZone: "z",
	}, ""},
	{"unknown", "198.51.100.6:5432", conn.Peer{}, ""},
}

// Services and nodes by the addresses and ports that lead to them.
func TestServicesAndNodes(t *testing.T) {
	s := storeOf(Config{Node: "node-1"})
	addr := netip.MustParseAddr
	s.putNode(&node{key: key{name: "node-1"}, addresses: []netip.Addr{addr("192.0.2.1")}, zone: "a", region: "r"}, start)
	s.putNode(&node{key: key{name: "node-2"}, addresses: []netip.Addr{addr("192.0.2.2")}, zone: "b", region: "r"}, start)
	s.putService(&service{key: key{"shop", "reviews"}, addresses: []netip.Addr{addr("10.96.1.3"), addr("fd00::3")},
		ports: []port{9080}, nodePorts: []port{30080}}, start)
	s.putService(&service{key: key{"shop", "web"}, addresses: []netip.Addr{addr("203.0.113.9")}, ports: []port{80}}, start)
	s.putService(&service{key: key{"shop", "mail"}, addresses: []netip.Addr{addr("203.0.113.9")}, ports: []port{25}}, start)
	exporter := podAt("exporter", 0, 0)
	exporter.node, exporter.hostPorts = "node-2", []exposed{{9100, 1}}
	exporter.containers = []container{{name: "side", runs: true}, {name: "exporter", ports: []port{9100}, tag: "v1", runs: true}}
	s.putPod(exporter, start)
	s.putSlice(&slice{key: key{"shop", "db-x"}, service: "db", endpoints: []endpoint{{address: addr("198.51.100.5"), zone: "z"}}}, start)

	for _, c := range addressed {
		t.Run(c.what, func(t *testing.T) {
			to := netip.MustParseAddrPort(c.to)
			got, _ := s.Address(conn.Query{Address: to.Addr(), Port: to.Port(), At: after(time.Minute), Now: after(time.Hour)})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("peer (-want +got):\n%s", diff)
			}
			if got := s.Service(conn.TCP, to); got != c.service {
				t.Errorf("service %q, want %q", got, c.service)
			}
		})
	}

	for _, k := range []string{"reviews", "web", "mail"} {
		s.dropService(key{"shop", k}, start)
	}
	s.dropNode(key{name: "node-1"}, start)
	s.dropNode(key{name: "node-2"}, start)
	s.dropSlice(key{"shop", "db-x"}, start)
	s.dropPod(exporter.key, start)
	s.expire(after(time.Hour))
	wantEmpty(t, s)
}

// With ScopeNode a pod of another node is asked for once, and is known for as long as a slice names it.
func TestEndpointIsAskedFor(t *testing.T) {
	s := storeOf(Config{Scope: ScopeNode, Node: "node-1"})
	list := &slice{key: key{"shop", "reviews-x"}, service: "reviews", ports: []port{9080},
		endpoints: []endpoint{{address: shared, pod: "reviews-1", uid: "uid-reviews-1", node: "node-2", zone: "b"}}}
	s.putSlice(list, start)
	ask := func() (conn.Peer, conn.Answer) {
		return s.Address(conn.Query{Address: shared, Port: 9080, At: after(60e9), Now: after(120e9)})
	}
	for range 3 {
		got, a := ask()
		want := conn.Peer{
			names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: "reviews",
			names.PeerNamespace: "shop", names.PeerPod: "reviews-1", names.PeerNode: "node-2", names.PeerZone: "b",
		}
		if diff := cmp.Diff(want, got); diff != "" || a != conn.Provisional {
			t.Fatalf("answer %d (-want +got):\n%s", a, diff)
		}
	}
	if n := len(s.fetches.queue); n != 1 {
		t.Fatalf("%d requests, want 1", n)
	}
	p := podAt("reviews-1", 0, 0, shared)
	p.node, p.fetched = "node-2", true
	s.putPod(p, after(61e9))
	if got, a := ask(); got[names.PeerWorkload] != "reviews-1" || a != conn.Final {
		t.Errorf("answer %d: %+v", a, got)
	}
	s.keepPods(nil, after(62e9)) // a list of this node's pods does not have it
	if _, a := ask(); a != conn.Final {
		t.Error("the list of this node's pods took it away")
	}
	s.dropSlice(list.key, after(130e9))
	if p := s.pods.byUID.newest("uid-reviews-1"); !p.ended.Equal(after(130e9)) {
		t.Errorf("ended %v", p.ended)
	}
}

// A container that was restarted started later than its pod had its address; the earlier sign counts.
func TestEarliestSignCounts(t *testing.T) {
	s := storeOf(Config{})
	s.putPod(podAt("first", 0, 10*time.Second, shared), after(11*time.Second))
	s.putPod(podAt("first", 0, time.Minute, shared), after(61*time.Second))
	if p := s.pods.byUID.newest("uid-first"); !p.ready.Equal(after(10 * time.Second)) {
		t.Errorf("ready %v, want %v", p.ready, after(10*time.Second))
	}
	s.putPod(podAt("first", 0, 5*time.Second, shared), after(62*time.Second))
	if p := s.pods.byUID.newest("uid-first"); !p.ready.Equal(after(5 * time.Second)) {
		t.Errorf("ready %v, want %v", p.ready, after(5*time.Second))
	}
}
