package edge

import (
	"hash/maphash"
	"runtime"
	"slices"
	"strconv"
	"testing"
)

// common returns the keys that two reports have in common, each as the primary of the first and of the second.
func common(a, b []Key) (primary [][2]bool) {
	for _, x := range a {
		for _, y := range b {
			if x.Hash == y.Hash {
				primary = append(primary, [2]bool{x.Primary, y.Primary})
			}
		}
	}
	return primary
}

// Two reports match only if all that both ends know is the same.
func TestWhatBelongsToAKey(t *testing.T) {
	seed := maphash.MakeSeed()
	web := raw{
		"host.id": "h", "k8s.pod.uid": "u", "container.id": "c", "k8s.namespace.name": "n", "k8s.deployment.name": "web",
		"k8s.container.name": "app",
	}
	sees := func(role, workload string, more raw) raw {
		point := raw{
			"netconn.role": role, "netconn.peer.type": "pod", "netconn.peer.scope": "node", "network.transport": "tcp", "server.port": "80",
			"netconn.peer.k8s.namespace.name": "n", "netconn.peer.k8s.workload.name": workload,
		}
		for k, v := range more {
			point[k] = v
		}
		return point
	}
	keys := func(resource, point raw) []Key {
		local, peer, link := ReadLocal(resource.get), ReadPeer(point.get), ReadLink(point.get)
		return link.Keys(&local, &peer, seed)
	}
	db := raw{"host.id": "h", "k8s.pod.uid": "v", "container.id": "d", "k8s.namespace.name": "n", "k8s.statefulset.name": "db"}
	client := keys(web, sees("client", "db", nil))
	for name, tt := range map[string]struct {
		resource, more raw
		matches        bool
	}{
		"the same":                 {db, nil, true},
		"another port":             {db, raw{"server.port": "81"}, false},
		"another transport":        {db, raw{"network.transport": "udp"}, false},
		"another scope":            {db, raw{"netconn.peer.scope": "remote"}, false},
		"another workload":         {db, raw{"netconn.peer.k8s.workload.name": "cron"}, false},
		"another namespace":        {db, raw{"netconn.peer.k8s.namespace.name": "m"}, false},
		"another container":        {db, raw{"netconn.peer.container.name": "proxy"}, false},
		"the container":            {db, raw{"netconn.peer.container.name": "app"}, true},
		"the same role":            {db, raw{"netconn.role": "client"}, false},
		"an unknown role":          {db, raw{"netconn.role": "unknown"}, false},
		"another NAT":              {db, raw{"netconn.nat": "dnat"}, true}, // each end knows its own
		"another server":           {raw{"host.id": "h", "k8s.deployment.name": "db", "k8s.namespace.name": "m"}, nil, false},
		"a server on another host": {raw{"host.id": "g", "k8s.namespace.name": "n", "k8s.statefulset.name": "db"}, nil, false},
	} {
		got := common(client, keys(tt.resource, sees("server", "web", tt.more)))
		if (len(got) > 0) != tt.matches {
			t.Errorf("%s: %d common keys, want a match %v", name, len(got), tt.matches)
		}
		if slices.Contains(got, [2]bool{false, true}) {
			t.Errorf("%s: the server's report is primary", name)
		}
	}
}

// Without a common place, two ends of one host are not known to be of one edge.
func TestKeysNeedAPlace(t *testing.T) {
	seed := maphash.MakeSeed()
	peer := ReadPeer(raw{"netconn.peer.type": "host", "netconn.peer.name": "nginx"}.get)
	for name, tt := range map[string]struct {
		resource raw
		scope    Scope
		keys     int
	}{
		"a host":                      {raw{"host.id": "h", "process.executable.name": "curl"}, ScopeNode, 1},
		"a host by its name":          {raw{"host.name": "h", "process.executable.name": "curl"}, ScopeNode, 1},
		"no host":                     {raw{"process.executable.name": "curl"}, ScopeNode, 0},
		"a pod":                       {raw{"k8s.pod.uid": "u", "process.executable.name": "curl"}, ScopePod, 1},
		"a pod without a uid":         {raw{"host.id": "h", "process.executable.name": "curl"}, ScopePod, 1},
		"a container":                 {raw{"container.id": "c", "process.executable.name": "curl"}, ScopeContainer, 1},
		"a container without a host":  {raw{"container.id": "c", "process.executable.name": "curl"}, ScopeNode, 0},
		"a node, to a program of it":  {raw{"host.id": "h", "k8s.node.name": "n1", "process.executable.name": "curl"}, ScopeNode, 1},
		"elsewhere, by its program":   {raw{"host.id": "h", "process.executable.name": "curl"}, ScopeRemote, 0},
		"elsewhere, without an owner": {raw{"host.id": "h"}, ScopeRemote, 0},
		"unknown":                     {raw{"host.id": "h", "process.executable.name": "curl"}, ScopeUnknown, 0},
	} {
		local := ReadLocal(tt.resource.get)
		l := Link{Role: Client, Scope: tt.scope, Port: 80}
		if got := l.Keys(&local, &peer, seed); len(got) != tt.keys {
			t.Errorf("%s: %d keys, want %d", name, len(got), tt.keys)
		}
	}
}

// Two reports of an edge with an end that has no owner match on their host, and on no other.
func TestSocketsWithoutAnOwner(t *testing.T) {
	seed := maphash.MakeSeed()
	program := ReadLocal(raw{"host.id": "h", "process.executable.name": "curl"}.get)
	seen := ReadPeer(raw{"netconn.peer.type": "host", "netconn.peer.name": "curl"}.get)
	unowned := ReadPeer(raw{"netconn.peer.type": "unknown"}.get)
	client := Link{Role: Client, Scope: ScopeNode, Port: 80}
	server := Link{Role: Server, Scope: ScopeNode, Port: 80}
	for name, tt := range map[string]struct {
		resource raw
		matches  bool
	}{
		"on the host":           {raw{"host.id": "h", "host.name": "n"}, true},
		"on another host":       {raw{"host.id": "g"}, false},
		"a program":             {raw{"host.id": "h", "process.executable.name": "nginx"}, false},
		"a unit":                {raw{"host.id": "h", "netconn.systemd.unit": "nginx.service"}, false},
		"a pod":                 {raw{"host.id": "h", "k8s.pod.uid": "u"}, false},
		"a container":           {raw{"host.id": "h", "container.id": "c"}, false},
		"a pod of a workload":   {raw{"host.id": "h", "k8s.namespace.name": "n", "k8s.deployment.name": "web"}, false},
		"a service by its name": {raw{"host.id": "h", "service.name": "s"}, true}, // a processor may name the whole host
	} {
		local := ReadLocal(tt.resource.get)
		got := common(client.Keys(&program, &unowned, seed), server.Keys(&local, &seen, seed))
		if (len(got) == 1) != tt.matches || tt.matches && got[0] != [2]bool{true, false} {
			t.Errorf("%s: common keys %v, want a match %v", name, got, tt.matches)
		}
	}
	beyond := Overflow()
	if got := client.Keys(&program, &beyond, seed); len(got) != 0 {
		t.Errorf("an end beyond a limit has keys: %v", got)
	}
}

// Two containers of one pod, and two pods of one host, are at different places.
func TestThePlaceIsTheNarrowest(t *testing.T) {
	local := ReadLocal(raw{"host.id": "h", "k8s.pod.uid": "u", "container.id": "c"}.get)
	for scope, want := range map[Scope]string{ScopeContainer: "c", ScopePod: "u", ScopeNode: "h", ScopeRemote: ""} {
		l := Link{Scope: scope}
		if got := l.place(&local).String(); got != want {
			t.Errorf("scope %v: place %q, want %q", scope, got, want)
		}
	}
}

// If the role is unknown, both ends agree on which report is primary, whatever they are called.
func TestUnknownRolesAgreeOnThePrimaryReport(t *testing.T) {
	seed := maphash.MakeSeed()
	link := Link{Scope: ScopeNode}
	program := func(name string) (self, peer End) {
		return ReadLocal(raw{"host.id": "h", "process.executable.name": name}.get),
			ReadPeer(raw{"netconn.peer.type": "host", "netconn.peer.name": name}.get)
	}
	for _, pair := range [][2]string{{"a", "b"}, {"b", "a"}} {
		self, peer := program(pair[0])
		otherSelf, otherPeer := program(pair[1])
		got := common(link.Keys(&self, &otherPeer, seed), link.Keys(&otherSelf, &peer, seed))
		if want := [2]bool{pair[0] == "a", pair[0] == "b"}; len(got) != 1 || got[0] != want {
			t.Errorf("%v: primary %v, want %v", pair, got, want)
		}
	}
	self, peer := program("a")
	if got := link.Keys(&self, &peer, seed); len(got) != 0 {
		t.Errorf("one report of both ends has %d keys", len(got))
	}
}

// A report that knows who connected is never of the same edge as a report that does not.
func TestAnUnknownRoleMatchesNoKnownOne(t *testing.T) {
	seed := maphash.MakeSeed()
	self := ReadLocal(raw{"host.id": "h", "process.executable.name": "a"}.get)
	peer := ReadPeer(raw{"netconn.peer.type": "host", "netconn.peer.name": "b"}.get)
	known, unknown := Link{Role: Client, Scope: ScopeNode}, Link{Scope: ScopeNode}
	if got := common(known.Keys(&self, &peer, seed), unknown.Keys(&self, &peer, seed)); len(got) != 0 {
		t.Errorf("%d common keys", len(got))
	}
}

// Between hosts, a process in the network of a node is seen as the node. On one host it is not.
func TestANodeIsAnIdentityBetweenHosts(t *testing.T) {
	seed := maphash.MakeSeed()
	resource := raw{
		"host.id": "h", "k8s.node.name": "n1", "k8s.namespace.name": "n", "k8s.daemonset.name": "proxy", "k8s.pod.uid": "u",
	}
	db := raw{"host.id": "g", "k8s.node.name": "n2", "k8s.namespace.name": "n", "k8s.statefulset.name": "db"}
	point := func(role, scope string, more raw) raw {
		p := raw{"netconn.role": role, "netconn.peer.scope": scope, "server.port": "80"}
		for k, v := range more {
			p[k] = v
		}
		return p
	}
	keys := func(resource, point raw) []Key {
		local, peer, link := ReadLocal(resource.get), ReadPeer(point.get), ReadLink(point.get)
		return link.Keys(&local, &peer, seed)
	}
	server := raw{"netconn.peer.type": "pod", "netconn.peer.k8s.namespace.name": "n", "netconn.peer.k8s.workload.name": "db"}
	for node, want := range map[string]int{"n1": 1, "n3": 0, "": 0} {
		client := raw{"netconn.peer.type": "node", "netconn.peer.k8s.node.name": node}
		got := common(keys(resource, point("client", "remote", server)), keys(db, point("server", "remote", client)))
		if len(got) != want || want == 1 && got[0] != [2]bool{true, false} {
			t.Errorf("seen as node %q: common keys %v, want %d", node, got, want)
		}
		if got := keys(db, point("server", "node", client)); len(got) != 0 {
			t.Errorf("on one host, node %q is an identity of %d keys", node, len(got))
		}
	}
}

// A key is the same whenever it is computed. Nothing keeps the name that a pod's controller would have, which is made of
// the pod's: after a garbage collection it is made anew.
func TestKeysOutliveGarbageCollections(t *testing.T) {
	seed := maphash.MakeSeed()
	canary := ReadLocal(raw{"host.id": "h", "k8s.namespace.name": "n", "k8s.pod.name": "canary-77f-x2bcd", "service.name": "canary"}.get)
	db := ReadPeer(raw{
		"netconn.peer.type": "pod", "netconn.peer.scope": "node", "netconn.peer.k8s.namespace.name": "n", "netconn.peer.k8s.workload.name": "db",
	}.get)
	link := ReadLink(raw{"netconn.role": "client", "netconn.peer.scope": "node", "server.port": "80"}.get)
	before := link.Keys(&canary, &db, seed)
	for range 2 { // the first one finds that a value is not used, the second one removes it
		runtime.GC()
	}
	for i := range 1000 { // takes the memory that was freed
		_ = Text(strconv.Itoa(i))
	}
	if after := link.Keys(&canary, &db, seed); len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("keys %v, later %v", before, after)
	}
}
