//go:build linux

package kubernetes

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/testcluster"
)

// Thousands of pods, and a service for ten: what is kept of each pod is bounded, and look-ups are answered while they are
// listed. NETCONN_PODS says how many pods, 1,000 by default: to write 10,000 costs an API server minutes.
func TestClusterLarge(t *testing.T) {
	manyPods := 1_000
	if n, err := strconv.Atoi(os.Getenv("NETCONN_PODS")); err == nil {
		manyPods = n
	}
	c := testcluster.New(t)
	crowd(c, manyPods)
	var received atomic.Int64
	user := rest.CopyConfig(c.Admin)
	user.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return counted{c, &received}, err
	}

	config := Config{Scope: ScopeCluster, Node: "node-0"}
	before := heapInUse()
	began := time.Now()
	k, err := open(config, config.limit(user), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	lookups, slowest := 0, time.Duration(0)
	for ; !synced(k); lookups++ {
		at := time.Now()
		k.Address(conn.Query{Address: podNumber(lookups % manyPods), At: at, Now: at})
		slowest = max(slowest, time.Since(at))
		if time.Since(began) > deadline {
			t.Fatal("waited in vain for everything to be listed")
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	now := time.Now().Add(time.Hour)
	for i := range manyPods {
		if p, a := k.Address(conn.Query{Address: podNumber(i), At: now, Now: now.Add(patience)}); a != conn.Final || p[names.PeerPod] != podName(i) {
			t.Fatalf("pod %d: %q, %v", i, p[names.PeerPod], a)
		}
	}
	kept := (heapInUse() - before) / int64(manyPods)
	t.Logf("%d pods and %d services: listed in %v, %d bytes of memory and %d bytes of the API a pod; %d look-ups meanwhile, the slowest %v",
		manyPods, manyPods/10, took.Round(time.Millisecond), kept, received.Load()/int64(manyPods), lookups, slowest)
	if kept > 4096 {
		t.Errorf("%d bytes are kept of a pod", kept)
	}
	runtime.KeepAlive(k)
}

// heapInUse returns the bytes of the heap that are in use.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// counted counts what is read from a connection: what the API server sends, compressed and encrypted.
type counted struct {
	net.Conn
	bytes *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func podNumber(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 244, byte(i / 250), byte(1 + i%250)})
}

func podName(i int) string { return fmt.Sprintf("checkout-service-6d5f7c9b8d-x%04d", i) }

// crowd writes the pods as they are in a cluster with a mesh: two containers, probes, environment, volumes, conditions.
func crowd(c *testcluster.Cluster, pods int) {
	c.Namespace("shop")
	for i := range pods / 100 {
		c.Node(fmt.Sprintf(`metadata: {name: node-%d, labels: {topology.kubernetes.io/zone: zone-%d}}`, i, i%3))
	}
	all := make(chan func())
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for f := range all {
				f()
			}
		})
	}
	for i := range pods {
		all <- func() { c.MakePod(crowdPod(i, pods/100)) }
	}
	for i := range pods / 10 {
		all <- func() {
			c.Service(fmt.Sprintf("metadata: {name: service-%d, namespace: shop}\nspec: {ports: [{port: 80}]}", i))
		}
	}
	close(all)
	work.Wait()
}

// crowdPod returns a pod on one of some nodes.
func crowdPod(i, nodes int) *corev1.Pod {
	yes, started := true, metav1.NewTime(start)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: podName(i), Namespace: "shop",
			Labels:          map[string]string{"app": "checkout", "pod-template-hash": "6d5f7c9b8d", "version": "v1", "app.kubernetes.io/part-of": "shop"},
			Annotations:     map[string]string{"sidecar.istio.io/status": strings.Repeat("x", 600), "prometheus.io/scrape": "true"},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "checkout-service-6d5f7c9b8d", UID: "1", Controller: &yes}},
		},
		Spec: corev1.PodSpec{NodeName: fmt.Sprintf("node-%d", i%nodes)},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, StartTime: &started, HostIP: "192.0.2.1",
			PodIP: podNumber(i).String(), PodIPs: []corev1.PodIP{{IP: podNumber(i).String()}},
		},
	}
	for _, condition := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady, corev1.PodReadyToStartContainers} {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: condition, Status: corev1.ConditionTrue, LastTransitionTime: started})
	}
	for n, name := range []string{"checkout", "istio-proxy"} {
		container := corev1.Container{Name: name, Image: "example.com/shop/" + name + ":1.4.2", Ports: []corev1.ContainerPort{{ContainerPort: int32(8080 + n)}}}
		for e := range 20 {
			container.Env = append(container.Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", e), Value: "some value of a setting"})
		}
		p.Spec.Containers = append(p.Spec.Containers, container)
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: name, Image: container.Image, ImageID: container.Image + "@sha256:" + strings.Repeat("0", 64), Ready: true,
			ContainerID: fmt.Sprintf("containerd://%063d%x", i, n), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}},
		})
	}
	return p
}
