//go:build linux

package testcluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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
	podRange   = "10.244.1.0/24"
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
	missing := func(err error) {
		if os.Getenv("NETCONN_REQUIRE_KUBERNETES") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	for _, name := range []string{"containerd", "ctr", "runc", "iptables", "ip"} {
		if _, err := exec.LookPath(name); err != nil {
			missing(err)
		}
	}
	for _, name := range []string{"kubelet", "kube-proxy", "kube-controller-manager", "kube-scheduler"} {
		if _, err := os.Stat(Program(t, name)); err != nil {
			missing(err)
		}
	}
	if os.Getenv(insideVariable) == "" {
		missing(errors.New("the tests do not run in Enter"))
	}
}

// NewNode starts a node with images, and waits until it is ready.
func NewNode(t testing.TB, pause image.Image, images ...image.Image) *Node {
	t.Helper()
	RequireNode(t)
	prepareMachine(t)
	n := &Node{Cluster: NewAt(t, NodeAddress)}
	t.Cleanup(n.stop)
	n.startContainerd(pause.Name)
	for _, i := range append(images, pause) {
		n.load(i)
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

// prepareMachine gives the namespaces that Enter has made an address, and folders that are the node's own.
func prepareMachine(t testing.TB) {
	t.Helper()
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	for _, folder := range []string{"/run", "/var/lib/cni", "/var/log", "/etc/cni", "/etc/kubernetes"} {
		err = errors.Join(err, os.MkdirAll(folder, 0o755), unix.Mount("none", folder, "tmpfs", 0, ""))
	}
	for _, folder := range []string{"/var/lib/containerd", "/var/lib/kubelet"} { // a disk, as the kubelet expects
		own := filepath.Join(nodeFolder, folder)
		err = errors.Join(err, os.MkdirAll(folder, 0o755), os.MkdirAll(own, 0o755),
			unix.Mount(own, folder, "", unix.MS_BIND, ""))
	}
	err = errors.Join(err, os.MkdirAll("/etc/kubernetes/manifests", 0o755), os.MkdirAll("/etc/cni/net.d", 0o755))
	for name, value := range tunables {
		err = errors.Join(err, cover("/proc/sys/"+name, value))
	}
	for _, command := range []string{
		"ip link set lo up", "ip link add node0 type bridge",
		"ip address add " + NodeAddress.String() + "/24 dev node0",
		"ip link set node0 up", "ip route add default dev node0",
	} {
		fields := strings.Fields(command)
		if out, failure := exec.Command(fields[0], fields[1:]...).CombinedOutput(); failure != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w: %s", command, failure, out))
		}
	}
	err = errors.Join(err, os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0))
	if err != nil {
		t.Fatal(err)
	}
}

// tunables are what a kubelet sets on its machine. Here it finds them set, in files that cover those of the kernel.
var tunables = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// cover mounts a file with a text over another one.
func cover(path, text string) error {
	file := filepath.Join("/run", strings.ReplaceAll(path, "/", "_"))
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	return unix.Mount(file, path, "", unix.MS_BIND, "")
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

func (n *Node) startContainerd(pause string) {
	n.t.Helper()
	n.write("containerd.toml", fmt.Sprintf(`version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
`, pause))
	// Each packet of a pod is routed by the node, also to another pod of it.
	network := fmt.Sprintf(`{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipMasq": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}`, podRange)
	if err := os.WriteFile("/etc/cni/net.d/10-pods.conflist", []byte(network), 0o600); err != nil {
		n.t.Fatal(err)
	}
	n.programs = append(n.programs,
		start(n.t, n.path("containerd.log"), "containerd", "--config="+n.path("containerd.toml")))
	n.wait("containerd", func() error { return ctr("version") })
}

// load writes an image, and gives it to containerd.
func (n *Node) load(i image.Image) {
	n.t.Helper()
	path := n.path("image.tar")
	file, err := os.Create(path)
	if err != nil {
		n.t.Fatal(err)
	}
	_, err = image.Write(file, i)
	if err := errors.Join(err, file.Close()); err != nil {
		n.t.Fatalf("write %s: %v", i.Name, err)
	}
	n.Load(path)
	if err := os.Remove(path); err != nil {
		n.t.Fatal(err)
	}
}

// Load gives the image in an archive to containerd.
func (n *Node) Load(archive string) {
	n.t.Helper()
	if err := ctr("images", "import", archive); err != nil {
		n.t.Fatalf("load %s: %v", archive, err)
	}
}

func ctr(arguments ...string) error {
	out, err := exec.Command("ctr", append([]string{"--namespace=k8s.io"}, arguments...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(arguments, " "), err, out)
	}
	return nil
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
