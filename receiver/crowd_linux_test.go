//go:build linux

package netconnreceiver

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/testcluster"
)

// How many pods the clusters of the benchmark have: none, those that are connected to, and ten thousand with them.
const (
	metPods   = 100
	crowdPods = 10_000
)

// BenchmarkCrowd is a collection each second of a thousand connections to a hundred pods, in clusters that know none, those, or ten
// thousand: all of one workload, so that the points are as many. The clusters are watched in an API server.
func BenchmarkCrowd(b *testing.B) {
	c := testcluster.New(b)
	c.Namespace("shop")
	b.Setenv("KUBECONFIG", c.KubeConfig("crowd", c.Admin))
	known := 0
	for _, pods := range []int{0, metPods, crowdPods} {
		makePods(c, known, pods)
		known = pods
		b.Run(fmt.Sprintf("pods=%d", pods), func(b *testing.B) { collectFrom(b, pods) })
	}
}

func collectFrom(b *testing.B, pods int) {
	p, now := startKnowing(b, pods)
	turn := func() {
		now = now.Add(time.Second)
		if err := p.drain(now); err != nil {
			b.Fatal(err)
		}
		if _, err := p.collect(now); err != nil {
			b.Fatal(err)
		}
	}
	for range 10 { // until as many are certain as there come
		turn()
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	for range b.N {
		turn()
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "CPU-ns/collection")
	b.StopTimer()
	answers := p.cluster.health().Store.Answers
	if got := answers[kubernetes.Final] > 0; got != (pods > 0) {
		b.Errorf("with %d pods the answers are %v", pods, answers)
	}
}

// startKnowing returns a pipeline that is fed with connections to pods, once its cluster knows as many.
func startKnowing(b *testing.B, pods int) (*pipeline, time.Time) {
	b.Helper()
	now := time.Unix(1_700_000_000, 0)
	m := &mill{connections: 1000, dialled: "10.97.0.2:9000", lone: true}
	c := createDefaultConfig().(*Config)
	c.RootPath, c.NodeName, c.Kubernetes.AuthType = emptyHost(b), "node-1", kubernetes.AuthKubeConfig
	p, err := newPipeline(c, machine{
		open: m.openToPods, ask: m.ask, join: joinCluster, now: func() time.Time { return now },
		host: func(string) (string, string, error) { return "id", "node-1", nil },
	}, "test")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.sockets.close(); err != nil {
			b.Error(err)
		}
		p.cluster.close()
	})
	for end := time.Now().Add(time.Minute); !p.cluster.synced(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal("waited in vain for the pods to be listed")
		}
	}
	if got := p.cluster.health().Store.Pods; got != pods {
		b.Fatalf("%d pods are known, want %d", got, pods)
	}
	return p, now
}

// openToPods leads the connections of the mill to the pods that are met, one after another.
func (m *mill) openToPods() (sockets, error) {
	s, err := m.open()
	s.drain = func(h kernel.Handler) error {
		to, lead := 0, h.Conn
		h.Conn = func(c conn.Conn) {
			c.Tuple.Destination = netip.AddrPortFrom(crowdAddress(to%metPods), 9000)
			to++
			lead(c)
		}
		return m.drain(h)
	}
	return s, err
}

func crowdAddress(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 244, byte(i / 250), byte(1 + i%250)})
}

// makePods writes pods to the API, from one number to another.
func makePods(c *testcluster.Cluster, from, to int) {
	numbers := make(chan int)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for i := range numbers {
				c.Pod(fmt.Sprintf(`
metadata: {name: pod-%d, namespace: shop, labels: {app.kubernetes.io/name: shop}}
spec: {nodeName: node-%d, containers: [{name: app, image: "example.com/shop:1", ports: [{containerPort: 9000}]}]}
status: {phase: Running, startTime: "2023-01-01T00:00:00Z", podIP: %[3]s, podIPs: [{ip: %[3]s}]}`, i, 2+i%100, crowdAddress(i)))
			}
		})
	}
	for i := from; i < to; i++ {
		numbers <- i
	}
	close(numbers)
	work.Wait()
}
