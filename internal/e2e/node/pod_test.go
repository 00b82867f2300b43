//go:build linux

package node

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/image"
	"github.com/netconn/netconn/internal/testcluster"
)

// The pod of the DaemonSet in containerd, as a kubelet starts it: its processes have the rights of the manifest and no other, nothing is
// missing, and what applications in other pods count arrives at the backend.
func TestPod(t *testing.T) {
	r := newRuntime(t)
	b := newBackend(t, testcluster.NodeAddress.String()+":4317")
	agent := r.Run(agentPod(t))
	collector := agent.Start("collector", // there is no API that could name pods
		"--config=yaml:service::pipelines::metrics::processors: [memory_limiter, transform/labels, batch]",
		"--config=yaml:service::pipelines::logs::processors: [memory_limiter, batch]",
		"--config=yaml:service::pipelines::traces::processors: [memory_limiter, batch]")
	wantHealthy(t, agent.Address, collector)
	netconn := agent.Start("netconn", "--config=yaml:receivers::netconn::collection_interval: 1s")
	wantLine(t, netconn, "Everything is ready.")
	if missing := harness.Missing(netconn.Log(t)); len(missing) > 0 {
		t.Errorf("something is missing: %q", missing)
	}
	wantRights(t, agentPod(t), map[string]*testcluster.Task{"netconn": netconn, "collector": collector})
	wantTransfer(t, r, b)
	if t.Failed() {
		t.Logf("netconn:\n%s\ncollector:\n%s", netconn.Log(t), collector.Log(t))
	}
}

// newRuntime starts containerd with the images of the distribution and of the applications.
func newRuntime(t *testing.T) *testcluster.Runtime {
	t.Helper()
	testcluster.RequireRuntime(t)
	app := func(name string, command ...string) image.Image {
		return image.Image{Name: name, Architecture: runtime.GOARCH, Files: map[string]string{"app": testcluster.Program(t, "app")}, Entrypoint: command}
	}
	r := testcluster.NewRuntime(t, app("netconn.test/pause:1", "/app", "pause"), app("netconn.test/app:v1", "/app"))
	testcluster.Load(t, root+"/_build/image.tar")
	return r
}

// agentPod returns the pod of the DaemonSet. Its volume config has the files of which kustomize makes the config map.
func agentPod(t *testing.T) testcluster.Pod {
	t.Helper()
	text, err := os.ReadFile(root + "/deploy/base/daemonset.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var set appsv1.DaemonSet
	if err := yaml.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	base, err := filepath.Abs(root + "/deploy/base")
	if err != nil {
		t.Fatal(err)
	}
	spec := set.Spec.Template.Spec
	for _, containers := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range containers {
			containers[i].Env = append(containers[i].Env, corev1.EnvVar{Name: "KUBERNETES_AUTH", Value: "none"},
				corev1.EnvVar{Name: "OTLP_ENDPOINT", Value: testcluster.NodeAddress.String() + ":4317"})
		}
	}
	addHostname(&spec)
	return testcluster.Pod{
		Name: "agent", UID: podUID(1), Spec: spec, Folders: map[string]string{"config": base},
		Fields: map[string]string{"spec.nodeName": testcluster.NodeName, "metadata.uid": podUID(1)},
	}
}

// addHostname lets the pod read the host's name from a file. On a machine in a sandbox, the first process may hide its namespaces even
// from root, and nothing else has the name.
func addHostname(spec *corev1.PodSpec) {
	spec.Volumes = append(spec.Volumes, corev1.Volume{
		Name: "hostname", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc/hostname"}},
	})
	spec.Containers[0].VolumeMounts = append(spec.Containers[0].VolumeMounts,
		corev1.VolumeMount{Name: "hostname", MountPath: "/hostfs/etc/hostname", ReadOnly: true})
}

func wantHealthy(t *testing.T, address string, collector *testcluster.Task) {
	t.Helper()
	if err := harness.Until(deadline, "the health of the collector", func() bool {
		answer, err := http.Get("http://" + address + ":13133/")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}); err != nil {
		t.Fatalf("%v\n%s", err, collector.Log(t))
	}
}

func wantLine(t *testing.T, k *testcluster.Task, line string) {
	t.Helper()
	if err := harness.Until(deadline, line, func() bool { return strings.Contains(k.Log(t), line) }); err != nil {
		t.Fatalf("%v\n%s", err, k.Log(t))
	}
}

// wantRights compares what the kernel says of the processes with what the manifest asks for.
func wantRights(t *testing.T, pod testcluster.Pod, tasks map[string]*testcluster.Task) {
	t.Helper()
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		set := fmt.Sprintf("%016x", capabilitySet(t, c.SecurityContext.Capabilities.Add))
		own := strconv.FormatInt(*c.SecurityContext.RunAsUser, 10)
		want := map[string]string{
			"Uid": strings.Join([]string{own, own, own, own}, "\t"), "NoNewPrivs": "1", "Seccomp": "2",
			"CapBnd": set, "CapPrm": set, "CapEff": set, "CapAmb": fmt.Sprintf("%016x", 0),
		}
		got := status(t, tasks[c.Name].PID)
		maps.DeleteFunc(got, func(key, _ string) bool { return want[key] == "" })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the container %s (-manifest +process):\n%s", c.Name, diff)
		}
	}
}

// capabilitySet returns the bits of capabilities.
func capabilitySet(t *testing.T, all []corev1.Capability) (set uint64) {
	t.Helper()
	numbers := map[corev1.Capability]int{
		"BPF": unix.CAP_BPF, "PERFMON": unix.CAP_PERFMON, "NET_ADMIN": unix.CAP_NET_ADMIN, "NET_BROADCAST": unix.CAP_NET_BROADCAST,
		"SYS_ADMIN": unix.CAP_SYS_ADMIN, "SYS_PTRACE": unix.CAP_SYS_PTRACE, "DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH,
	}
	for _, name := range all {
		number, known := numbers[name]
		if !known {
			t.Fatalf("the manifest has the capability %s: add its number", name)
		}
		set |= 1 << number
	}
	return set
}

var statusLine = regexp.MustCompile(`(?m)^(\w+):\t(.*)$`)

// status returns what the kernel says of a process.
func status(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, line := range statusLine.FindAllStringSubmatch(string(text), -1) {
		all[line[1]] = line[2]
	}
	return all
}

// wantTransfer runs a client and a server in pods of their own. Both are resources of the backend, with the bytes that they have counted.
func wantTransfer(t *testing.T, r *testcluster.Runtime, b *backend) {
	t.Helper()
	if err := os.Mkdir(journal, 0o777); err != nil {
		t.Fatal(err)
	}
	server := r.Run(appPod("server", 2, "serve", ":8080"))
	answering := server.Start("app")
	client := r.Run(appPod("client", 3, "call", "20", "50ms", server.Address+":8080"))
	asking := client.Start("app")
	want := make(map[[3]string][2]int64)
	var got map[[3]string][2]int64
	diff := ""
	if err := harness.Until(time.Minute, "both to agree", func() bool {
		time.Sleep(200 * time.Millisecond)
		calls, err := os.ReadFile(filepath.Join(journal, "client_app"))
		if err != nil || strings.Count(string(calls), "\n") < 20 {
			return false
		}
		sent, received := int64(0), int64(0)
		for _, c := range clients(t, filepath.Join(journal, "client_app")) {
			sent, received = sent+c.Sent, received+c.Received
		}
		want[[3]string{asking.ID, podUID(3), "client"}] = [2]int64{sent, received}
		want[[3]string{answering.ID, podUID(2), "server"}] = [2]int64{received, sent}
		got = b.perContainer(asking.ID, answering.ID)
		diff = cmp.Diff(want, got)
		return diff == ""
	}); err != nil {
		t.Errorf("%v: bytes by container, pod and role (-counted +reported):\n%s\nclient:\n%s", err, diff, asking.Log(t))
	}
}

func podUID(number int) string { return fmt.Sprintf("0c7e3f52-1f0b-4c55-9d0e-%012d", number) }

// appPod returns a pod with one container.
func appPod(name string, number int, arguments ...string) testcluster.Pod {
	return testcluster.Pod{
		Name: name, UID: podUID(number), Folders: map[string]string{"journal": journal},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", Image: "netconn.test/app:v1", Args: arguments,
			Env: []corev1.EnvVar{
				{Name: "TAG", Value: "1"}, {Name: "POD", Value: name}, {Name: "CONTAINER", Value: "app"}, {Name: "JOURNAL", Value: "/journal/" + name + "_app"},
			},
			VolumeMounts: []corev1.VolumeMount{{Name: "journal", MountPath: "/journal"}},
		}}},
	}
}

// perContainer adds up what containers have sent and received, by container, pod and role.
func (b *backend) perContainer(ids ...string) map[[3]string][2]int64 {
	sums := make(map[[3]string][2]int64)
	for _, s := range b.all() {
		key := [3]string{s.resource["container.id"], s.resource["k8s.pod.uid"], s.point["netconn.role"]}
		if s.bytes == 0 || !slices.Contains(ids, key[0]) {
			continue
		}
		sum := sums[key]
		if s.point["network.io.direction"] == "transmit" {
			sum[0] += s.bytes
		} else {
			sum[1] += s.bytes
		}
		sums[key] = sum
	}
	return sums
}
