package telemetry

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/pipeline"
)

// A watch is connected only if its objects were listed and its last request did not fail.
func TestConnectedWatches(t *testing.T) {
	n, tel := newTelemetry(t)
	broken := errors.New("broken")
	n.Set(pipeline.Health{Cluster: kubernetes.Health{Watches: []kubernetes.WatchHealth{
		{Kind: "pods", Synced: true},
		{Kind: "services"},
		{Kind: "nodes", Err: broken},
		{Kind: "endpointslices", Synced: true, Err: broken},
	}}}, Sent{})
	want := values{"pods": 1, "services": 0, "nodes": 0, "endpointslices": 0}
	if diff := cmp.Diff(want, observed(t, tel)["kubernetes_connected"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The instruments show the last collection, not a sum of the collections. A watch that was stopped has no value left.
func TestLastCollectionIsShown(t *testing.T) {
	n, tel := newTelemetry(t)
	first, last := known(), known()
	first.Flows.Flows, last.Flows.Flows = 5, 3
	last.Cluster.Watches = last.Cluster.Watches[:1]
	n.Set(first, Sent{Events: 1})
	if got := observed(t, tel); got["flows"][""] != 5 || got["kubernetes_connected"]["nodes"] != 0 || got["events"][""] != 1 {
		t.Errorf("first: flows %v, watches %v, events %v", got["flows"], got["kubernetes_connected"], got["events"])
	}
	n.Set(last, Sent{Events: 4})
	got := observed(t, tel)
	for name, want := range map[string]values{
		"flows": {"": 3}, "events": {"": 4}, "kubernetes_connected": {"pods": 1},
		"kubernetes_request_failures": {"pods": 41, "object": 51},
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
