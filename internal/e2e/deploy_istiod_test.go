//go:build linux

package e2e

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/harness/otlp"
	"github.com/netconn/netconn/internal/testcluster"
)

// With the rights that components/istiod gives, its collector finds the pod of istiod and no other pod, scrapes it at the
// port of its page, and sends what it says of pushes.
func TestClusterDeployIstiod(t *testing.T) {
	t.Parallel() // no connections are looked at
	c := testcluster.New(t)
	kubectl(t, c, "apply", "-f", root+"/deploy/base/namespace.yaml")
	kubectl(t, c, "-n", "netconn", "apply", "-f", root+"/deploy/components/istiod/istiod.yaml")
	c.Namespace("istio-system")
	serveIstiod(t, "127.0.15.14:15014")
	for name, address := range map[string]string{"istiod": "127.0.15.14", "ingress": "127.0.15.15"} {
		c.Pod(`metadata: {name: ` + name + `-1, namespace: istio-system, labels: {app: ` + name + `}}
spec: {nodeName: node1, containers: [{name: discovery, image: i, ports: [{containerPort: 8080}, {containerPort: 15014}]}]}
status: {phase: Running, podIP: ` + address + `, podIPs: [{ip: ` + address + `}]}`)
	}

	var mu sync.Mutex
	types, targets := make(map[string]string), make(map[string]bool)
	sink := serveOTLP(t, otlp.Handlers{Metrics: func(md pmetric.Metrics) error {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range md.ResourceMetrics().All() {
			instance, _ := r.Resource().Attributes().Get("service.instance.id")
			targets[instance.Str()] = true
			for _, s := range r.ScopeMetrics().All() {
				for _, m := range s.Metrics().All() {
					types[m.Name()] = m.Type().String()
				}
			}
		}
		return nil
	}})
	health, telemetry := freeAddress(t), freeAddress(t)
	launch(t, nil, []string{
		"KUBECONFIG=" + c.KubeConfig("istiod", c.ServiceAccount("netconn", "netconn-istiod")), "BACKEND_ENDPOINT=" + sink.Address,
		"HEALTH_LISTEN=" + health, "TELEMETRY_HOST=" + host(telemetry), "TELEMETRY_PORT=" + port(telemetry),
	}, "file:"+root+"/deploy/components/istiod/collector.yaml", "yaml:exporters::otlp_grpc::tls::insecure: true")

	want := map[string]string{
		"pilot_xds": "Gauge", "pilot_xds_pushes": "Sum", "pilot_push_triggers": "Sum", "pilot_total_xds_rejects": "Sum",
		"pilot_proxy_convergence_time": "Histogram",
	}
	got := make(map[string]string)
	until(t, "what istiod says", func() bool {
		mu.Lock()
		defer mu.Unlock()
		got = maps.Clone(types)
		maps.DeleteFunc(got, func(name, _ string) bool { return !strings.HasPrefix(name, "pilot_") })
		return len(got) > 0
	})
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	mu.Lock()
	defer mu.Unlock()
	if found := slices.Collect(maps.Keys(targets)); !slices.Equal(found, []string{"127.0.15.14:15014"}) {
		t.Errorf("scraped %v", found)
	}
}
