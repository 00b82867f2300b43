//go:build linux

package e2e

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/netconn/netconn/internal/testcluster"
)

const (
	root    = "../.."
	account = "system:serviceaccount:netconn:netconn-agent"
)

// What is in deploy/ is taken by an API server, and an agent that runs with the rights that it gives has all that it
// needs and nothing that it does not use. Without one of them it goes on, and says which.
func TestClusterDeploy(t *testing.T) {
	t.Parallel() // no connections are looked at
	c := testcluster.New(t)
	kubectl(t, c, "apply", "-f", root+"/deploy/base/namespace.yaml") // a dry run makes none
	for _, overlay := range []string{"gateway", "large", "map", "scale"} {
		kubectl(t, c, "apply", "--dry-run=server", "-k", root+"/deploy/"+overlay)
	}
	applyTwice(t, c, root+"/deploy/base")

	kubeconfig := c.KubeConfig("agent", c.ServiceAccount("netconn", "netconn-agent"))
	a := runAgent(t, kubeconfig, newSignals(t))
	until(t, "all watches", func() bool { return slices.Equal(a.connected(), watched) })
	if strings.Contains(a.Log(), "forbidden") {
		t.Error("something is forbidden")
	}
	used := make(map[string]bool)
	for _, r := range c.Requests() {
		if r.User == account {
			used[r.Verb+" "+r.Resource] = true
		}
	}
	may := make(map[string]bool)
	for _, kind := range watched {
		may["list "+kind], may["watch "+kind] = true, true
	}
	if diff := gocmp.Diff(may, used); diff != "" {
		t.Errorf("what it may ask for is not what it asks for (-may +does):\n%s", diff)
	}

	kubectl(t, c, "patch", "clusterrole", "netconn-agent", "--type=json",
		`-p=[{"op": "replace", "path": "/rules/0/resources", "value": ["pods", "services"]}]`)
	b := runAgent(t, kubeconfig, newSignals(t))
	until(t, "all watches but one", func() bool { return slices.Equal(b.connected(), []string{"endpointslices", "pods", "services"}) })
	until(t, "a sentence", func() bool {
		return strings.Contains(b.Log(), "watch nodes in the Kubernetes API (without: nodes look like other hosts, and there are no zones)")
	})
}

func kubectl(t *testing.T, c *testcluster.Cluster, arguments ...string) string {
	t.Helper()
	out, err := c.Kubectl("", arguments...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return out
}

// applyTwice applies a kustomization. The second time changes nothing.
func applyTwice(t *testing.T, c *testcluster.Cluster, path string) {
	t.Helper()
	kubectl(t, c, "apply", "-k", path)
	for line := range strings.Lines(kubectl(t, c, "apply", "-k", path)) {
		if strings.HasSuffix(line, " unchanged\n") {
			continue
		}
		// kubectl replaces the selector of a disruption budget each time, by one that is equal.
		name, _, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(name, "poddisruptionbudget.policy/") ||
			kubectl(t, c, "-n", "netconn", "get", name, "-o", "jsonpath={.metadata.generation}") != "1" {
			t.Errorf("applied again: %s", line)
		}
	}
}

// All components can be combined. What they make of the agent, the gateway and the map is configured by files that load
// together.
func TestClusterDeployComponents(t *testing.T) {
	t.Parallel() // no connections are looked at
	c := testcluster.New(t)
	folder := kustomization(t, everyComponent(t))
	kubectl(t, c, "apply", "-f", "testdata/definitions.yaml")
	kubectl(t, c, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
	applyTwice(t, c, folder)

	maps, err := c.Client.CoreV1().ConfigMaps("netconn").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data := make(map[string]map[string]string)
	for _, m := range maps.Items {
		data[m.Name] = m.Data
	}
	var all []corev1.PodSpec
	agents, err := c.Client.AppsV1().DaemonSets("netconn").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range agents.Items {
		all = append(all, s.Spec.Template.Spec)
	}
	deployments, err := c.Client.AppsV1().Deployments("netconn").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range deployments.Items {
		all = append(all, d.Spec.Template.Spec)
	}
	if len(all) != 5 {
		t.Fatalf("%d workloads, want agent, gateway, map, history and istiod's", len(all))
	}
	for _, pod := range all {
		for _, container := range containersOf(pod) {
			validateContainer(t, pod, container, data)
		}
	}
}

// everyComponent returns the kustomization with all components that docs/kubernetes.md shows.
func everyComponent(t *testing.T) string {
	t.Helper()
	_, text, _ := strings.Cut(readText(t, root+"/docs/kubernetes.md"), "```yaml\napiVersion: kustomize")
	text, _, there := strings.Cut(text, "```")
	if !there {
		t.Fatal("docs/kubernetes.md shows no kustomization")
	}
	entries, err := os.ReadDir(root + "/deploy/components")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.Contains(text, "../netconn/deploy/components/"+entry.Name()+" ") && !strings.Contains(text, "/"+entry.Name()+"\n") {
			t.Errorf("docs/kubernetes.md does not show the component %s", entry.Name())
		}
	}
	return "apiVersion: kustomize" + text
}

// kustomization returns the folder of a kustomization, in which ../netconn/deploy is ours.
func kustomization(t *testing.T, text string) string {
	t.Helper()
	folder := t.TempDir()
	deploy, err := filepath.Abs(root + "/deploy")
	if err != nil {
		t.Fatal(err)
	}
	if deploy, err = filepath.Rel(folder, deploy); err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "../netconn/deploy", deploy)
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// validateContainer has the distribution load the files that a container's arguments name, with the variables that its
// environment has.
func validateContainer(t *testing.T, pod corev1.PodSpec, container corev1.Container, data map[string]map[string]string) {
	t.Helper()
	files := t.TempDir()
	for _, mount := range container.VolumeMounts {
		i := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		if i < 0 || pod.Volumes[i].ConfigMap == nil {
			continue
		}
		for name, text := range data[pod.Volumes[i].ConfigMap.Name] {
			path := filepath.Join(files, mount.MountPath, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	command := exec.Command("/proc/self/fd/3", "validate")
	for _, argument := range container.Args {
		path, is := strings.CutPrefix(argument, "--config=")
		if !is {
			t.Fatalf("%s has the argument %s", container.Name, argument)
		}
		command.Args = append(command.Args, "--config="+filepath.Join(files, path))
	}
	command.ExtraFiles = []*os.File{distribution(t)}
	command.Env = os.Environ()
	if container.Name != "netconn" { // the others read the credentials already here
		command.Env = append(command.Env, "KUBERNETES_AUTH=none")
	}
	for _, v := range container.Env {
		command.Env = append(command.Env, v.Name+"="+cmp.Or(v.Value, "10.0.0.1")) // what the downward API fills in
	}
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%s %v: %v\n%s", container.Name, container.Args, err, out)
	}
}

// watched are the kinds of objects that an agent watches.
var watched = []string{"endpointslices", "nodes", "pods", "services"}

var watchConnected = regexp.MustCompile(`(?m)^otelcol_netconn_kubernetes_connected\{.*netconn_kind="([a-z]+)".*\} 1$`)

// connected returns the kinds of objects that the agent watches.
func (a *agent) connected() []string {
	response, err := http.Get("http://" + a.telemetry + "/metrics")
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		return nil
	}
	var kinds []string
	for _, match := range watchConnected.FindAllStringSubmatch(string(page), -1) {
		kinds = append(kinds, match[1])
	}
	slices.Sort(kinds)
	return kinds
}

// The configurations of deploy/ load in the distribution.
func TestDeployConfigurations(t *testing.T) {
	for name, files := range map[string][]string{
		"netconn": {"base/netconn.yaml"}, "agent": {"base/collector.yaml"}, "gateway": {"components/gateway/collector.yaml"},
		"netconn with zones": {"base/netconn.yaml", "components/zones/zones.yaml"}, "map": {"components/map/collector.yaml"},
		"agent for the map":    {"base/collector.yaml", "components/map/agent.yaml"},
		"agent with CPU":       {"base/collector.yaml", "components/cpu/cpu.yaml", "components/tls/client.yaml"},
		"gateway with the map": {"components/gateway/collector.yaml", "components/map/gateway.yaml", "components/tls/server.yaml"},
		"agent with a token":   {"base/collector.yaml", "components/tls/client.yaml", "components/token/client.yaml"},
		"gateway with a token": {"components/gateway/collector.yaml", "components/tls/server.yaml", "components/token/server.yaml"},
		"map with a password":  {"components/map/collector.yaml", "components/password/map.yaml"},
		"netconn at scale":     {"base/netconn.yaml", "components/scale/netconn.yaml"},
		"agent at scale":       {"base/collector.yaml", "components/scale/agent.yaml"},
		"gateway at scale":     {"components/gateway/collector.yaml", "components/scale/gateway.yaml"},
		"history":              {"components/history/collector.yaml"},
		"istiod":               {"components/istiod/collector.yaml"},
	} {
		var configurations []string
		for _, file := range files {
			configurations = append(configurations, "file:"+root+"/deploy/"+file)
		}
		if out, err := validate(t, configurations...); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// The map serves its page where its port is forwarded to.
func TestDeployMap(t *testing.T) {
	page, health := freeAddress(t), freeAddress(t)
	launch(t, nil, []string{"NETCONN_MAP=" + page, "OTLP_LISTEN=" + freeAddress(t), "HEALTH_LISTEN=" + health},
		"file:"+root+"/deploy/components/map/collector.yaml", "yaml:service::telemetry::metrics::level: none")
	until(t, "health", func() bool { return healthy(health) })
	if !healthy(page) {
		t.Error("there is no page")
	}
}

// The agents of deploy/map have the zones on every metric of an edge: they are switched on for all of them.
func TestDeployZones(t *testing.T) {
	var zones struct {
		Receivers struct{ Netconn map[string]any }
	}
	read(t, root+"/deploy/components/zones/zones.yaml", &zones)
	want := map[string]any{"attributes": map[string]any{"netconn.peer.zone": true, "netconn.peer.region": true}}
	if diff := gocmp.Diff(want, zones.Receivers.Netconn); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The agents remove labels, or the gateway does after the map has had them. Both remove the same.
func TestDeployLabels(t *testing.T) {
	var removed []any
	for _, file := range []string{"base/collector.yaml", "components/map/gateway.yaml"} {
		var c struct{ Processors map[string]any }
		read(t, root+"/deploy/"+file, &c)
		removed = append(removed, c.Processors["transform/labels"])
	}
	if diff := gocmp.Diff(removed[0], removed[1]); diff != "" || removed[0] == nil {
		t.Errorf("(-agent +gateway):\n%s", diff)
	}
}

// read reads a file of YAML.
func read(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(readText(t, path)), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
