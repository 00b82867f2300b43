//go:build linux

package kubernetes

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/testcluster"
)

const deadline = time.Minute

// until asks again and again until the answer is yes. The deadline is one that only a defect needs.
func until(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !yes(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// watched opens a cluster as some user, and waits until it knows all there is.
func watched(t *testing.T, c Config, user *rest.Config) *Cluster {
	t.Helper()
	k, err := open(c, c.limit(rest.CopyConfig(user)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	until(t, "everything to be listed", func() bool { return synced(k) })
	return k
}

func synced(k *Cluster) bool {
	for _, w := range k.Health().Watches {
		if !w.Synced || w.Err != nil {
			return false
		}
	}
	return true
}

// shop writes a small cluster: two nodes in two zones, and a pod of each kind.
func shop(c *testcluster.Cluster) {
	c.Namespace("shop")
	for _, text := range []string{`
metadata: {name: node-1, labels: {topology.kubernetes.io/zone: zone-a, topology.kubernetes.io/region: east}}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: Hostname, address: node-1}]}`, `
metadata: {name: node-2, labels: {topology.kubernetes.io/zone: zone-b, topology.kubernetes.io/region: east}}
status: {addresses: [{type: InternalIP, address: 192.0.2.2}, {type: InternalIP, address: "2001:db8::2"}]}`} {
		c.Node(text)
	}
	for _, text := range shopPods {
		c.Pod(text)
	}
	for _, text := range []string{`
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.96.1.3, clusterIPs: [10.96.1.3, "fd00:10:96::3"], ipFamilyPolicy: RequireDualStack, type: NodePort, selector: {app: reviews}, ports: [{port: 9080, nodePort: 30980}]}`, `
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}`, `
metadata: {name: outside, namespace: shop}
spec: {type: ExternalName, externalName: db.example.com}`, `
metadata: {name: front, namespace: shop}
spec: {type: LoadBalancer, clusterIP: 10.96.1.4, externalIPs: [198.51.100.7], selector: {app: web}, ports: [{port: 443}]}
status: {loadBalancer: {ingress: [{ip: 203.0.113.9}]}}`, `
metadata: {name: legacy, namespace: shop}
spec: {clusterIP: 10.96.1.5, ports: [{port: 3306}]}`} {
		c.Service(text)
	}
	c.Slice(`
metadata: {name: legacy-1, namespace: shop, labels: {kubernetes.io/service-name: legacy}}
addressType: IPv4
endpoints: [{addresses: [198.51.100.33], zone: zone-c}]
ports: [{name: "", port: 3306}]`)
}

var shopPods = []string{`
metadata: {name: reviews-7d4-a, namespace: shop, labels: {app: reviews, pod-template-hash: 7d4}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: reviews-7d4, uid: r, controller: true}]}
spec: {nodeName: node-2, containers: [{name: reviews, image: "example.com/reviews:v3", ports: [{containerPort: 9080}]}]}
status: {phase: Running, startTime: "2026-01-01T00:00:00Z", podIP: 10.244.2.13, podIPs: [{ip: 10.244.2.13}, {ip: "fd00:10:244:2::13"}], containerStatuses: [{name: reviews, image: i, imageID: i, ready: true, restartCount: 0, containerID: "containerd://reviews1", state: {running: {startedAt: "2026-01-01T00:00:01Z"}}}]}`, `
metadata: {name: web-5c-a, namespace: shop, labels: {app: web, pod-template-hash: 5c}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5c, uid: r, controller: true}]}
spec:
  nodeName: node-1
  initContainers:
  - {name: wait, image: busybox}
  - {name: istio-proxy, image: "istio/proxyv2:1.29.0", restartPolicy: Always, args: [proxy, sidecar]}
  containers: [{name: web, image: "example.com/web:v1", ports: [{containerPort: 8080}]}]
status:
  phase: Running
  startTime: "2026-01-01T00:00:00Z"
  podIP: 10.244.1.11
  podIPs: [{ip: 10.244.1.11}]
  initContainerStatuses:
  - {name: wait, image: i, imageID: i, ready: true, restartCount: 0, containerID: "containerd://wait1", state: {terminated: {exitCode: 0, containerID: "containerd://wait1"}}}
  - {name: istio-proxy, image: i, imageID: i, ready: true, restartCount: 0, containerID: "containerd://webproxy1", state: {running: {startedAt: "2026-01-01T00:00:01Z"}}}
  containerStatuses: [{name: web, image: i, imageID: i, ready: true, restartCount: 0, containerID: "containerd://web1", state: {running: {startedAt: "2026-01-01T00:00:02Z"}}}]`, `
metadata: {name: exporter-x, namespace: shop, ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: exporter, uid: d, controller: true}]}
spec: {nodeName: node-2, hostNetwork: true, containers: [{name: exporter, image: "exporter:1", ports: [{containerPort: 9100, hostPort: 9100}]}]}
status: {phase: Running, startTime: "2026-01-01T00:00:00Z", podIP: 192.0.2.2, podIPs: [{ip: 192.0.2.2}]}`, `
metadata: {name: etcd-node-1, namespace: shop, annotations: {kubernetes.io/config.mirror: 0a, kubernetes.io/config.source: file}, ownerReferences: [{apiVersion: v1, kind: Node, name: node-1, uid: n, controller: true}]}
spec: {nodeName: node-1, hostNetwork: true, containers: [{name: etcd, image: "etcd:3.6", ports: [{containerPort: 2379, hostPort: 2379}]}]}
status: {phase: Running, startTime: "2026-01-01T00:00:00Z", podIP: 192.0.2.1, containerStatuses: [{name: etcd, image: i, imageID: i, ready: true, restartCount: 0, containerID: "containerd://etcd1", state: {running: {startedAt: "2026-01-01T00:00:01Z"}}}]}`, `
metadata: {name: db-0, namespace: shop, labels: {app: db}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: db, uid: s, controller: true}]}
spec: {nodeName: node-2, containers: [{name: db, image: "postgres:17"}]}
status: {phase: Running, startTime: "2026-01-01T00:00:00Z", podIP: 10.244.2.20}`, `
metadata: {name: shell, namespace: shop}
spec: {nodeName: node-2, containers: [{name: shell, image: busybox}]}
status: {phase: Running, startTime: "2026-01-01T00:00:00Z", podIP: 10.244.2.21}`}

// A clusterAddress leads to an object of the cluster.
type clusterAddress struct {
	what, address string
	want          conn.Peer
	service       string
}

// podPeer is a pod of the shop with one container.
func podPeer(name, workload, kind, node, container, tag string) conn.Peer {
	p := conn.Peer{names.PeerType: names.TypePod, names.PeerName: workload, names.PeerWorkload: workload, names.PeerWorkloadKind: kind, names.PeerNamespace: "shop", names.PeerPod: name, names.PeerNode: node,
		names.PeerService: workload, names.PeerServiceNamespace: "shop", names.PeerContainerName: container,
		names.PeerImageTag: tag, names.PeerScope: names.ScopeRemote, names.PeerZone: "zone-b",
		names.PeerRegion: "east",
	}
	if node == "node-1" {
		p[names.PeerScope], p[names.PeerZone] = names.ScopeNode, "zone-a"
	}
	return p
}

// clusterAddresses has a row for each kind of object that can be connected to.
func clusterAddresses() []clusterAddress {
	etcd := podPeer("etcd-node-1", "", "", "node-1", "etcd", "3.6")
	etcd[names.PeerName], etcd[names.PeerService] = "etcd", "etcd-node-1"
	shell := podPeer("shell", "", "", "node-2", "shell", "latest")
	shell[names.PeerName], shell[names.PeerService] = "shell", "shell"
	service := func(name string) conn.Peer {
		return conn.Peer{
			names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown, names.PeerName: name,
			names.PeerNamespace: "shop",
		}
	}
	return []clusterAddress{
		{"pod of a deployment", "10.244.2.13:9080", podPeer("reviews-7d4-a", "reviews", "Deployment", "node-2", "reviews", "v3"), ""},
		{"dual-stack pod, second address", "[fd00:10:244:2::13]:9080", podPeer("reviews-7d4-a", "reviews", "Deployment", "node-2", "reviews", "v3"), ""},
		{"pod with a sidecar", "10.244.1.11:8080", podPeer("web-5c-a", "web", "Deployment", "node-1", "", ""), ""},
		{"host-network pod, by its port", "192.0.2.2:9100", podPeer("exporter-x", "exporter", "DaemonSet", "node-2", "exporter", "1"), ""},
		{"static pod, by its port", "192.0.2.1:2379", etcd, ""},
		{"node", "192.0.2.2:10250", conn.Peer{
			names.PeerType: names.TypeNode, names.PeerScope: names.ScopeRemote, names.PeerNode: "node-2",
			names.PeerZone: "zone-b", names.PeerRegion: "east",
		}, ""},
		{"node's second address", "[2001:db8::2]:10250", conn.Peer{
			names.PeerType: names.TypeNode, names.PeerScope: names.ScopeRemote, names.PeerNode: "node-2",
			names.PeerZone: "zone-b", names.PeerRegion: "east",
		}, ""},
		{"pod of a headless service", "10.244.2.20:5432", podPeer("db-0", "db", "StatefulSet", "node-2", "db", "17"), ""},
		{"pod without a service", "10.244.2.21:0", shell, ""},
		{"cluster address", "10.96.1.3:9080", service("reviews"), "reviews.shop"},
		{"cluster address, second family", "[fd00:10:96::3]:9080", service("reviews"), "reviews.shop"},
		{"node port", "192.0.2.1:30980", service("reviews"), "reviews.shop"},
		{"load balancer", "203.0.113.9:443", service("front"), "front.shop"},
		{"external address", "198.51.100.7:443", service("front"), "front.shop"},
		{"entered by hand", "198.51.100.33:3306", conn.Peer{
			names.PeerType: names.TypeService, names.PeerName: "legacy", names.PeerNamespace: "shop",
			names.PeerZone: "zone-c",
		}, ""},
		{"what an external name leads to", "203.0.113.200:5432", conn.Peer{}, ""},
	}
}

// Each kind of object that can be connected to is known by its address.
func TestCluster(t *testing.T) {
	c := testcluster.New(t)
	shop(c)
	k := watched(t, Config{Scope: ScopeCluster, Node: "node-1"}, c.Admin)

	for _, r := range clusterAddresses() {
		t.Run(r.what, func(t *testing.T) {
			to := netip.MustParseAddrPort(r.address)
			now := time.Now()
			got, _ := k.Address(conn.Query{Address: to.Addr(), Port: to.Port(), At: now.Add(-time.Minute), Now: now})
			if diff := cmp.Diff(r.want, got); diff != "" {
				t.Errorf("peer (-want +got):\n%s", diff)
			}
			if got := k.Service(conn.TCP, to); got != r.service {
				t.Errorf("service %q, want %q", got, r.service)
			}
		})
	}
	for id, want := range map[string][3]string{
		"web1": {"web", "v1", ""}, "webproxy1": {"istio-proxy", "1.29.0", "sidecar"}, "wait1": {"wait", "latest", ""}, "etcd1": {"etcd", "3.6", ""},
	} {
		p, _ := k.Container(id)
		if got := [3]string{p[names.PeerContainerName], p[names.PeerImageTag], string(p[names.PeerProxy])}; got != want || p[names.PeerContainerID] != id {
			t.Errorf("container %s: %v, want %v", id, got, want)
		}
	}
	if zone, region, a := k.Here(); zone != "zone-a" || region != "east" || a != conn.Final {
		t.Errorf("here: zone %q, region %q", zone, region)
	}
	for _, r := range c.Requests() {
		if r.Agent == "netconn" && r.Verb != "watch" && r.Verb != "list" {
			t.Errorf("asked for more than lists and watches: %+v", r)
		}
	}
}

// A pod is deleted, and another one gets its address within a second. The API server goes down and comes back. The
// rights are taken away and given back. Known names stay, and each failure is a fault.
func TestClusterChanges(t *testing.T) {
	c := testcluster.New(t)
	shop(c)
	role := reader(t, c)
	k := watched(t, Config{Scope: ScopeCluster, Node: "node-1"}, c.ServiceAccount("shop", "netconn"))
	a := netip.MustParseAddr("10.244.2.21")
	who := func(at time.Time) string {
		p, _ := k.Address(conn.Query{Address: a, At: at, Now: time.Now().Add(time.Hour)})
		return p[names.PeerPod]
	}
	before := time.Now()
	c.Delete("shop", "shell")
	started := time.Now()
	text := strings.NewReplacer("shell", "next", "2026-01-01T00:00:00Z", started.Format(time.RFC3339)).Replace(shopPods[len(shopPods)-1])
	c.Pod(text)
	until(t, "the next pod to have the address", func() bool { return who(time.Now()) == "next" })
	if got := who(before.Add(-time.Minute)); got != "shell" {
		t.Errorf("a minute before: %q", got)
	}
	if got := who(started.Add(-50 * time.Millisecond)); got != "shell" && got != "" {
		t.Errorf("just before: %q", got)
	}

	heard := time.Now()
	c.Namespace("other") // nothing of what is watched: the server that comes back does not know of changes before it
	c.Stop()
	until(t, "a sentence on the API server", func() bool { return len(k.Faults()) == 4 })
	if got := who(before.Add(-time.Minute)) + who(heard); got != "shellnext" {
		t.Errorf("without the API server: %q", got)
	}
	if got := who(time.Now()); got != "" {
		t.Errorf("%q is the answer for a moment that the API has not reported", got)
	}
	c.Start()
	c.Delete("shop", "next")
	c.Pod(strings.ReplaceAll(text, "next", "third"))
	third := time.Now()
	until(t, "the pod that has had the address since", func() bool {
		p, _ := k.Address(conn.Query{Address: a, At: third, Now: time.Now()})
		if p[names.PeerPod] == "next" {
			t.Fatal("a pod that is gone is the answer for a moment after it")
		}
		return p[names.PeerPod] == "third"
	})
	until(t, "nothing to complain of", func() bool { return len(k.Faults()) == 0 })

	checkRights(t, c, k, role, who)
}

// checkRights takes the rights of a watch away, and gives them back.
func checkRights(t *testing.T, c *testcluster.Cluster, k *Cluster, role *rbacv1.ClusterRoleBinding,
	who func(time.Time) string) {
	t.Helper()
	ctx := context.Background()
	if err := c.Client.RbacV1().ClusterRoleBindings().Delete(ctx, role.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	heard := time.Now()
	c.Stop() // a watch that is open goes on without the rights
	c.Start()
	until(t, "a sentence on the rights", func() bool {
		for _, f := range k.Faults() {
			if !strings.Contains(f.Err.Error(), "forbidden") {
				return false
			}
		}
		return len(k.Faults()) == 4
	})
	if got := who(heard) + who(time.Now()); got != "third" {
		t.Errorf("without rights: %q", got)
	}
	role.ResourceVersion = ""
	if _, err := c.Client.RbacV1().ClusterRoleBindings().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, "nothing to complain of, with rights", func() bool { return len(k.Faults()) == 0 })
}

// reader makes a service account that may read what is watched, and returns the binding that lets it.
func reader(t *testing.T, c *testcluster.Cluster) *rbacv1.ClusterRoleBinding {
	t.Helper()
	out, err := c.Kubectl(`
apiVersion: v1
kind: ServiceAccount
metadata: {name: netconn, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: netconn}
rules:
- {apiGroups: [""], resources: [pods, services, nodes], verbs: [list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: netconn}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: netconn}
subjects: [{kind: ServiceAccount, name: netconn, namespace: shop}]
`, "apply", "-f", "-")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := c.Client.RbacV1().ClusterRoleBindings().Get(context.Background(), "netconn", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// With ScopeNode only the pods of this node are watched; a pod of another one is asked for by its name, once.
func TestClusterScopeNode(t *testing.T) {
	c := testcluster.New(t)
	shop(c)
	p := c.Pod(strings.NewReplacer("reviews-7d4-a", "reviews-7d4-b", "10.244.2.13", "10.244.2.14", "fd00:10:244:2::13", "fd00:10:244:2::14").Replace(shopPods[0]))
	c.Slice(`
metadata: {name: reviews-1, namespace: shop, labels: {kubernetes.io/service-name: reviews, endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io}}
addressType: IPv4
endpoints: [{addresses: [10.244.2.14], nodeName: node-2, zone: zone-b, targetRef: {kind: Pod, namespace: shop, name: reviews-7d4-b, uid: ` + string(p.UID) + `}}]
ports: [{name: "", port: 9080}]`)
	k := watched(t, Config{Scope: ScopeNode, Node: "node-1", QPS: 50, Burst: 50}, c.Admin)
	ask := func(address string) (conn.Peer, conn.Answer) {
		return k.Address(conn.Query{Address: netip.MustParseAddr(address), Port: 9080, At: time.Now().Add(-time.Minute), Now: time.Now()})
	}
	first, answer := ask("10.244.2.14")
	if first[names.PeerPod] != "reviews-7d4-b" || first[names.PeerName] != "reviews" || first[names.PeerZone] != "zone-b" || answer != conn.Provisional {
		t.Errorf("before it is asked for: %d, %+v", answer, first)
	}
	until(t, "the pod of the other node", func() bool { _, a := ask("10.244.2.14"); return a == conn.Final })
	got, _ := ask("10.244.2.14")
	want := conn.Peer{names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: "reviews", names.PeerWorkload: "reviews", names.PeerWorkloadKind: "Deployment", names.PeerNamespace: "shop",
		names.PeerPod: "reviews-7d4-b", names.PeerNode: "node-2", names.PeerZone: "zone-b",
		names.PeerRegion: "east", names.PeerService: "reviews", names.PeerServiceNamespace: "shop",
		names.PeerContainerName: "reviews", names.PeerImageTag: "v3",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, a := ask("10.244.2.21"); a != conn.Unknown {
		t.Errorf("a pod of another node that no service has: %+v", got)
	}
	if got, _ := ask("10.244.1.11"); got[names.PeerPod] != "web-5c-a" {
		t.Errorf("a pod of this node: %+v", got)
	}
	wantGetForbidden(t, c)
	gets := 0
	for _, r := range c.Requests() {
		if r.Agent != "netconn" {
			continue
		}
		if r.Resource == "pods" && r.Verb == "get" {
			gets++
		}
		if r.Resource == "pods" && r.Verb != "get" && !strings.Contains(r.URI, "fieldSelector=spec.nodeName%3Dnode-1") {
			t.Errorf("asked for the pods of other nodes: %s", r.URI)
		}
	}
	if gets != 2 {
		t.Errorf("%d pods were asked for, want one by who may, and one by who may not", gets)
	}
}

// wantGetForbidden asks as a user who may list and watch, but not get.
func wantGetForbidden(t *testing.T, c *testcluster.Cluster) {
	t.Helper()
	reader(t, c)
	k := watched(t, Config{Scope: ScopeNode, Node: "node-1", QPS: 50, Burst: 50}, c.ServiceAccount("shop", "netconn"))
	k.Address(conn.Query{Address: netip.MustParseAddr("10.244.2.14"), At: time.Now(), Now: time.Now()})
	until(t, "a sentence on the rights", func() bool { return len(k.Faults()) == 1 })
	if f := k.Faults()[0]; f.About != "objects" || !strings.Contains(f.Err.Error(), "forbidden") {
		t.Errorf("got %+v", f)
	}
}
