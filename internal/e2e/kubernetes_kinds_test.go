//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/netconn/netconn/internal/testcluster"
)

// A kind is a pod of node1, and its owner.
type kind struct {
	pod      string
	owner    string // of the pod: KIND NAME; empty: none
	workload string // as it is called
	host     bool   // it is in the network of its node
}

// scheduledJob is the name that a CronJob gives to a Job that is due now: the name ends with the minute since 1970.
var scheduledJob = fmt.Sprint("report-", time.Now().Unix()/60)

// kinds are all kinds of pods: without a controller, of the kubelet, and of controllers that give them names.
var kinds = []kind{
	{pod: "alone", workload: "alone"},
	{pod: "other", workload: "other"},
	{pod: "static-node1", owner: "Node node1", workload: "static"},
	{pod: "web-5b7-x1", owner: "ReplicaSet web-5b7", workload: "web"},
	{pod: "db-0", owner: "StatefulSet db", workload: "db"},
	{pod: "load-x2", owner: "Job load", workload: "load"},
	{pod: scheduledJob + "-x3", owner: "Job " + scheduledJob, workload: "report"},
	{pod: "agent-x4", owner: "DaemonSet agent", workload: "agent", host: true},
}

// calls has every kind as a client, and as a server every one that is a server in a cluster: client, server.
var calls = [][2]string{
	{"alone", "other"}, {"other", "alone"}, {"static", "web"}, {"web", "static"}, {"load", "db"}, {"report", "db"},
	{"report", "web"}, {"agent", "web"}, {"web", "agent"}, {"web", "db"}, {"static", "alone"}, {"db", "db"},
}

// object is the pod as the API server gets it.
func (k kind) object() *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: k.pod, Namespace: space, Labels: make(map[string]string)},
		Spec: corev1.PodSpec{
			NodeName: "node1", HostNetwork: k.host, Containers: []corev1.Container{{Name: "app", Image: "example.com/app:v7"}},
		},
	}
	of, name, owned := strings.Cut(k.owner, " ")
	if !owned {
		return p
	}
	yes, version := true, map[string]string{"Job": "batch/v1", "Node": "v1"}[of]
	if version == "" {
		version = "apps/v1"
	}
	p.OwnerReferences = []metav1.OwnerReference{{APIVersion: version, Kind: of, Name: name, UID: "0", Controller: &yes}}
	if of == "ReplicaSet" {
		p.Labels["pod-template-hash"] = "5b7"
	}
	if of == "Node" { // the mirror of a static pod
		p.Annotations = map[string]string{"kubernetes.io/config.mirror": staticUID, "kubernetes.io/config.hash": staticUID}
	}
	return p
}

// staticUID is how a kubelet calls a static pod: the API's uid is that of its mirror.
const staticUID = "0123456789abcdef0123456789abcdef"

// A knownPod is a driver in a pod that the API knows.
type knownPod struct {
	*workload
	listens netip.AddrPort
}

// newKinds starts a driver for each kind, in the cgroup that its kubelet would make.
func newKinds(t *testing.T, c *testcluster.Cluster, s *testbed) map[string]knownPod {
	t.Helper()
	all := make(map[string]knownPod)
	for i, k := range kinds {
		object := c.MakePod(k.object())
		pod := k.start(s, object.UID, 150+i)
		all[k.workload] = pod
		report(t, c, object, pod.listens.Addr(), pod.id)
	}
	return all
}

// start starts the driver of a pod. The cgroup of a static pod does not have the uid that the API has.
func (k kind) start(s *testbed, uid types.UID, number int) knownPod {
	pod, err := s.node[0].Pod(k.pod, number)
	s.check(err)
	pod.UID = string(uid)
	if strings.HasPrefix(k.owner, "Node ") {
		pod.UID = staticUID
	}
	container, err := pod.Container()
	s.check(err)
	in, address, port := pod.Namespace, pod.Addr4, uint16(8080)
	if k.host {
		in, address, port = s.node[0].Namespace, s.node[0].Addr4, 9443
	}
	w := &workload{
		start(s.t, k.workload, in, container.Cgroup), member{k.workload, container.ID, pod}, in, container.Cgroup,
		make(map[string]bool),
	}
	listens := at(address, port)
	w.ensure(listens.String())
	return knownPod{w, listens}
}

// report is what the kubelet reports of a pod that runs.
func report(t *testing.T, c *testcluster.Cluster, p *corev1.Pod, address netip.Addr, container string) {
	t.Helper()
	now := metav1.Now()
	p.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now, PodIP: address.String(), PodIPs: []corev1.PodIP{{IP: address.String()}}, HostIP: nodeAddr.String(),
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "app", ContainerID: "containerd://" + container, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}},
	}
	if _, err := c.Client.CoreV1().Pods(space).UpdateStatus(context.Background(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Pods of every kind talk to each other. Both ends report each edge with the names and the places of both, to the byte,
// and the map has it once: the end that reports itself and the peer of the other end are the same.
func TestClusterKinds(t *testing.T) {
	c := testcluster.New(t)
	s, sink, address := newKnownTestbed(t, c), newSignals(t), freeAddress(t)
	pods := newKinds(t, c, s)
	a := runAgent(t, c.KubeConfig("agent", c.Admin), sink, "file:../../deploy/components/zones/zones.yaml",
		"file:../../deploy/components/map/agent.yaml",
		"yaml:extensions::netmap::endpoint: "+address, "yaml:exporters::netmap: {}",
		"yaml:service::extensions: [health_check, netmap]", "yaml:service::pipelines::metrics::exporters: [otlp_grpc, netmap]")
	until(t, "all watches", func() bool { return slices.Equal(a.connected(), watched) })
	sink.await(t)
	want := make(map[string]int64)
	for i, call := range calls {
		client, server := pods[call[0]], pods[call[1]]
		there, back := 1000+i, 20_000+100*i
		name := fmt.Sprintf("call%d", i)
		client.do("dial %s %s", name, server.listens)
		server.do("accept s%s %s", name, server.listens)
		exchange(client.driver, server.driver, name, there, back)
		edge := knownEnd(call[0]) + " -> " + knownEnd(call[1])
		want[edge+" there"], want[edge+" back"] = int64(there), int64(back)
	}
	for _, role := range []string{"client", "server"} {
		sink.settle(t, want, func() map[string]int64 {
			return sink.sum("netconn.io", func(n number) string { return placed(n, role) })
		})
	}
	for _, call := range calls { // all metrics of an edge are in one row, with the zones
		want[knownEnd(call[0])+" -> "+knownEnd(call[1])+" attempts"] = 1
	}
	diff := ""
	if !poll(func() bool { diff = cmp.Diff(want, tabled(t, address)); return diff == "" }) {
		t.Errorf("the map (-want +got):\n%s", diff)
	}
}

// knownEnd is how an end of a call is to be known. To the name of a static pod the kubelet adds the name of the node.
func knownEnd(workload string) string { return workload + "/app:v7 in zone-a of east" }

// placed names the edge and the direction of a point of one role; empty: it is of no pod of the test.
func placed(n number, role string) string {
	r, p := n.resource, n.point
	if p["netconn.role"] != role || r["k8s.namespace.name"] != space && p["netconn.peer.k8s.namespace.name"] != space {
		return ""
	}
	own := r.of("k8s.cronjob.name", "k8s.job.name", "k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name", "k8s.pod.name")
	own = slices.Concat(strings.Fields(strings.ReplaceAll(own, "- ", "")), []string{"-"})[0]
	own = strings.TrimSuffix(own, "-node1") + "/" + r["k8s.container.name"] + ":" + r["container.image.tag"] + " in " + r["cloud.availability_zone"] + " of " + r["cloud.region"]
	peer := p["netconn.peer.name"] + "/" + p["netconn.peer.container.name"] + ":" + p["netconn.peer.container.image.tag"] + " in " + p["netconn.peer.zone"] + " of " + p["netconn.peer.region"]
	there := p["network.io.direction"] == "transmit"
	if role == "server" {
		own, peer, there = peer, own, !there
	}
	if there {
		return own + " -> " + peer + " there"
	}
	return own + " -> " + peer + " back"
}

// tabled returns the rows of the map's table of the test's pods.
func tabled(t *testing.T, address string) map[string]int64 {
	t.Helper()
	const tags = "workload,container,image.tag,zone"
	var rows struct {
		Client, Server [][]string
		Tx, Rx         []int64
		Attempts       []int64
	}
	q := url.Values{"clients": {tags}, "servers": {tags}, "filter": {"namespace=" + space}, "spark": {"none"}, "loops": {"true"}}
	askMap(t, address, "/api/v1/flows?"+q.Encode(), &rows)
	end := func(v []string) string {
		return fmt.Sprintf("%s/%s:%s in %s of east", strings.TrimSuffix(v[0], "-node1"), v[1], v[2], v[3])
	}
	all := make(map[string]int64)
	for i := range rows.Client {
		edge := end(rows.Client[i]) + " -> " + end(rows.Server[i])
		all[edge+" there"] += rows.Tx[i]
		all[edge+" back"] += rows.Rx[i]
		all[edge+" attempts"] += rows.Attempts[i]
	}
	return all
}
