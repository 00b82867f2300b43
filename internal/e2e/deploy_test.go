//go:build linux

package e2e

import (
	"debug/elf"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/netconn/netconn/internal/testcluster"
	"github.com/netconn/netconn/internal/testnet"
)

const (
	root    = "../.."
	account = "system:serviceaccount:netconn:netconn-agent"
)

// What is in deploy/ is taken by an API server, and an agent that runs with the rights that it gives has all that it needs and nothing
// that it does not use. Without one of them it goes on, and says which.
func TestClusterDeploy(t *testing.T) {
	t.Parallel() // no connections are looked at
	c := testcluster.New(t)
	kubectl(t, c, "apply", "-f", root+"/deploy/base/namespace.yaml") // a dry run makes none
	for _, overlay := range []string{"base", "gateway", "large", "map"} {
		kubectl(t, c, "apply", "--dry-run=server", "-k", root+"/deploy/"+overlay)
	}
	kubectl(t, c, "apply", "-k", root+"/deploy/base")

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
	if diff := cmp.Diff(may, used); diff != "" {
		t.Errorf("what it may ask for is not what it asks for (-may +does):\n%s", diff)
	}

	kubectl(t, c, "patch", "clusterrole", "netconn-agent", "--type=json",
		`-p=[{"op": "replace", "path": "/rules/0/resources", "value": ["pods", "services"]}]`)
	b := runAgent(t, kubeconfig, newSignals(t))
	until(t, "all watches but one", func() bool { return slices.Equal(b.connected(), []string{"endpointslices", "pods", "services"}) })
	until(t, "a sentence", func() bool {
		return strings.Contains(b.Log(), "watch nodes in the Kubernetes API (without: nodes are not told from other hosts, and there are no zones)")
	})
}

func kubectl(t *testing.T, c *testcluster.Cluster, arguments ...string) {
	t.Helper()
	if out, err := c.Kubectl("", arguments...); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(arguments, " "), err, out)
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

// With the capabilities that the DaemonSet names, and no other, nothing is missing.
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
	until(t, "collections", func() bool { return strings.Count(c.Log(), `"resource metrics"`) > 5 })
	for _, unwanted := range []string{"Something is missing.", "No connections are read."} {
		if strings.Contains(c.Log(), unwanted) {
			t.Errorf("with %s: %s", set, unwanted)
		}
	}
}

// measuredNeed finds in docs/performance.md what 100,000 connections with both ends on the node take in the kernel, and with 10,000 pods.
var measuredNeed = regexp.MustCompile(`(?m)^\| 100,000, both ends here \|[^|]*\|[^|]*\| (\d+) MB [^|]*\| (\d+) MiB \|`)

// The agent's limit is above what was measured, and leaves room for the kernel beside what Go may use.
func TestDeployMemory(t *testing.T) {
	text, err := os.ReadFile(root + "/docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	row := measuredNeed.FindStringSubmatch(string(text))
	if row == nil {
		t.Fatal("docs/performance.md does not tell what the agent needs")
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

// agentContainer is that of the DaemonSet.
func agentContainer(t *testing.T) corev1.Container {
	t.Helper()
	var set appsv1.DaemonSet
	read(t, root+"/deploy/base/daemonset.yaml", &set)
	return set.Spec.Template.Spec.Containers[0]
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

// The configurations of deploy/ load in the distribution.
func TestDeployConfigurations(t *testing.T) {
	program := distribution(t)
	for name, files := range map[string][]string{
		"agent": {"base/collector.yaml"}, "gateway": {"gateway/collector.yaml"}, "gateway with the map": {"map/collector.yaml"},
		"agent of the map": {"base/collector.yaml", "map/zones.yaml"},
	} {
		command := exec.Command("/proc/self/fd/3", "validate")
		for _, file := range files {
			command.Args = append(command.Args, "--config", root+"/deploy/"+file)
		}
		command.ExtraFiles = []*os.File{program}
		command.Env = append(os.Environ(), "K8S_NODE_NAME=node-1")
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// The gateway of deploy/map serves the map where its port is forwarded to.
func TestDeployMap(t *testing.T) {
	page, health := freeAddress(t), freeAddress(t)
	launch(t, nil, []string{"NETCONN_MAP=" + page, "OTLP_LISTEN=" + freeAddress(t), "HEALTH_LISTEN=" + health, "BACKEND_ENDPOINT=" + freeAddress(t)},
		"file:"+root+"/deploy/map/collector.yaml", "yaml:service::telemetry::metrics::level: none")
	until(t, "health", func() bool { return healthy(health) })
	if !healthy(page) {
		t.Error("there is no page")
	}
}

// The agents of deploy/map have the attributes that they have by default, and the zones.
func TestDeployZones(t *testing.T) {
	var zones struct {
		Receivers struct {
			Netconn struct {
				Metrics map[string]struct{ Attributes []string }
			}
		}
	}
	read(t, root+"/deploy/map/zones.yaml", &zones)
	var declared struct {
		Attributes map[string]struct {
			Level string `json:"requirement_level"`
		}
		Metrics map[string]struct{ Attributes []string }
	}
	read(t, root+"/receiver/netconnreceiver/metadata.yaml", &declared)
	want := slices.DeleteFunc(declared.Metrics["netconn.io"].Attributes, func(a string) bool {
		return declared.Attributes[a].Level == "opt_in"
	})
	want = append(want, "netconn.peer.zone", "netconn.peer.region", "netconn.local.zone")
	if diff := cmp.Diff(want, zones.Receivers.Netconn.Metrics["netconn.io"].Attributes); diff != "" {
		t.Errorf("netconn.io (-want +got):\n%s", diff)
	}
}

// read reads a file of YAML.
func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// What the Dockerfile copies is there, and needs nothing that an empty image does not have.
func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile(root + "/deploy/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	copied := regexp.MustCompile(`(?m)^COPY ([^-\s]\S*) (\S+)$`).FindAllStringSubmatch(string(text), -1)
	if len(copied) != 1 {
		t.Fatalf("it copies %v, want the program", copied)
	}
	if !strings.Contains(string(text), `ENTRYPOINT ["`+copied[0][2]+`"]`) {
		t.Errorf("what is copied to %s is not what is started", copied[0][2])
	}
	path := filepath.Join(root, copied[0][1])
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs the distribution: make build")
	}
	program, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program needs a loader, and the image has none")
		}
	}
}
