//go:build linux

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netconn/netconn/internal/testcluster"
	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
)

// A role is what the API says of a pod of the mesh.
type role struct {
	pod, deployment, hash, node, tag string
	labels                           map[string]string
}

// bookinfoRoles are the deployments of bookinfo. There is one reviews, in two versions: a canary.
func bookinfoRoles() []role {
	return []role{
		{"ratings", "ratings", "5b7", "node2", "1.20", nil},
		{"reviews-v1", "reviews", "6c8", "node1", "v1", nil},
		{"reviews-v3", "reviews", "7d9", "node2", "v3", nil},
		{"details", "details", "8eb", "node2", "1.20", map[string]string{"app.kubernetes.io/name": "book-details"}},
		{"productpage", "productpage", "9fc", "node1", "1.20", nil},
		{"gateway", "front", "bcd", "node1", "1.29", map[string]string{"istio": "ingressgateway"}},
	}
}

// ztunnelRoles are the ztunnels of both nodes. The API knows them by the label of their pods.
func ztunnelRoles() []role {
	return []role{
		{bookinfo.Ztunnel + "-node1", bookinfo.Ztunnel, "5f4", "node1", "1.29.0", nil},
		{bookinfo.Ztunnel + "-node2", bookinfo.Ztunnel, "6c7", "node2", "1.29.0", nil},
	}
}

// app is the name of the container with the application, as the mesh calls its process.
func (r role) app() string {
	if r.deployment == bookinfo.Ztunnel {
		return bookinfo.Ztunnel
	}
	return appIn(r.pod)
}

const space = "bookinfo"

// A knownMesh is a mesh, and an API server that knows it.
type knownMesh struct {
	*testcluster.Cluster
	mesh *bookinfo.Deployment
	pods map[string]*corev1.Pod // by the names that the mesh has
}

// newKnownMesh writes a cluster, and makes the mesh that it describes: the API server gives pods their uids, their
// cgroups have them, and their status has the containers, as a kubelet would have it.
func newKnownMesh(t *testing.T, o bookinfo.Options) *knownMesh {
	t.Helper()
	s := &knownMesh{Cluster: testcluster.New(t), pods: make(map[string]*corev1.Pod)}
	writeNodes(s.Cluster)
	all := bookinfoRoles()
	if o.Ambient {
		all = append(all, ztunnelRoles()...)
	}
	for _, r := range all {
		s.pods[r.pod] = s.MakePod(r.object(o.Rules != nil && !o.Ambient))
	}
	o.UID = func(pod string) string { return string(s.pods[pod].UID) }
	s.mesh = newBookinfo(t, o)
	for _, r := range bookinfoRoles() {
		if r.pod != bookinfo.Gateway && r.pod != "reviews-v3" { // its service is that of the other version
			s.service(r)
		}
	}
	s.Service(`
metadata: {name: front, namespace: bookinfo}
spec: {type: NodePort, clusterIP: 10.96.1.9, selector: {app: gateway}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}`)
	for _, r := range all {
		s.report(t, r)
	}
	return s
}

// writeNodes describes the nodes of every mesh to the API server, and makes the namespace.
func writeNodes(c *testcluster.Cluster) {
	c.Namespace(space)
	for i, zone := range []string{"zone-a", "zone-b"} {
		c.Node(fmt.Sprintf(`
metadata: {name: node%d, labels: {topology.kubernetes.io/zone: %s, topology.kubernetes.io/region: east}}
status: {addresses: [{type: InternalIP, address: 172.18.0.%d}]}`, i+1, zone, i+3))
	}
}

func (s *knownMesh) service(r role) {
	at := s.mesh.Service(r.app())
	s.Service(fmt.Sprintf(`
metadata: {name: %s, namespace: %s}
spec: {clusterIP: %s, selector: {app: %[1]s}, ports: [{port: %[4]d}]}`, r.app(), space, at.Addr(), at.Port()))
}

func (r role) object(meshed bool) *corev1.Pod {
	yes, always := true, corev1.ContainerRestartPolicyAlways
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: r.deployment + "-" + r.hash + "-x1", Namespace: space,
			Labels: map[string]string{"app": r.app(), "pod-template-hash": r.hash},
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: r.deployment + "-" + r.hash, UID: "0", Controller: &yes},
			},
		},
		Spec: corev1.PodSpec{
			NodeName:   r.node,
			Containers: []corev1.Container{{Name: r.app(), Image: "example.com/bookinfo/" + r.app() + ":" + r.tag}},
		},
	}
	for k, v := range r.labels {
		p.Labels[k] = v
	}
	if meshed && r.pod != bookinfo.Gateway { // a native sidecar
		p.Spec.InitContainers = []corev1.Container{
			{Name: "istio-proxy", Image: "example.com/istio/proxyv2:1.29.0", RestartPolicy: &always, Args: []string{"proxy", "sidecar"}},
		}
	}
	return p
}

// report is what the kubelet does: addresses, and the ids of the containers.
func (s *knownMesh) report(t *testing.T, r role) {
	t.Helper()
	p := s.pods[r.pod].DeepCopy()
	now := metav1.Now()
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &now}
	for _, m := range s.mesh.Members {
		if m.Pod == nil || m.Pod.Name != r.pod {
			continue
		}
		p.Status.PodIP, p.Status.PodIPs = m.Pod.Addr4.String(), []corev1.PodIP{{IP: m.Pod.Addr4.String()}, {IP: m.Pod.Addr6.String()}}
		status := corev1.ContainerStatus{
			Name: containerOf(m), ContainerID: "containerd://" + m.ID, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}
		if m.Name == bookinfo.Envoy {
			p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, status)
		} else {
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, status)
		}
	}
	if _, err := s.Client.CoreV1().Pods(space).UpdateStatus(context.Background(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// containerOf is the name that the API has for the container of a member.
func containerOf(m bookinfo.Member) string {
	if m.Name == bookinfo.Envoy {
		return "istio-proxy"
	}
	return m.Name
}

// runAgent starts the distribution with both configurations of deploy/base, as the agent of a node of the mesh that
// sees all nodes. The health check includes the status of the components, which is off by default.
func runAgent(t *testing.T, kubeconfig string, sink *signals, more ...string) *agent {
	t.Helper()
	a := &agent{otlp: freeAddress(t), telemetry: freeAddress(t), health: freeAddress(t)}
	command := exec.Command("/proc/self/fd/3", "--feature-gates=+extension.healthcheck.useComponentStatus")
	a.collector = launchBy(t, command, nil, []string{
		"KUBECONFIG=" + kubeconfig, "KUBERNETES_AUTH=kubeConfig", "NETCONN_ROOT=/", "K8S_NODE_NAME=node1",
		"OTLP_ENDPOINT=" + sink.address, "OTLP_LISTEN=" + a.otlp, "HEALTH_LISTEN=" + a.health,
		"TELEMETRY_HOST=" + host(a.telemetry), "TELEMETRY_PORT=" + port(a.telemetry), "NETCONN_OTLP=" + freeAddress(t),
	}, append([]string{
		"file:../../deploy/base/netconn.yaml", "file:../../deploy/base/collector.yaml",
		"yaml:receivers::netconn::collection_interval: 1s",
		"yaml:receivers::netconn::initial_delay: 0s",
		"yaml:service::telemetry::logs::sampling::enabled: false",                                   // as in the container netconn, which this is too
		`yaml:processors::k8s_attributes::filter::node_from_env_var: ""`,                            // both nodes of the mesh are on this machine
		"yaml:processors::batch: {timeout: 100ms, send_batch_size: 100000, send_batch_max_size: 0}", // a collection is one message
	}, more...)...)
	return a
}

// An agent is a distribution that runs with the configuration of a node's agent.
type agent struct {
	*collector
	otlp, telemetry, health string // addresses
}

// clientOf returns the client that connected to a member: of the pod whose address the socket has, or of its own pod.
func (s *knownMesh) clientOf(m bookinfo.Member, from string) bookinfo.Member {
	switch {
	case m.Name == bookinfo.Gateway:
		return s.mesh.Client()
	case m.Name == bookinfo.Envoy && from == m.Pod.Name:
		return s.mesh.Find(from, appIn(from))
	case m.Name == bookinfo.Envoy:
		return s.mesh.Proxy(from)
	}
	if proxy := s.mesh.Find(m.Pod.Name, bookinfo.Envoy); proxy.Process != nil {
		return proxy
	}
	return s.mesh.Find(from, appIn(from))
}

// edges returns the bytes between workloads and containers, as the processes have counted them: client -> server, there
// and back.
func (s *knownMesh) edges(t *testing.T) map[string][2]int64 {
	t.Helper()
	all := make(map[string][2]int64)
	for _, m := range s.mesh.Members {
		legs, err := m.Legs()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range legs {
			if !l.Accepted {
				continue
			}
			k := s.endOf(s.clientOf(m, podAt(s.mesh, l.Remote.Addr()))) + " -> " + s.endOf(m)
			all[k] = [2]int64{all[k][0] + l.Received, all[k][1] + l.Sent}
		}
	}
	return all
}

// endOf names an end of an edge: workload/container:tag.
func (s *knownMesh) endOf(m bookinfo.Member) string {
	if m.Pod == nil {
		return "host/" + m.Name
	}
	for _, r := range bookinfoRoles() {
		if r.pod != m.Pod.Name {
			continue
		}
		if m.Name == bookinfo.Envoy {
			return r.deployment + "/istio-proxy:1.29.0 (sidecar)"
		}
		name := r.deployment + "/" + r.app() + ":" + r.tag
		if r.pod == bookinfo.Gateway {
			name += " (gateway)"
		}
		return name
	}
	return "nobody/" + strings.TrimSpace(m.Name)
}
