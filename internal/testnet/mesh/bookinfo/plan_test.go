//go:build linux

package bookinfo

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
	"github.com/netconn/netconn/internal/testnet/worker"
)

// addresses makes the pods of a deployment with their addresses and nothing else.
func addresses(t *testing.T) *Deployment {
	t.Helper()
	w := &Deployment{pods: make(map[string]*mesh.Pod)}
	for _, p := range podSpecs() {
		address := netip.AddrFrom4([4]byte{10, 244, byte(p.node), byte(p.host)})
		w.pods[p.pod] = &mesh.Pod{Name: p.pod, Addr4: address}
	}
	return w
}

// addMember adds a process with a name to a pod, or outside of all pods.
func (w *Deployment) addMember(pod, name string) Member {
	m := Member{Process: &mesh.Process{Worker: &worker.Worker{Name: name}}, Pod: w.pods[pod]}
	w.Members = append(w.Members, m)
	return m
}

// Pods of one service are its endpoints, in their order. The gateway is reached at port 80 and on each node.
func TestServices(t *testing.T) {
	var got []string
	for _, s := range addresses(t).services() {
		line := s.Address.String() + " ->"
		for _, e := range s.Endpoints {
			line += " " + e.String()
		}
		if s.NodePort != 0 {
			line += " node port"
		}
		got = append(got, line)
	}
	want := []string{
		"10.96.1.4:9080 -> 10.244.2.12:9080",
		"10.96.1.3:9080 -> 10.244.1.12:9080 10.244.2.13:9080",
		"10.96.1.2:9080 -> 10.244.2.11:9080",
		"10.96.1.1:9080 -> 10.244.1.11:9080",
		"10.96.1.9:80 -> 10.244.1.20:8080 node port",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}

// The configuration of a proxy has the same endpoints, by the service's address.
func TestEndpoints(t *testing.T) {
	w := addresses(t)
	all := w.endpoints()
	if len(all) != len(w.services()) {
		t.Errorf("%d services, and endpoints of %d: %v", len(w.services()), len(all), all)
	}
	want := []netip.AddrPort{netip.MustParseAddrPort("10.244.1.12:9080"), netip.MustParseAddrPort("10.244.2.13:9080")}
	if got := all[w.Service(Reviews).String()]; !slices.Equal(want, got) {
		t.Errorf("of reviews: %v, want %v", got, want)
	}
}

// Pods have names and addresses of their own, and every service that a pod calls exists.
func TestPodSpecs(t *testing.T) {
	names, hosts, services := make(map[string]bool), make(map[[2]int]bool), make(map[string]bool)
	for _, p := range podSpecs() {
		if names[p.pod] || hosts[[2]int{p.node, p.host}] {
			t.Errorf("%s, or its address, is there twice", p.pod)
		}
		names[p.pod], hosts[[2]int{p.node, p.host}] = true, true
		services[p.vip] = true
		for _, call := range p.calls {
			address, _, _ := strings.Cut(strings.TrimPrefix(call, "http://"), ":")
			if !services[address] && address != "10.244.1.11" {
				t.Errorf("%s calls %s, which no pod before it serves", p.pod, call)
			}
		}
	}
}

// A service that does not exist has no address.
func TestServiceAddress(t *testing.T) {
	for name, want := range map[string]string{
		Reviews: "10.96.1.3:9080", Details: "10.96.1.2:9080", Gateway: "10.96.1.9:8080", Envoy: "invalid AddrPort", "": "invalid AddrPort",
	} {
		if got := (&Deployment{}).Service(name).String(); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// A member is found by its pod and its name. The proxy of a pod is its sidecar, else its application.
func TestFind(t *testing.T) {
	w := addresses(t)
	reviews, sidecar := w.addMember("reviews-v1", Reviews), w.addMember("reviews-v1", Envoy)
	other := w.addMember("reviews-v3", Reviews)
	client := w.addMember("", Client)
	for name, c := range map[string]struct{ got, want Member }{
		"an application":              {w.Find("reviews-v1", Reviews), reviews},
		"of another pod":              {w.Find("reviews-v3", Reviews), other},
		"a sidecar":                   {w.Find("reviews-v1", Envoy), sidecar},
		"a process that is not there": {w.Find("reviews-v3", Envoy), Member{}},
		"the client has no pod":       {w.Find("", Client), Member{}},
		"the client is the last":      {w.Client(), client},
		"a proxy":                     {w.Proxy("reviews-v1"), sidecar},
		"without a sidecar":           {w.Proxy("reviews-v3"), other},
		"of no pod":                   {w.Proxy("nothing"), Member{}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %+v, want %+v", name, c.got, c.want)
		}
	}
}

// The name of a family says which part of the mesh it is for.
func TestVariants(t *testing.T) {
	dir := fstest.MapFS{}
	for _, name := range []string{
		"ambient-host.nft.v4", "ambient-pod.nft.v4", "istio18-sidecar-redirect.nft", "proxy-node1.nft", "proxy-node2.nft",
		"sidecar-tproxy.nft", "istio130-sidecar-redirect-dns.nft", "README.md",
	} {
		dir[name] = &fstest.MapFile{}
	}
	all, err := Variants(dir)
	if err != nil {
		t.Fatal(err)
	}
	type summary struct {
		Pod                                           string
		Nodes                                         []string
		Ambient, Transparent, Loopback, Known, Probes bool
	}
	got := make(map[string]summary)
	for _, v := range all {
		s := summary{
			Ambient: v.Ambient, Transparent: v.Sidecar.Transparent, Loopback: v.Sidecar.Loopback, Known: v.Known, Probes: v.Probes,
		}
		if v.Rules != nil {
			s.Pod = v.Rules.Name
		}
		for _, f := range v.NodeRules {
			s.Nodes = append(s.Nodes, f.Name)
		}
		got[v.Name] = s
	}
	want := map[string]summary{
		"ambient-host.nft":              {Nodes: []string{"ambient-host.nft", "ambient-host.nft"}, Probes: true},
		"ambient-pod.nft":               {Pod: "ambient-pod.nft", Ambient: true},
		"istio130-sidecar-redirect-dns": {Pod: "istio130-sidecar-redirect-dns"},
		"istio18-sidecar-redirect":      {Pod: "istio18-sidecar-redirect", Loopback: true},
		"proxy-node1":                   {Nodes: []string{"proxy-node1", "proxy-node2"}, Known: true},
		"sidecar-tproxy":                {Pod: "sidecar-tproxy", Transparent: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variants (-want +got):\n%s", diff)
	}
}

// Rules that no variant uses are an error: they would not be tested.
func TestRulesOfNoVariant(t *testing.T) {
	_, err := Variants(fstest.MapFS{"waypoint.nft": &fstest.MapFile{}})
	if err == nil || !strings.Contains(err.Error(), "use the rules waypoint: ") {
		t.Errorf("got %v", err)
	}
}

// The project's own rules are of every kind.
func TestOwnVariants(t *testing.T) {
	all, err := Variants(mesh.Own())
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]bool)
	for _, v := range all {
		switch {
		case v.Probes:
			kinds["host"] = true
		case v.Ambient:
			kinds["ambient"] = true
		case v.Sidecar.Transparent:
			kinds["tproxy"] = true
		case v.Rules != nil:
			kinds["redirect"] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(kinds)), []string{"ambient", "host", "redirect", "tproxy"}; !slices.Equal(got, want) {
		t.Errorf("kinds %v, want %v", got, want)
	}
}

// A line of a socket list has its columns at fixed places, and the arrow points to the side that accepted.
func TestListedSocketText(t *testing.T) {
	s := ListedSocket{Name: Envoy, Socket: mesh.Socket{
		Local: netip.MustParseAddrPort("127.0.0.6:40000"), Remote: netip.MustParseAddrPort("10.244.1.11:9080"),
	}}
	if got, want := s.String(), "envoy        127.0.0.6:40000   -> 10.244.1.11:9080"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.Accepted = true
	if got, want := s.String(), "envoy        127.0.0.6:40000   <- 10.244.1.11:9080"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Pods have the UIDs, and the client the name, that the options give. Without a proxy there is no path of six sockets.
func TestOptions(t *testing.T) {
	w := newDeployment(t, Options{Client: "shopper", UID: func(pod string) string { return "uid-of-" + pod }})
	if got := w.Client(); got.Name != "shopper" || got.Pod != nil {
		t.Errorf("the client is %s, in the pod %v", got.Name, got.Pod)
	}
	for _, p := range podSpecs() {
		if m := w.Find(p.pod, p.name); m.Process == nil || m.Pod.UID != "uid-of-"+p.pod {
			t.Errorf("%s: %+v", p.pod, m)
		}
		if m := w.Find(p.pod, Envoy); m.Process != nil {
			t.Errorf("%s has a sidecar", p.pod)
		}
	}
	if path, err := w.Path(Productpage, Reviews, "reviews-v3"); err == nil || !strings.Contains(err.Error(), "follow productpage to reviews-v3: no socket after []") {
		t.Errorf("a path before any request: %v, %v", path, err)
	}
	dialled, accepted, err := w.Totals()
	if err != nil || dialled != (Total{}) || accepted != (Total{}) || w.Balanced() != nil {
		t.Errorf("before any request %+v were dialled, %+v accepted, %v", dialled, accepted, err)
	}
}

// There is no balance while a connection is about to be closed, even if both of its ends have counted the same.
func TestBalance(t *testing.T) {
	dialled := Total{Connections: 20, Open: 2, Sent: 100, Received: 3000}
	accepted := Total{Connections: 20, Open: 2, Sent: 3000, Received: 100}
	if err := balance(dialled, accepted); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Total){
		"to be closed": func(d *Total) { d.Closing = 1 }, "not accepted yet": func(d *Total) { d.Connections++ },
		"closed at one end": func(d *Total) { d.Open-- }, "under way": func(d *Total) { d.Sent++ },
	} {
		other := dialled
		change(&other)
		if balance(other, accepted) == nil {
			t.Errorf("%s: %+v balances", name, other)
		}
	}
}

// The client keeps no connection, an application those that the options say, and a sidecar for HTTP its own.
func TestWhoKeepsConnections(t *testing.T) {
	member := func(name string) Member { return Member{Process: &mesh.Process{Worker: &worker.Worker{Name: name}}} }
	app, envoy, client := member("reviews"), member(Envoy), member("client")
	for name, c := range map[string]struct {
		o    Options
		want [3]bool
	}{
		"none": {Options{}, [3]bool{}}, "kept": {Options{Keep: true}, [3]bool{true, true}},
		"HTTP":       {Options{Sidecar: program.Sidecar{HTTP: true}}, [3]bool{false, true}},
		"HTTP, kept": {Options{Keep: true, Sidecar: program.Sidecar{HTTP: true}}, [3]bool{true, true}},
	} {
		w := &Deployment{Members: []Member{app, envoy, client}, options: c.o}
		if got := [3]bool{w.keeps(app), w.keeps(envoy), w.keeps(client)}; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A process that has ended counts no more: without its counts there are no totals, and no balance.
func TestTotalsAfterAnEnd(t *testing.T) {
	w := newDeployment(t, Options{})
	if err := w.Ask(2); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Client().Stop(); err != nil {
		t.Fatal(err)
	}
	_, _, err := w.Totals()
	for what, err := range map[string]error{"totals": err, "balance": w.Balanced(), "requests": w.Ask(1)} {
		if err == nil || !strings.Contains(err.Error(), "client: it has ended") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
