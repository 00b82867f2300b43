//go:build linux

package node

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // what the exporter compresses with
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netconn/netconn/internal/testcluster"
)

// lossy matches the metrics of what netconn knows that it has not seen.
var lossy = regexp.MustCompile("lost|missed|refused|dropped|evicted|overflow")

// labels are the attributes of a resource and of a point.
type labels map[string]string

// series is the last point of a series of netconn.io.
type series struct {
	resource, point labels
	start           pcommon.Timestamp // an agent that was restarted counts from zero again
	time            pcommon.Timestamp
	bytes           int64
}

// backend is an OTLP receiver at the address of the node. It keeps the last point of each series of netconn.io, by its
// time: two gateways with several consumers each do not keep the order. It keeps the names of all metrics of each
// container, too.
type backend struct {
	pmetricotlp.UnimplementedGRPCServer
	address string

	mu         sync.Mutex
	io         map[string]series
	containers map[string]map[string]bool // names of metrics by container.id
	own        map[string]bool            // ids of the node's containers and pods; other tests have some on this machine
	nameless   map[string]string          // resources without the name of their pod or their own, by container or pod
	peak       map[string]float64         // of netconn's own containers, by container and metric
	losses     map[string]int64           // by metric, as netconn itself counts them
	short      []string                   // what is missing because others have overrun the kernel's buffer
}

type logs struct {
	plogotlp.UnimplementedGRPCServer
}

func (*logs) Export(context.Context, plogotlp.ExportRequest) (plogotlp.ExportResponse, error) {
	return plogotlp.NewExportResponse(), nil
}

func newBackend(t *testing.T, address string) *backend {
	t.Helper()
	b := &backend{address: address, io: make(map[string]series), containers: make(map[string]map[string]bool), nameless: make(map[string]string),
		own: make(map[string]bool), peak: make(map[string]float64), losses: make(map[string]int64)}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pmetricotlp.RegisterGRPCServer(server, b)
	plogotlp.RegisterGRPCServer(server, &logs{})
	ended := make(chan error)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return b
}

// Export is what the gateway calls.
func (b *backend) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rm := range r.Metrics().ResourceMetrics().All() {
		resource := labelsOf(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				b.keep(resource, m)
			}
		}
	}
	return pmetricotlp.NewExportResponse(), nil
}

func (b *backend) keep(resource labels, m pmetric.Metric) {
	id := resource["container.id"]
	if b.containers[id] == nil {
		b.containers[id] = make(map[string]bool)
	}
	b.containers[id][m.Name()] = true
	if resource["k8s.namespace.name"] == "netconn" && (m.Name() == "container.memory.working_set" || m.Name() == "container.cpu.usage") {
		for _, p := range m.Gauge().DataPoints().All() {
			key := resource["k8s.container.name"] + " " + cmp.Or(resource["k8s.daemonset.name"], resource["k8s.deployment.name"]) + " " + m.Name()
			b.peak[key] = max(b.peak[key], p.DoubleValue(), float64(p.IntValue()))
		}
	}
	if strings.HasPrefix(m.Name(), "netconn.") &&
		(resource["k8s.namespace.name"] == "" || resource["k8s.pod.name"] == "" || resource["k8s.container.name"] == "") {
		b.nameless[cmp.Or(id, resource["k8s.pod.uid"])] = m.Name() + " of " + resource.String()
	}
	if strings.HasPrefix(m.Name(), "otelcol_netconn_") && lossy.MatchString(m.Name()) && m.Type() == pmetric.MetricTypeSum {
		for _, p := range m.Sum().DataPoints().All() {
			b.losses[m.Name()] = max(b.losses[m.Name()], p.IntValue())
		}
	}
	if m.Name() != "netconn.io" {
		return
	}
	for _, p := range m.Sum().DataPoints().All() {
		s := series{resource, labelsOf(p.Attributes()), p.StartTimestamp(), p.Timestamp(), p.IntValue()}
		if s.time >= b.io[s.key()].time {
			b.io[s.key()] = s
		}
	}
}

func (s series) key() string { return fmt.Sprintf("%v|%v|%d", s.resource, s.point, s.start) }

func (l labels) String() string {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(l)) {
		fmt.Fprintf(&text, "%s=%s,", key, l[key])
	}
	return text.String()
}

func labelsOf(m pcommon.Map) labels {
	l := make(labels)
	for key, value := range m.All() {
		l[key] = value.AsString()
	}
	return l
}

// wantCPU checks that what the kubelet says of CPU and memory stands beside the connections of each container.
func (b *backend) wantCPU(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	both := 0
	for _, metrics := range b.containers {
		if metrics["netconn.io"] && metrics["container.cpu.usage"] && metrics["container.memory.usage"] {
			both++
		}
	}
	if both < 6 { // the applications that run to the end
		t.Errorf("%d containers have connections, CPU and memory", both)
	}
}

// wantFit checks that the containers of netconn request the memory that they need: no less, and no more than four times
// as much.
func (b *backend) wantFit(t *testing.T, n *testcluster.Node) {
	t.Helper()
	pods, err := n.Client.CoreV1().Pods("netconn").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) == 0 {
		t.Fatal("no pods", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range pods.Items {
		for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
			workload, _, _ := strings.Cut(strings.TrimPrefix(p.Name, "netconn-"), "-")
			need := b.peak[c.Name+" netconn-"+workload+" container.memory.working_set"]
			if request := c.Resources.Requests.Memory().AsApproximateFloat64(); need == 0 || need > request || 4*need < request {
				t.Errorf("%s of %s requests %.0f MB, and needs %.0f", c.Name, p.Name, request/1e6, need/1e6)
			}
		}
	}
}

// wantNames checks that no container has ever come without its names.
func (b *backend) wantNames(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.own) < 20 { // two for each pod
		t.Errorf("only %d containers and pods are known as the node's", len(b.own))
	}
	for _, id := range slices.Sorted(maps.Keys(b.nameless)) {
		if b.own[id] {
			t.Errorf("without a name: %s", b.nameless[id])
		}
	}
}

// watch learns the ids of the containers and the pods that come and go on the node, until the test ends.
func (b *backend) watch(t *testing.T) {
	t.Helper()
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			b.learn()
			select {
			case <-ended:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	t.Cleanup(func() { close(ended); <-done })
}

func (b *backend) learn() {
	for _, folder := range []string{"/run/containerd/io.containerd.runtime.v2.task/k8s.io", "/var/lib/kubelet/pods"} {
		entries, _ := os.ReadDir(folder) // wantNames has learnt some, or fails
		b.mu.Lock()
		for _, e := range entries {
			b.own[e.Name()] = true
		}
		b.mu.Unlock()
	}
}

// showNeed logs what netconn itself has needed, and what it has lost: the connections of all programs of this machine
// share one buffer in the kernel.
func (b *backend) showNeed(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(b.peak)) {
		t.Logf("%s: at most %.3f", key, b.peak[key])
	}
	for _, name := range slices.Sorted(maps.Keys(b.losses)) {
		if b.losses[name] > 0 {
			t.Logf("%s: %d", name, b.losses[name])
		}
	}
}

// all returns the series of netconn.io.
func (b *backend) all() []series {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Values(b.io))
}
