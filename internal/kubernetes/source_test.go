package kubernetes

import (
	"net/netip"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// source is a cluster with one pod on its own node, and all objects listed unless a watch is given.
func source(watches ...*watch) *Cluster {
	s := storeOf(Config{Node: "node-1"})
	s.putNode(&node{key: key{name: "node-1"}, zone: "zone-a", region: "east"}, after(0))
	p := podAt("first", 0, time.Second, shared)
	p.containers = []container{{name: "app", ids: []string{"c1"}, runs: true}}
	s.putPod(p, after(2*time.Second))
	return &Cluster{store: s, now: func() time.Time { return after(time.Minute) }, watches: watches}
}

// An owner on this machine is described by its container, else by its pod. A program of the host has only its place.
func TestPeerOnThisMachine(t *testing.T) {
	pod := conn.Owner{ContainerID: "c1", PodUID: "uid-first"}
	rows := map[string]struct {
		owner          conn.Owner
		pod, container string
		answer         conn.Answer
	}{
		"container":                     {pod, "first", "app", conn.Final},
		"container that is not known":   {conn.Owner{ContainerID: "c2", PodUID: "uid-first"}, "first", "", conn.Provisional},
		"pod without a container":       {conn.Owner{PodUID: "uid-first"}, "first", "", conn.Provisional},
		"pod that is not known":         {conn.Owner{ContainerID: "c3", PodUID: "uid-other"}, "", "", conn.Unknown},
		"program of the host":           {conn.Owner{Executable: "sshd"}, "", "", conn.Final},
		"id that a user gave":           {conn.Owner{ContainerID: "c1", Unit: "user.slice"}, "", "", conn.Final},
		"container outside of the pods": {conn.Owner{ContainerID: "c4"}, "", "", conn.Unknown},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			got, answer := source().Peer(conn.Query{Here: true, Owner: row.owner, Now: after(time.Minute)})
			if got[names.PeerPod] != row.pod || got[names.PeerContainerName] != row.container || answer != row.answer {
				t.Errorf("got %+v, %v", got, answer)
			}
			if got[names.PeerZone] != "zone-a" || got[names.PeerRegion] != "east" {
				t.Errorf("zone %q, region %q", got[names.PeerZone], got[names.PeerRegion])
			}
		})
	}
}

// Nothing about this machine is final before all objects were listed once.
func TestPeerBeforeTheList(t *testing.T) {
	k := source(&watch{kind: kindPods})
	for name, o := range map[string]conn.Owner{
		"container": {ContainerID: "c1", PodUID: "uid-first"}, "program of the host": {Executable: "sshd"},
	} {
		if _, answer := k.Peer(conn.Query{Here: true, Owner: o}); answer == conn.Final {
			t.Errorf("%s: the answer is final", name)
		}
	}
	if zone, _, answer := k.Here(); zone != "zone-a" || answer != conn.Final {
		t.Errorf("the zone is %q, %v", zone, answer)
	}
	k.config.Node = "node-2"
	if zone, _, answer := k.Here(); zone != "" || answer != conn.Unknown {
		t.Errorf("the zone of an unknown node is %q, %v", zone, answer)
	}
	k.watches = nil
	if _, _, answer := k.Here(); answer != conn.Final {
		t.Errorf("a node that no list has: %v", answer)
	}
}

// A peer elsewhere is described by its address.
func TestPeerElsewhere(t *testing.T) {
	q := conn.Query{Address: shared, At: after(10 * time.Second), Now: after(time.Minute)}
	if got, answer := source().Peer(q); got[names.PeerPod] != "first" || answer != conn.Final {
		t.Errorf("got %+v, %v", got, answer)
	}
	q.Address = netip.MustParseAddr("198.51.100.9")
	if got, answer := source().Peer(q); got != (conn.Peer{}) || answer != conn.Unknown {
		t.Errorf("got %+v, %v", got, answer)
	}
}

func TestWarnings(t *testing.T) {
	k := source()
	if w := k.Warnings(); len(w) != 0 {
		t.Errorf("with a node: %q", w)
	}
	k.config.Node = ""
	if w := k.Warnings(); len(w) != 1 {
		t.Errorf("without a node: %q", w)
	}
	for auth, want := range map[AuthType]bool{AuthNone: false, AuthServiceAccount: true, AuthKubeConfig: true} {
		if got := (Config{AuthType: auth}).Used(); got != want {
			t.Errorf("%s: used %v", auth, got)
		}
	}
}
