//go:build linux

package pipeline

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/testcluster"
)

// A crowd is what the cluster of the benchmark has.
type crowd struct{ pods, services int }

// met is how many services are asked for, and how many pods answer.
const met = 100

// BenchmarkCrowd is a collection each second of a thousand connections to the addresses of a hundred services,
// translated to a hundred pods, in clusters that know none of both, those, or ten thousand pods and a thousand
// services. The pods are of one workload, and each service has a port of its own, so that the points are as many. The
// clusters are watched in an API server.
func BenchmarkCrowd(b *testing.B) {
	c := testcluster.New(b)
	c.Namespace("shop")
	b.Setenv("KUBECONFIG", c.KubeConfig("crowd", c.Admin))
	known := crowd{}
	for _, all := range []crowd{{}, {pods: met, services: met}, {pods: 10_000, services: 1000}} {
		makeObjects(known.pods, all.pods, func(i int) { makePod(c, i) })
		makeObjects(known.services, all.services, func(i int) { makeService(c, i, all) })
		known = all
		b.Run(fmt.Sprintf("pods=%d,services=%d", all.pods, all.services), func(b *testing.B) { collectFrom(b, all) })
	}
}

func collectFrom(b *testing.B, all crowd) {
	m := &mill{connections: 1000, dialled: "10.96.1.1:80", lone: true}
	p, now := startKnowing(b, m, all)
	turn := func() {
		m.turned, now = true, now.Add(time.Second)
		if err := p.Drain(now); err != nil {
			b.Fatal(err)
		}
		if _, err := p.Collect(now); err != nil {
			b.Fatal(err)
		}
	}
	for range 10 { // until as many are certain as there come
		turn()
	}
	runtime.GC() // what the list has left
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	for range b.N {
		turn()
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "CPU-ns/collection")
	b.StopTimer()
	turn()
	checkFlows(b, p, now, all)
}

// checkFlows holds that the connections were named: services by their addresses, and the pods that they were translated
// to.
func checkFlows(b *testing.B, p *Pipeline, now time.Time, all crowd) {
	b.Helper()
	resources, err := p.read(now)
	if err != nil {
		b.Fatal(err)
	}
	want := map[string]int{"private of ": met}
	if all.services > 0 {
		want = make(map[string]int)
		for i := range met {
			want[fmt.Sprintf("service-%d.shop of shop", i)] = 1
		}
	}
	got := make(map[string]int)
	for _, r := range resources {
		for _, f := range r.Flows {
			got[f.Key.Original.Name+" of "+f.Key.Peer[names.PeerService]]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("flows (-want +got):\n%s", diff)
	}
}

// startKnowing returns a pipeline that is fed with connections to services, once its cluster knows as much.
func startKnowing(b *testing.B, m *mill, all crowd) (*Pipeline, time.Time) {
	b.Helper()
	now := time.Unix(1_700_000_000, 0)
	o := options(b)
	o.Kubernetes = kubernetes.Config{AuthType: kubernetes.AuthKubeConfig, Scope: kubernetes.ScopeCluster, Node: "node-1", MaxPods: 50_000}
	p, err := Open(o, Machine{
		Open: m.openToServices, Ask: m.askServices, Join: openSources, Now: func() time.Time { return now },
		Host: func(string) (string, string, error) { return "id", "node-1", nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.sockets.Close(); err != nil {
			b.Error(err)
		}
		p.sources.close()
	})
	cluster := p.sources[0].(*kubernetes.Cluster)
	for end := time.Now().Add(time.Minute); !cluster.Synced(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal("waited in vain for the pods to be listed")
		}
	}
	known := cluster.Health().Store
	if got := (crowd{known.Pods, known.Services - 1}); got != all || known.Slices != all.services { // every cluster has one for its API
		b.Fatalf("known are %+v and %d slices, want %+v", got, known.Slices, all)
	}
	return p, now
}

// openToServices leads the connections of the mill to the services that are met, one after another.
func (m *mill) openToServices() (Sockets, error) {
	s, err := m.sockets()
	s.Drain = func(h kernel.Handler) error {
		to, lead := 0, h.Conn
		h.Conn = func(c conn.Conn) {
			c.Tuple.Destination = serviceAddress(to % met)
			to++
			lead(c)
		}
		return m.drain(h)
	}
	return s, err
}

// askServices has each connection translated to the pod of its service's number.
func (m *mill) askServices(root string, now time.Time) (Tables, error) {
	t, err := m.ask(root, now)
	translate := t.Ask
	t.Ask = func(now time.Time, questions []conntrack.Lookup) []conntrack.Answer {
		answers := translate(now, questions)
		for i, q := range questions {
			answers[i].Tuple.Destination = netip.AddrPortFrom(podAddress(int(q.Tuple.Destination.Port())-firstPort), 9000)
		}
		return answers
	}
	return t, err
}

func podAddress(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 244, byte(i / 250), byte(1 + i%250)})
}

// firstPort is that of the first service; each has the next one.
const firstPort = 10_000

func serviceAddress(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 96, byte(1 + i/250), byte(1 + i%250)}), uint16(firstPort+i))
}

// makeObjects writes objects to the API, from one number to another.
func makeObjects(from, to int, write func(int)) {
	numbers := make(chan int)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for i := range numbers {
				write(i)
			}
		})
	}
	for i := from; i < to; i++ {
		numbers <- i
	}
	close(numbers)
	work.Wait()
}

func makePod(c *testcluster.Cluster, i int) {
	c.Pod(fmt.Sprintf(`
metadata: {name: pod-%d, namespace: shop, labels: {app.kubernetes.io/name: shop}}
spec: {nodeName: node-%d, containers: [{name: app, image: "example.com/shop:1", ports: [{containerPort: 9000}]}]}
status: {phase: Running, startTime: "2023-01-01T00:00:00Z", podIP: %[3]s, podIPs: [{ip: %[3]s}]}`, i, 2+i%100, podAddress(i)))
}

// makeService writes a service, and a slice with its pods. Kubernetes' own slices are not watched where all pods are:
// these are another's.
func makeService(c *testcluster.Cluster, i int, all crowd) {
	to := serviceAddress(i)
	c.Service(fmt.Sprintf(`
metadata: {name: service-%d, namespace: shop}
spec: {clusterIP: %s, ports: [{port: %d, targetPort: 9000}]}`, i, to.Addr(), to.Port()))
	var endpoints []string
	for n := i; n < all.pods; n += all.services {
		endpoints = append(endpoints, fmt.Sprintf("{addresses: [%s], nodeName: node-%d, targetRef: {kind: Pod, name: pod-%d}}", podAddress(n), 2+n%100, n))
	}
	c.Slice(fmt.Sprintf(`
metadata: {name: service-%[1]d-0, namespace: shop, labels: {kubernetes.io/service-name: service-%[1]d}}
addressType: IPv4
endpoints: [%s]
ports: [{name: "", port: 9000}]`, i, strings.Join(endpoints, ", ")))
}
