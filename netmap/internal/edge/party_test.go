package edge

import (
	"testing"

	"github.com/netconn/netconn/internal/names"
)

// texts are attributes that are all texts.
func texts(m map[string]string) Attributes {
	return func(key string) (string, bool) {
		v, ok := m[key]
		return v, ok
	}
}

func with(base map[string]string, more ...string) map[string]string {
	all := map[string]string{}
	for k, v := range base {
		all[k] = v
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

// party is an end as "type namespace/name container".
func (e *End) partyText() string {
	s := e.Get(names.TagType)
	if e.Has(names.TagNamespace) {
		s += " " + e.Get(names.TagNamespace) + "/"
	} else {
		s += " "
	}
	return s + e.Get(names.TagName) + " " + e.Get(names.TagContainer)
}

// Both ends' reports agree on who the two are, at the level of workloads.
func TestPartiesOfBothReports(t *testing.T) {
	pod := func(workload, container string) map[string]string {
		return map[string]string{
			"k8s.namespace.name": "shop", "k8s.deployment.name": workload, "k8s.pod.name": workload + "-1",
			"k8s.pod.uid": "u", "k8s.container.name": container, "container.id": "c", "k8s.node.name": "n1", "host.id": "h1",
		}
	}
	seesPod := func(role, scope, workload, container string) map[string]string {
		return map[string]string{
			"netconn.role": role, "netconn.peer.scope": scope, "netconn.peer.type": "pod", "netconn.peer.name": workload,
			"netconn.peer.k8s.namespace.name": "shop", "netconn.peer.k8s.workload.name": workload,
			"netconn.peer.container.name": container, "server.port": "80",
		}
	}
	program := map[string]string{"process.executable.name": "kubelet", "host.id": "h2", "host.name": "n2"}
	onNode := with(program, "k8s.node.name", "n2")
	seesNode := func(role string) map[string]string {
		return map[string]string{
			"netconn.role": role, "netconn.peer.scope": "remote", "netconn.peer.type": "node",
			"netconn.peer.name": "n2", "netconn.peer.k8s.node.name": "n2", "server.port": "80",
		}
	}
	seesProgram := func(role string) map[string]string {
		return map[string]string{
			"netconn.role": role, "netconn.peer.scope": "node", "netconn.peer.type": "host", "netconn.peer.name": "kubelet",
		}
	}
	for name, tt := range map[string]struct {
		client, server         map[string]string // resources
		byClient, byServer     map[string]string // points
		wantClient, wantServer string
	}{
		"pods": {
			pod("web", "app"), pod("db", "app"), seesPod("client", "remote", "db", "app"), seesPod("server", "remote", "web", "app"),
			"pod shop/web ", "pod shop/db ",
		},
		"a hop in a pod": {
			pod("web", "app"), pod("web", "proxy"), seesPod("client", "pod", "web", "proxy"), seesPod("server", "pod", "web", "app"),
			"pod shop/web app", "pod shop/web proxy",
		},
		"a program of a node and a pod elsewhere": {
			onNode, pod("web", "app"), seesPod("client", "remote", "web", "app"), seesNode("server"), "node  ", "pod shop/web ",
		},
		"programs of two nodes": {onNode, onNode, seesNode("client"), seesNode("server"), "node  ", "node  "},
		"a program and a pod on one node": {
			onNode, pod("web", "app"), seesPod("client", "node", "web", "app"), seesProgram("server"),
			"host kubelet ", "pod shop/web ",
		},
	} {
		local, peer, link := ReadLocal(texts(tt.client)), ReadPeer(texts(tt.byClient)), ReadLink(texts(tt.byClient))
		client, server := link.Parties(&local, &peer)
		local, peer, link = ReadLocal(texts(tt.server)), ReadPeer(texts(tt.byServer)), ReadLink(texts(tt.byServer))
		ownServer, ownClient := link.Parties(&local, &peer)
		if client != ownClient || server != ownServer {
			t.Errorf("%s: the client reports %q to %q, the server %q to %q", name,
				client.partyText(), server.partyText(), ownClient.partyText(), ownServer.partyText())
		}
		if client.partyText() != tt.wantClient || server.partyText() != tt.wantServer {
			t.Errorf("%s: %q to %q, want %q to %q", name, client.partyText(), server.partyText(), tt.wantClient, tt.wantServer)
		}
	}
}

// A peer that cannot report itself leaves the program of a node its name.
func TestPartiesThatOneEndReports(t *testing.T) {
	local := ReadLocal(texts(map[string]string{"process.executable.name": "curl", "k8s.node.name": "n1", "host.id": "h"}))
	for want, point := range map[string]map[string]string{
		"public example.com ": {"netconn.peer.type": "public", "netconn.peer.name": "public addresses", "netconn.peer.domain": "example.com"},
		"public office ":      {"netconn.peer.type": "public", "netconn.peer.name": "office"},
		"private  ":           {"netconn.peer.type": "private"},
		"other  ":             {"otel.metric.overflow": "true"},
	} {
		point["netconn.role"], point["netconn.peer.scope"] = "client", "remote"
		peer, link := ReadPeer(texts(point)), ReadLink(texts(point))
		own, other := link.Parties(&local, &peer)
		if own.partyText() != "host curl " || other.partyText() != want {
			t.Errorf("%q to %q, want \"host curl \" to %q", own.partyText(), other.partyText(), want)
		}
	}
}

// The order of two ends is one that both reports find.
func TestBefore(t *testing.T) {
	end := func(kind, namespace, name, container string) (e End) {
		e.set(names.TagType, kind)
		e.set(names.TagNamespace, namespace)
		e.set(names.TagName, name)
		e.set(names.TagContainer, container)
		return e
	}
	ordered := []End{
		end("host", "", "curl", ""), end("pod", "a", "z", ""), end("pod", "b", "a", ""), end("pod", "b", "c", "app"),
		end("pod", "b", "c", "proxy"), end("public", "", "", ""),
	}
	for i := range ordered {
		for j := range ordered {
			if got := ordered[i].Before(&ordered[j]); got != (i < j) {
				t.Errorf("%q before %q: %t", ordered[i].partyText(), ordered[j].partyText(), got)
			}
		}
	}
}
