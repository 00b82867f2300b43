//go:build linux

package kubernetes

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/netconn/netconn/internal/testcluster"
)

// basePods is how many pods of each node are there before and after a rollout.
const basePods = 2

// A rollout is pods that come and go, in a cluster with a node for each agent.
type rollout struct {
	*testcluster.Cluster
	t           *testing.T
	nodes, pods int
}

// What agents know of a rollout, and what they and an API server do for it: with none, with those that watch the pods
// of their own node, and with those that watch all. NETCONN_WATCHERS says how many agents there are, NETCONN_ROLLOUT how
// many pods.
func TestClusterWatchers(t *testing.T) {
	r := &rollout{testcluster.New(t), t, numberOf("NETCONN_WATCHERS", 20), numberOf("NETCONN_ROLLOUT", 20)}
	r.Namespace("shop")
	r.each(r.nodes, func(i int) { r.Node(fmt.Sprintf(`metadata: {name: node-%d}`, i)) })
	r.each(r.nodes*basePods, func(i int) { r.MakePod(crowdPod(i, r.nodes)) })
	t.Logf("%d nodes with an agent and %d pods each; a rollout of %d pods has %d changes of pods and %d of a slice",
		r.nodes, basePods, r.pods, r.pods*podChanges, r.pods)
	r.run("no agents", "", 0)
	r.run("scope node", ScopeNode, r.nodes)
	r.run("scope cluster", ScopeCluster, r.nodes)
}

func numberOf(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}

// each calls f for the numbers up to n, eight at a time.
func (r *rollout) each(n int, f func(int)) {
	var work sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	work.Wait()
}

// run starts agents, rolls pods out and in again, and says what that took.
func (r *rollout) run(name string, scope Scope, agents int) {
	r.t.Helper()
	var received atomic.Int64
	all := make([]*Cluster, agents)
	took := r.used()
	for i := range all {
		all[i] = r.agent(scope, i, &received)
	}
	defer func() {
		for _, k := range all {
			k.Close()
		}
	}()
	r.await(all, "everything to be listed", synced)
	took = r.log(name+": start", took, &received, agents)

	r.each(r.pods, r.rollOut)
	r.await(all, "the new pods", func(k *Cluster) bool { return k.Stats().Pods == r.known(k, true) })
	r.each(r.pods, func(i int) { r.Delete("shop", podName(r.nodes*basePods+i)) })
	r.await(all, "the end of the pods", func(k *Cluster) bool { return k.Stats().Pods == r.known(k, false) })
	took = r.log(name+": pods", took, &received, agents)

	r.slices()
	r.await(all, "the slices", func(k *Cluster) bool { return scope == ScopeCluster || k.Stats().Slices == 2 })
	r.log(name+": slices", took, &received, agents)
	if scope == ScopeCluster && all[0].Stats().Slices != 0 {
		r.t.Errorf("an agent that watches all pods has %d slices", all[0].Stats().Slices)
	}
	slices := r.Client.DiscoveryV1().EndpointSlices("shop")
	if err := slices.DeleteCollection(r.t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// agent opens the cluster as the agent of a node does, over a connection of its own.
func (r *rollout) agent(scope Scope, i int, received *atomic.Int64) *Cluster {
	r.t.Helper()
	config := Defaults()
	config.Scope, config.Node = scope, fmt.Sprint("node-", i)
	user := rest.CopyConfig(r.Admin)
	user.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return counted{c, received}, err
	}
	k, err := open(config, config.limit(user), time.Now)
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

// await waits until something holds of all agents. It allows for as many as a machine of two cores can hardly serve.
func (r *rollout) await(all []*Cluster, what string, holds func(*Cluster) bool) {
	r.t.Helper()
	for i, end := 0, time.Now().Add(20*time.Minute); i < len(all); {
		if holds(all[i]) {
			i++
			continue
		}
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain for %s: agent %d has %+v", what, i, all[i].Stats())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// known is how many pods an agent knows, with those that are rolled out or without.
func (r *rollout) known(k *Cluster, rolledOut bool) int {
	pods := r.nodes * basePods
	if rolledOut {
		pods += r.pods
	}
	if k.config.Scope == ScopeCluster {
		return pods
	}
	node, _ := strconv.Atoi(strings.TrimPrefix(k.config.Node, "node-"))
	return (pods - node + r.nodes - 1) / r.nodes
}

// podChanges are the changes of a pod: it is made on a node, its status changes four times, and it is gone.
const podChanges = 6

// rollOut makes a pod, and has its kubelet report as often as one does of a pod with an init container.
func (r *rollout) rollOut(i int) {
	p := crowdPod(r.nodes*basePods+i, r.nodes)
	status := p.Status
	made := r.MakePod(p)
	for change := range podChanges - 3 {
		made.Status = *status.DeepCopy()
		made.Status.Message = fmt.Sprint("change ", change)
		var err error
		if made, err = r.Client.CoreV1().Pods("shop").UpdateStatus(context.Background(), made, metav1.UpdateOptions{}); err != nil {
			panic(err)
		}
	}
}

// slices has the controller's slice of a service grow by each pod, and writes another one after that.
func (r *rollout) slices() {
	r.t.Helper()
	const head = `
metadata: {name: checkout-%d, namespace: shop, labels: {kubernetes.io/service-name: checkout, endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io}}
addressType: IPv4
ports: [{name: http, port: 8080}]`
	r.Slice(fmt.Sprintf(head, 0))
	slices, yes := r.Client.DiscoveryV1().EndpointSlices("shop"), true
	slice, err := slices.Get(r.t.Context(), "checkout-0", metav1.GetOptions{})
	for i := 0; i < r.pods && err == nil; i++ {
		p := crowdPod(i, r.nodes)
		zone := "zone-a"
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{p.Status.PodIP}, NodeName: &p.Spec.NodeName, Zone: &zone,
			Conditions: discoveryv1.EndpointConditions{Ready: &yes, Serving: &yes},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: p.Name, UID: "00000000-0000-0000-0000-000000000000"},
		})
		slice, err = slices.Update(r.t.Context(), slice, metav1.UpdateOptions{})
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.Slice(fmt.Sprintf(head, 1))
}

// A usage is what an API server has used.
type usage struct {
	cpu, memory float64 // seconds, bytes
	received    int64
}

// used returns what the API server says it has used.
func (r *rollout) used() (u usage) {
	r.t.Helper()
	text, err := r.Client.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for lines := bufio.NewScanner(strings.NewReader(string(text))); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil:
		case name == "process_cpu_seconds_total":
			u.cpu = n
		case name == "process_resident_memory_bytes":
			u.memory = n
		}
	}
	if u.cpu == 0 || u.memory == 0 {
		r.t.Fatalf("the API server says that it has used %+v", u)
	}
	return u
}

// log says what was used since before, and returns what is used now.
func (r *rollout) log(what string, before usage, received *atomic.Int64, agents int) usage {
	r.t.Helper()
	now := r.used()
	now.received = received.Load()
	r.t.Logf("%-22s %6.1f s of CPU, %5.0f MB of memory, %8d bytes an agent", what, now.cpu-before.cpu, now.memory/1e6,
		(now.received-before.received)/int64(max(1, agents)))
	return now
}
