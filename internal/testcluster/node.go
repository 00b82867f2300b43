//go:build linux

package testcluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/image"
)

// Of the node.
const (
	NodeName   = "node-1"
	NodeZone   = "zone-a"
	NodeRegion = "region-1"
	dns        = "10.96.0.10"
)

// NodeAddress is the address of the node and of the API server.
var NodeAddress = netip.AddrFrom4([4]byte{172, 31, 7, 10})

// Node is a cluster with all of Kubernetes on one real node: API server, controllers, scheduler, kubelet, containerd,
// runc, kube-proxy and the network of pods. It takes root and a program that runs in Enter.
type Node struct {
	*Cluster

	programs []*harness.Process
}

// RequireNode skips the test where the programs are not there, as Require does.
func RequireNode(t testing.TB) {
	t.Helper()
	Require(t)
	var err error
	for _, name := range []string{"kubelet", "kube-proxy", "kube-controller-manager", "kube-scheduler"} {
		_, failure := os.Stat(Program(t, name))
		err = errors.Join(err, failure)
	}
	missing(t, err)
	RequireRuntime(t)
}

// NewNode starts a node with images, and waits until it is ready.
func NewNode(t testing.TB, pause image.Image, images ...image.Image) *Node {
	t.Helper()
	RequireNode(t)
	prepareMachine(t)
	n := &Node{Cluster: NewAt(t, NodeAddress)}
	t.Cleanup(n.stop)
	containers := &Runtime{t: t, dir: n.dir}
	n.programs = append(n.programs, containers.start(pause.Name))
	for _, i := range append(images, pause) {
		containers.add(i)
	}
	admin := n.KubeConfig("admin", n.Admin)
	n.start("kube-controller-manager", "--kubeconfig="+admin,
		"--service-account-private-key-file="+n.path("tokens.key"),
		"--root-ca-file="+n.path("ca.crt"), "--leader-elect=false", "--node-monitor-period=2s", "--secure-port=10357",
		"--cert-dir="+n.path("controllers"))
	n.start("kube-scheduler", "--kubeconfig="+admin, "--leader-elect=false", "--secure-port=10359",
		"--cert-dir="+n.path("scheduler"))
	n.startKubelet()
	n.startProxy(admin)
	n.wait("the node to be ready", n.ready)
	return n
}

// start starts one of the programs of Kubernetes.
func (n *Node) start(name string, arguments ...string) {
	n.t.Helper()
	n.programs = append(n.programs, start(n.t, n.path(name+".log"), Program(n.t, name), arguments...))
}

// Forward forwards a port of this machine's loopback to the same one of a pod.
func (n *Node) Forward(namespace, target, port string) {
	n.t.Helper()
	n.start("kubectl", "--kubeconfig="+n.KubeConfig("admin", n.Admin), "-n", namespace, "port-forward", target, port)
}

func (n *Node) startKubelet() {
	n.t.Helper()
	n.write("kubelet.yaml", fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: %q}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupRoot: /%s
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
oomScoreAdj: 0
evictionHard: {memory.available: "1Mi"}
imageGCHighThresholdPercent: 100
clusterDNS: [%s]
clusterDomain: cluster.local
resolvConf: ""
staticPodPath: /etc/kubernetes/manifests
fileCheckFrequency: 2s
syncFrequency: 10s
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
volumePluginDir: /var/lib/kubelet/volume-plugins
`, n.path("ca.crt"), nodeCgroup, dns))
	config := n.KubeConfig("kubelet", n.User("system:node:"+NodeName, "system:nodes"))
	n.start("kubelet", "--kubeconfig="+config, "--config="+n.path("kubelet.yaml"), "--hostname-override="+NodeName,
		"--node-ip="+NodeAddress.String(),
		"--node-labels=topology.kubernetes.io/zone="+NodeZone+",topology.kubernetes.io/region="+NodeRegion)
}

func (n *Node) startProxy(config string) {
	n.t.Helper()
	n.write("proxy.yaml", fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: %q}
mode: iptables
clusterCIDR: %s
hostnameOverride: %s
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 0s}
`, config, podRange, NodeName))
	n.start("kube-proxy", "--config="+n.path("proxy.yaml"))
}

func (n *Node) ready() error {
	for _, p := range n.programs {
		select {
		case <-p.Ended:
			n.t.Fatalf("a program of the node has ended: %v", p.State())
		default:
		}
	}
	node, err := n.Client.CoreV1().Nodes().Get(context.Background(), NodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return errors.New("it is not")
}

// stop shows what the programs wrote if the test has failed, and ends them. The containers end with the cgroup.
func (n *Node) stop() {
	if n.t.Failed() {
		names := []string{"containerd", "kubelet", "kube-proxy", "kube-controller-manager", "kube-scheduler"}
		for _, name := range names {
			if text, err := os.ReadFile(n.path(name + ".log")); err == nil {
				n.t.Logf("the end of the log of %s:\n%s", name, text[max(0, len(text)-2000):])
			}
		}
	}
	for _, p := range n.programs {
		p.Kill()
	}
}
