//go:build linux

package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/image"
	"github.com/netconn/netconn/internal/testcluster"
)

const (
	root      = "../../.."
	journal   = "/run/journal"
	staticPod = "/etc/kubernetes/manifests/static.yaml"
	deadline  = 2 * time.Minute
	traffic   = 35 * time.Second // twice, in which the CronJob runs at least once

	// lastTraffic ends at no multiple of the collection interval, so the agent ends with much that it has not reported.
	lastTraffic = 15 * time.Second
)

// With deploy/map on a real node, what arrives at the backend is what the applications have counted: every edge, seen
// by both ends, to the byte, and nothing twice or without a name.
func TestNode(t *testing.T) {
	n, b := install(t)
	startApplications(t, n)
	time.Sleep(traffic)
	kubectl(t, n, "-n", "shop", "set", "image", "deployment/web", "front=netconn.test/app:v2")
	rollout(t, n, "shop", "deployment/web")
	time.Sleep(traffic)
	b.wantCounted(t, "after a rolling update")

	resumeApplications(t)
	time.Sleep(lastTraffic)
	stopApplications(t)
	restartAgent(t, n)
	b.wantCounted(t, "after the last collection of an agent")
	resumeApplications(t)
	time.Sleep(traffic)
	b.wantCounted(t, "after a restart of the agent")
	b.wantMap(t, n)
	wantQuiet(t, n)
	b.wantCPU(t)
	b.wantFit(t, n)
	b.wantNames(t)
	explain(t, n, b)
}

// install starts a node with deploy/map, which sends to the backend that it returns.
func install(t *testing.T) (*testcluster.Node, *backend) {
	t.Helper()
	n := newNode(t)
	b := newBackend(t, testcluster.NodeAddress.String()+":4317")
	b.watch(t)
	kubectl(t, n, "apply", "-f", "testdata/dns.yaml")
	rollout(t, n, "kube-system", "deployment/coredns")
	kubectl(t, n, "apply", "-k", overlay(t))
	for _, w := range []string{"daemonset/netconn-agent", "deployment/netconn-gateway", "deployment/netconn-map"} {
		rollout(t, n, "netconn", w)
	}
	awaitReading(t, n)
	return n, b
}

// awaitReading waits until the agent reads the kernel. It is Ready before: the container netconn has no port to probe.
func awaitReading(t *testing.T, n *testcluster.Node) {
	t.Helper()
	if err := harness.Until(deadline, "the agent to read the kernel", func() bool {
		time.Sleep(time.Second)
		return strings.Contains(kubectl(t, n, "-n", "netconn", "logs", "daemonset/netconn-agent", "-c", "netconn"), "Everything is ready")
	}); err != nil {
		t.Fatal(err)
	}
}

// restartAgent replaces the agent, once the last connections have ended. Nothing may be sent meanwhile: what ends before
// the new one has started is not seen. What the old one has seen since its last collection arrives through its
// container collector, which the kubelet ends after the container netconn.
func restartAgent(t *testing.T, n *testcluster.Node) {
	t.Helper()
	time.Sleep(time.Second)
	kubectl(t, n, "-n", "netconn", "rollout", "restart", "daemonset/netconn-agent")
	rollout(t, n, "netconn", "daemonset/netconn-agent")
	awaitReading(t, n)
	time.Sleep(10 * time.Second) // it has adopted what was open
}

// explain logs what helps to understand a failure.
func explain(t *testing.T, n *testcluster.Node, b *backend) {
	t.Helper()
	b.showNeed(t)
	defer b.skipShort(t)
	if t.Failed() || testing.Verbose() {
		show(t, n)
	}
	if t.Failed() {
		for _, s := range b.all() {
			if s.resource["k8s.namespace.name"] == "shop" || s.point["netconn.peer.k8s.namespace.name"] == "shop" {
				t.Logf("%d %v | %v", s.bytes, s.resource, s.point)
			}
		}
	}
}

// wantQuiet checks that an agent that was started beside a gateway has tried nothing in vain.
func wantQuiet(t *testing.T, n *testcluster.Node) {
	t.Helper()
	for _, container := range []string{"netconn", "collector"} {
		log := kubectl(t, n, "-n", "netconn", "logs", "daemonset/netconn-agent", "-c", container)
		if strings.Contains(log, "failed to connect") || strings.Contains(log, "\terror\t") {
			t.Errorf("the container %s is not quiet:\n%s", container, log)
		}
	}
}

// show logs what an administrator would look at.
func show(t *testing.T, n *testcluster.Node) {
	t.Helper()
	t.Log(kubectl(t, n, "get", "pods", "-A", "-o", "wide"))
	for _, container := range []string{"netconn", "collector"} {
		t.Log(kubectl(t, n, "-n", "netconn", "logs", "daemonset/netconn-agent", "-c", container))
	}
	t.Log(kubectl(t, n, "-n", "netconn", "logs", "deployment/netconn-gateway"))
}

// newNode starts a node with the images of the distribution and of the applications.
func newNode(t *testing.T) *testcluster.Node {
	t.Helper()
	testcluster.RequireNode(t)
	app := map[string]string{"app": testcluster.Program(t, "app")}
	tagged := func(tag string) image.Image {
		return image.Image{Name: "netconn.test/app:v" + tag, Architecture: runtime.GOARCH, Files: app, Entrypoint: []string{"/app"}, Env: []string{"TAG=" + tag}}
	}
	n := testcluster.NewNode(t,
		image.Image{Name: "netconn.test/pause:1", Architecture: runtime.GOARCH, Files: app, Entrypoint: []string{"/app", "pause"}},
		image.Image{Name: "netconn.test/coredns:1", Architecture: runtime.GOARCH, Files: map[string]string{"coredns": testcluster.Program(t, "coredns")}, Entrypoint: []string{"/coredns"}},
		tagged("1"), tagged("2"))
	testcluster.Load(t, root+"/_build/image.tar")
	return n
}

// overlay returns the folder of deploy/map with the address of the backend.
func overlay(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	deploy, err := filepath.Abs(root + "/deploy/map")
	if err != nil {
		t.Fatal(err)
	}
	if deploy, err = filepath.Rel(folder, deploy); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("MAP", deploy, "BACKEND", testcluster.NodeAddress.String()+":4317").Replace(`
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [MAP]
patches:
  - target: {kind: Deployment, name: netconn-gateway}
    patch: |
      - {op: replace, path: /spec/template/spec/containers/0/env/1/value, value: "BACKEND"}
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: "--config=yaml:exporters::otlp_grpc::tls::insecure: true"}
`)
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

func startApplications(t *testing.T, n *testcluster.Node) {
	t.Helper()
	static, err := os.ReadFile("testdata/static.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(journal, 0o777), os.Chmod(journal, 0o777)); err != nil {
		t.Fatal(err)
	}
	kubectl(t, n, "apply", "-f", "testdata/apps.yaml")
	if err := os.WriteFile(staticPod, static, 0o600); err != nil {
		t.Fatal(err)
	}
	rollout(t, n, "shop", "deployment/web")
	rollout(t, n, "shop", "statefulset/store")
	if err := harness.Until(deadline, "the static pod", func() bool {
		p, err := n.Client.CoreV1().Pods("shop").Get(context.Background(), "static-"+testcluster.NodeName, metav1.GetOptions{})
		return err == nil && p.Status.Phase == "Running"
	}); err != nil {
		t.Fatal(err)
	}
}

// wantCounted stops the applications, and waits until the backend has what they have counted.
func (b *backend) wantCounted(t *testing.T, when string) {
	t.Helper()
	stopApplications(t)
	diff, want, got := "", map[edge][2]int64(nil), map[edge][2]int64(nil)
	if err := harness.Until(deadline, "both to agree", func() bool {
		time.Sleep(time.Second)
		want, got = counted(t, journal), reported(b.all())
		diff = cmp.Diff(want, got)
		return diff == ""
	}); err != nil {
		b.differs(t, "edges "+when, diff, want, got)
	}
}

func resumeApplications(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(journal, "stop")); err != nil {
		t.Fatal(err)
	}
}

func stopApplications(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(journal, "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func kubectl(t *testing.T, n *testcluster.Node, arguments ...string) string {
	t.Helper()
	out, err := n.Kubectl("", arguments...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return out
}

// rollout waits until all pods of a workload are ready, and shows them if they are not.
func rollout(t *testing.T, n *testcluster.Node, namespace, name string) {
	t.Helper()
	if out, err := n.Kubectl("", "-n", namespace, "rollout", "status", name, "--timeout=120s"); err != nil {
		pods, _ := n.Kubectl("", "describe", "pods", "-n", namespace)
		t.Fatalf("%s: %v\n%s\n%s", name, err, out, pods)
	}
}
