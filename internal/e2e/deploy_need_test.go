//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testnet"
)

// With the capabilities that the DaemonSet names, and no other, nothing is missing. It needs them after the start, too: a
// reload loads its programs again in the same process, which had to keep what that takes.
func TestDeployCapabilities(t *testing.T) {
	if _, err := exec.LookPath("setpriv"); err != nil {
		testnet.Require(t, err)
	}
	set := "-all"
	for _, name := range agentCapabilities(t) {
		set += ",+" + strings.ToLower(name)
	}
	health := freeAddress(t)
	s := setup{Health: health, Receiver: []string{"error_mode: ignore", "collection_interval: 100ms"}}
	c := launchBy(t, exec.Command("setpriv", "--bounding-set="+set, "--no-new-privs", "/proc/self/fd/3"), nil,
		[]string{"NETCONN_TEST_CONFIGURATION=" + s.text(t)}, "env:NETCONN_TEST_CONFIGURATION")
	until(t, "health", func() bool { return healthy(health) })
	collections := func() int { return strings.Count(c.Log(), `"resource metrics"`) }
	until(t, "collections", func() bool { return collections() > 5 })
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	before := collections()
	until(t, "collections after a reload", func() bool { return healthy(health) && collections() > before+5 })
	if missing := harness.Missing(c.Log()); len(missing) > 0 || strings.Contains(c.Log(), "No connections are read.") {
		t.Errorf("with %s: %q", set, missing)
	}
}

// measuredNeed finds in docs/performance.md what 100,000 connections with both ends on the node take in the kernel, and
// with 10,000 pods.
var measuredNeed = regexp.MustCompile(`(?m)^\| 100,000, both ends here \|[^|]*\|[^|]*\| (\d+) MB [^|]*\| (\d+) MiB \|`)

// The agent's limit is above what was measured, and leaves room for the kernel beside what Go may use.
func TestDeployMemory(t *testing.T) {
	text, err := os.ReadFile(root + "/docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	row := measuredNeed.FindStringSubmatch(string(text))
	if row == nil {
		t.Fatal("docs/performance.md does not say what the agent needs")
	}
	kernel, need := quantity.MustParse(row[1]+"M"), quantity.MustParse(row[2]+"Mi")
	agent := agentContainer(t)
	limit := agent.Resources.Limits.Memory()
	i := slices.IndexFunc(agent.Env, func(v corev1.EnvVar) bool { return v.Name == "GOMEMLIMIT" })
	if i < 0 {
		t.Fatal("GOMEMLIMIT is not set")
	}
	forGo := quantity.MustParse(strings.TrimSuffix(agent.Env[i].Value, "B"))
	if limit.Cmp(need) < 0 {
		t.Errorf("the limit is %v, and %v are needed", limit, &need)
	}
	if forGo.Value()+kernel.Value() > limit.Value() {
		t.Errorf("the limit is %v, Go may use %v, and the kernel needs %v", limit, &forGo, &kernel)
	}
}

// goneFor is how long netconn reports the flows of a container that has ended: five minutes until it is sure of the end, five more for
// what the kernel still sends, and a collection.
const goneFor = 11 * time.Minute

// k8s_attributes knows a pod for as long as netconn reports its flows: all of its totals would come again without its name.
func TestDeployGrace(t *testing.T) {
	var agent struct {
		Processors struct {
			Attributes struct {
				Grace string `json:"pod_delete_grace_period"`
			} `json:"k8s_attributes"`
		}
	}
	read(t, root+"/deploy/base/collector.yaml", &agent)
	if grace, err := time.ParseDuration(agent.Processors.Attributes.Grace); err != nil || grace < goneFor {
		t.Errorf("the processor forgets a pod after %q: %v", agent.Processors.Attributes.Grace, err)
	}
}

// agentContainer returns the container netconn of the DaemonSet.
func agentContainer(t *testing.T) corev1.Container {
	t.Helper()
	for _, container := range containersOf(agentPod(t)) {
		if container.Name == "netconn" {
			return container
		}
	}
	t.Fatal("the DaemonSet has no container netconn")
	return corev1.Container{}
}

// containersOf returns the containers of a pod, sidecars first.
func containersOf(pod corev1.PodSpec) []corev1.Container {
	return slices.Concat(pod.InitContainers, pod.Containers)
}

func agentPod(t *testing.T) corev1.PodSpec {
	t.Helper()
	var set appsv1.DaemonSet
	read(t, root+"/deploy/base/daemonset.yaml", &set)
	return set.Spec.Template.Spec
}

// Only the container netconn has rights on the node, and it opens no port. Who takes what others send has no rights at
// all.
func TestDeployRights(t *testing.T) {
	pod := agentPod(t)
	all := containersOf(pod)
	if len(all) != 2 || len(pod.InitContainers) != 1 || *pod.InitContainers[0].RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Fatalf("%d containers, want netconn and its sidecar", len(all))
	}
	for _, container := range all {
		context := container.SecurityContext
		if *context.Privileged || *context.AllowPrivilegeEscalation || !*context.ReadOnlyRootFilesystem ||
			!slices.Equal(context.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: %+v", container.Name, context)
		}
		if container.Name == "netconn" {
			if len(container.Ports) != 0 || container.LivenessProbe != nil || container.ReadinessProbe != nil {
				t.Error("netconn has a port")
			}
			continue
		}
		if len(context.Capabilities.Add) != 0 || !*context.RunAsNonRoot || *context.RunAsUser == 0 {
			t.Errorf("%s: %+v", container.Name, context)
		}
		for _, mount := range container.VolumeMounts {
			i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
			if pod.Volumes[i].HostPath != nil {
				t.Errorf("%s mounts %s", container.Name, pod.Volumes[i].HostPath.Path)
			}
		}
	}
}

// agentCapabilities are those that the DaemonSet adds.
func agentCapabilities(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, name := range agentContainer(t).SecurityContext.Capabilities.Add {
		names = append(names, string(name))
	}
	if len(names) == 0 {
		t.Fatal("the DaemonSet adds no capabilities")
	}
	return names
}
