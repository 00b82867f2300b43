//go:build linux

package testcluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/netconn/netconn/internal/harness"
)

// A test is skipped where a program is missing, and fails where the environment says that nothing may be skipped.
func TestRequire(t *testing.T) {
	etcd := t.TempDir()
	if err := os.WriteFile(filepath.Join(etcd, "etcd"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		path, kubernetes, require, want string
	}{
		"all is there":       {etcd, "/somewhere", "1", ""},
		"no etcd":            {t.TempDir(), "/somewhere", "", "skipped: needs etcd and NETCONN_KUBERNETES"},
		"no Kubernetes":      {etcd, "", "", "skipped: needs etcd and NETCONN_KUBERNETES"},
		"no etcd, required":  {t.TempDir(), "/somewhere", "1", "failed: required by NETCONN_REQUIRE_KUBERNETES=1"},
		"neither, required":  {t.TempDir(), "", "1", "failed: required by NETCONN_REQUIRE_KUBERNETES=1"},
		"neither, with zero": {t.TempDir(), "", "0", "skipped: needs etcd"},
	} {
		t.Setenv("PATH", tt.path)
		t.Setenv("NETCONN_REQUIRE_KUBERNETES", tt.require)
		t.Setenv("NETCONN_KUBERNETES", tt.kubernetes)
		if tt.kubernetes == "" {
			os.Unsetenv("NETCONN_KUBERNETES")
		}
		got := ending(t, func(r *recorder) { Require(r) })
		if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// A node takes more programs than an API server, and a process that is inside Enter; each is named if it is missing.
func TestRequireNode(t *testing.T) {
	path := t.TempDir()
	kubernetes := programs(t, "kubelet", "kube-proxy", "kube-controller-manager", "kube-scheduler")
	for _, name := range []string{"etcd", "containerd", "ctr", "runc", "iptables", "ip"} {
		if err := os.WriteFile(filepath.Join(path, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", path)
	t.Setenv("NETCONN_REQUIRE_KUBERNETES", "")
	t.Setenv(insideVariable, "1")
	require := func() string { return ending(t, func(r *recorder) { RequireNode(r) }) }
	if got := require(); got != "" {
		t.Errorf("all is there: %q", got)
	}
	for _, missing := range []string{filepath.Join(path, "runc"), filepath.Join(kubernetes, "kube-proxy")} {
		if err := os.Rename(missing, missing+".away"); err != nil {
			t.Fatal(err)
		}
		if got := require(); !strings.HasPrefix(got, "skipped: ") || !strings.Contains(got, filepath.Base(missing)) {
			t.Errorf("without %s: %q", missing, got)
		}
		if err := os.Rename(missing+".away", missing); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(insideVariable, "")
	if got := require(); got != "skipped: the tests do not run in Enter" {
		t.Errorf("outside: %q", got)
	}
	t.Setenv("NETCONN_REQUIRE_KUBERNETES", "1")
	if got := require(); got != "failed: the tests do not run in Enter" {
		t.Errorf("outside, required: %q", got)
	}
}

// A node is ready when its kubelet says so, and not only that its memory or its disk is fine.
func TestReady(t *testing.T) {
	n, client := onNode(t)
	if err := n.ready(); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("without a node: %v", err)
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: NodeName}}
	node, err := client.CoreV1().Nodes().Create(t.Context(), node, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		kind   corev1.NodeConditionType
		status corev1.ConditionStatus
		ready  bool
	}{
		{corev1.NodeReady, corev1.ConditionUnknown, false}, {corev1.NodeReady, corev1.ConditionFalse, false},
		{corev1.NodeMemoryPressure, corev1.ConditionTrue, false}, {corev1.NodeReady, corev1.ConditionTrue, true},
	} {
		node.Status.Conditions = append(node.Status.Conditions, corev1.NodeCondition{Type: tt.kind, Status: tt.status})
		if _, err := client.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := n.ready(); (err == nil) != tt.ready {
			t.Errorf("%s is %s: %v", tt.kind, tt.status, err)
		}
	}
}

// A program of the node that ends is the end of the test: waiting for the node would take minutes.
func TestReadyWithoutAProgram(t *testing.T) {
	n, _ := onNode(t, "kubelet")
	n.start("kubelet", "fail")
	<-n.programs[0].Ended
	got := ending(t, func(r *recorder) {
		n.t = r
		_ = n.ready()
	})
	if got != "failed: a program of the node has ended: exit status 3" {
		t.Errorf("got %q", got)
	}
}

// started returns what a program of the node was started with, and the configuration in the file that it names.
func started(t *testing.T, n *Node, name string) (arguments []string, config map[string]any) {
	t.Helper()
	<-n.programs[len(n.programs)-1].Ended
	arguments = strings.Split(strings.TrimSpace(string(read(t, n.path(name+".log")))), "\n")[1:]
	for _, a := range arguments {
		if path, ok := strings.CutPrefix(a, "--config="); ok {
			if err := yaml.UnmarshalStrict(read(t, path), &config); err != nil {
				t.Fatal(err)
			}
		}
	}
	return arguments, config
}

// The kubelet keeps its pods below the cgroup of the node, where Sweep finds them, and trusts the cluster's authority.
func TestKubelet(t *testing.T) {
	n, _ := onNode(t, "kubelet")
	n.startKubelet()
	arguments, config := started(t, n, "kubelet")
	for _, want := range []string{
		"--kubeconfig=" + n.path("kubelet.kubeconfig"), "--hostname-override=node-1", "--node-ip=172.31.7.10",
		"--node-labels=topology.kubernetes.io/zone=zone-a,topology.kubernetes.io/region=region-1",
	} {
		if !slices.Contains(arguments, want) {
			t.Errorf("%s is not in %q", want, arguments)
		}
	}
	x509 := config["authentication"].(map[string]any)["x509"].(map[string]any)
	if config["cgroupRoot"] != "/"+nodeCgroup || x509["clientCAFile"] != n.path("ca.crt") {
		t.Errorf("configuration: %v", config)
	}
}

func TestProxy(t *testing.T) {
	n, _ := onNode(t, "kube-proxy")
	n.startProxy("/path/of/a/kubeconfig")
	_, config := started(t, n, "kube-proxy")
	connection := config["clientConnection"].(map[string]any)
	if connection["kubeconfig"] != "/path/of/a/kubeconfig" || config["clusterCIDR"] != podRange ||
		config["hostnameOverride"] != NodeName {
		t.Errorf("configuration: %v", config)
	}
}

// The logs of a node are shown only if the test has failed, and only their ends. Its programs end either way.
func TestStopShowsLogs(t *testing.T) {
	for _, failed := range []bool{false, true} {
		n, _ := onNode(t)
		r := &recorder{TB: t, failed: failed}
		n.t = r
		n.write("kubelet.log", "the beginning"+strings.Repeat("x", 2000))
		p, err := harness.Start(exec.Command("sleep", "60"))
		if err != nil {
			t.Fatal(err)
		}
		n.programs = append(n.programs, p)
		n.stop()
		<-p.Ended
		if len(r.logged) != 0 != failed {
			t.Fatalf("failed: %v, logged: %q", failed, r.logged)
		}
		if failed && (!strings.HasPrefix(r.logged[0], "the end of the log of kubelet:\nxxx") || len(r.logged[0]) > 2100) {
			t.Errorf("logged: %.60q", r.logged[0])
		}
	}
}
