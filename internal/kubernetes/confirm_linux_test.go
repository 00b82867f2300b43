//go:build linux

package kubernetes

import (
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// What an API server lists: the nodes' boots and the annotations of a mirror pod are read, and an outage is noticed.
func TestBelieveWhatAServerLists(t *testing.T) {
	s := newServer(t)
	for node, boot := range map[string]string{"node-1": "boot-a", "node-2": "boot-a", "node-3": "boot-b"} {
		s.lists[kindNodes] = append(s.lists[kindNodes], manifest("Node", "v1", map[string]any{
			"metadata": map[string]any{"name": node}, "status": map[string]any{"nodeInfo": map[string]any{"bootID": boot}},
		}))
	}
	for pod, node := range map[string]string{"here": "node-1", "beside": "node-2", "far": "node-3"} {
		s.lists[kindPods] = append(s.lists[kindPods], manifest("Pod", "v1", map[string]any{
			"metadata": map[string]any{"name": pod, "namespace": "shop", "uid": "uid-" + pod, "annotations": map[string]any{
				"kubernetes.io/config.hash": "hash-" + pod}},
			"spec": map[string]any{"nodeName": node, "containers": []any{map[string]any{"name": "app", "image": "app:1"}}},
		}))
	}
	k := s.join(t, Config{Node: "node-1", Boot: "boot-a"})
	for uid, want := range map[string]bool{
		"uid-here": true, "hash-here": true, "uid-beside": true, "uid-far": false, "hash-far": false, "uid-forged": false,
	} {
		o := conn.Owner{ContainerID: "c1", PodUID: uid}
		if got, a := k.Believe(o, time.Now()); (got == o) != want || a != conn.Final {
			t.Errorf("%s: %+v, %v", uid, got, a)
		}
	}
	s.CloseClientConnections()
	s.Close()
	until(t, "the outage", func() bool {
		_, a := k.Believe(conn.Owner{PodUID: "uid-forged"}, time.Now())
		return a == conn.Unknown
	})
}
