package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

const deploy = "../../../deploy"

// podParts are the parts of a pod that all three forms have to agree on. Each form names the collector's container and
// the file of its configuration in its own way.
type podParts struct {
	HostPID                  bool
	ServiceAccount, Priority string
	GraceSeconds             int64
	Tolerations              []corev1.Toleration
	Security                 *corev1.PodSecurityContext
	Volumes                  []corev1.Volume
	Netconn                  corev1.Container
	Image                    string
	CollectorSecurity        *corev1.SecurityContext
	CollectorEnv             []corev1.EnvVar
	CollectorResources       corev1.ResourceRequirements
	Update                   appsv1.DaemonSetUpdateStrategy
	StartupFailures          int32
	LivenessPeriod           int32
}

// wanted returns the parts of the pods of deploy/base.
func wanted(t *testing.T) podParts {
	t.Helper()
	var set appsv1.DaemonSet
	decode(t, read(t, "base/daemonset.yaml"), "DaemonSet", &set)
	pod := set.Spec.Template.Spec
	netconn, collector := pod.Containers[0], pod.InitContainers[0]
	if len(pod.Containers) != 1 || len(pod.InitContainers) != 1 || netconn.Name != "netconn" || collector.Name != "collector" {
		t.Fatalf("the pod has the containers %v after %v", pod.Containers, pod.InitContainers)
	}
	for i := range pod.Volumes {
		if pod.Volumes[i].Name == "config" {
			pod.Volumes[i].ConfigMap.Name = "netconn-agent-netconn"
		}
	}
	return podParts{
		pod.HostPID, pod.ServiceAccountName, pod.PriorityClassName, *pod.TerminationGracePeriodSeconds, pod.Tolerations,
		pod.SecurityContext, pod.Volumes, netconn, collector.Image, collector.SecurityContext, collector.Env,
		collector.Resources, set.Spec.UpdateStrategy, collector.StartupProbe.FailureThreshold,
		collector.LivenessProbe.PeriodSeconds,
	}
}

// The values of the chart ask for the pods of deploy/base.
func TestValuesAskForTheSamePods(t *testing.T) {
	var v struct {
		Mode                          string                           `json:"mode"`
		HostPID                       bool                             `json:"hostPID"`
		PriorityClassName             string                           `json:"priorityClassName"`
		TerminationGracePeriodSeconds int64                            `json:"terminationGracePeriodSeconds"`
		Tolerations                   []corev1.Toleration              `json:"tolerations"`
		PodSecurityContext            *corev1.PodSecurityContext       `json:"podSecurityContext"`
		SecurityContext               *corev1.SecurityContext          `json:"securityContext"`
		ExtraVolumes                  []corev1.Volume                  `json:"extraVolumes"`
		ExtraContainers               []corev1.Container               `json:"extraContainers"`
		ExtraEnvs                     []corev1.EnvVar                  `json:"extraEnvs"`
		Resources                     corev1.ResourceRequirements      `json:"resources"`
		StartupProbe, LivenessProbe   corev1.Probe                     `json:",omitempty"`
		ServiceAccount                struct{ Name string }            `json:"serviceAccount"`
		Image                         struct{ Repository, Tag string } `json:"image"`
		Rollout                       appsv1.DaemonSetUpdateStrategy   `json:"rollout"`
		UseGOMEMLIMIT                 *bool                            `json:"useGOMEMLIMIT"`
		Ports                         map[string]struct {
			Enabled       bool   `json:"enabled"`
			ContainerPort int32  `json:"containerPort"`
			HostPort      *int32 `json:"hostPort"`
		} `json:"ports"`
	}
	decode(t, read(t, "helm/values.yaml"), "", &v)
	got := podParts{
		v.HostPID, v.ServiceAccount.Name, v.PriorityClassName, v.TerminationGracePeriodSeconds, v.Tolerations,
		v.PodSecurityContext, v.ExtraVolumes, v.ExtraContainers[0], v.Image.Repository + ":" + v.Image.Tag, v.SecurityContext,
		v.ExtraEnvs, v.Resources, v.Rollout, v.StartupProbe.FailureThreshold, v.LivenessProbe.PeriodSeconds,
	}
	if diff := cmp.Diff(wanted(t), got); diff != "" {
		t.Errorf("pods of the chart (-base +values):\n%s", diff)
	}
	if v.Mode != "daemonset" || len(v.ExtraContainers) != 1 || v.UseGOMEMLIMIT == nil || *v.UseGOMEMLIMIT {
		t.Errorf("mode %q, %d extra containers, useGOMEMLIMIT %v", v.Mode, len(v.ExtraContainers), v.UseGOMEMLIMIT)
	}
	if p := v.LivenessProbe.HTTPGet; p.Port.IntValue() != 13133 || p.Path != "/" {
		t.Errorf("the probe asks %s on port %s", p.Path, p.Port.String())
	}
	var open []string
	for name, p := range v.Ports {
		if p.Enabled {
			open = append(open, name)
		}
		if p.HostPort != nil {
			t.Errorf("port %s is open on the node", name)
		}
	}
	if len(open) != 2 || v.Ports["otlp"].ContainerPort != 4317 || v.Ports["metrics"].ContainerPort != 8888 {
		t.Errorf("open ports: %v of %v", open, v.Ports)
	}
}

// The operator's resource asks for the pods of deploy/base.
func TestResourceAsksForTheSamePods(t *testing.T) {
	var r struct {
		Spec struct {
			Mode                          string                         `json:"mode"`
			HostPID                       bool                           `json:"hostPID"`
			ServiceAccount                string                         `json:"serviceAccount"`
			PriorityClassName             string                         `json:"priorityClassName"`
			TerminationGracePeriodSeconds int64                          `json:"terminationGracePeriodSeconds"`
			Tolerations                   []corev1.Toleration            `json:"tolerations"`
			PodSecurityContext            *corev1.PodSecurityContext     `json:"podSecurityContext"`
			SecurityContext               *corev1.SecurityContext        `json:"securityContext"`
			Volumes                       []corev1.Volume                `json:"volumes"`
			AdditionalContainers          []corev1.Container             `json:"additionalContainers"`
			Image                         string                         `json:"image"`
			Env                           []corev1.EnvVar                `json:"env"`
			Resources                     corev1.ResourceRequirements    `json:"resources"`
			DaemonSetUpdateStrategy       appsv1.DaemonSetUpdateStrategy `json:"daemonSetUpdateStrategy"`
			StartupProbe, LivenessProbe   corev1.Probe
		} `json:"spec"`
	}
	decode(t, read(t, "operator/agent.yaml"), "OpenTelemetryCollector", &r)
	s := r.Spec
	got := podParts{
		s.HostPID, s.ServiceAccount, s.PriorityClassName, s.TerminationGracePeriodSeconds, s.Tolerations, s.PodSecurityContext,
		s.Volumes, s.AdditionalContainers[0], s.Image, s.SecurityContext, s.Env, s.Resources, s.DaemonSetUpdateStrategy,
		s.StartupProbe.FailureThreshold, s.LivenessProbe.PeriodSeconds,
	}
	if diff := cmp.Diff(wanted(t), got); diff != "" {
		t.Errorf("pods of the operator (-base +resource):\n%s", diff)
	}
	if s.Mode != "daemonset" || len(s.AdditionalContainers) != 1 {
		t.Errorf("mode %q, %d additional containers", s.Mode, len(s.AdditionalContainers))
	}
}

// The namespace permits the pods of the agent also where pod security admission forbids them by default. A chart cannot
// label the namespace of its release.
func TestNamespaces(t *testing.T) {
	var want, got corev1.Namespace
	decode(t, read(t, "base/namespace.yaml"), "Namespace", &want)
	decode(t, read(t, "operator/agent.yaml"), "Namespace", &got)
	if diff := cmp.Diff(want, got); diff != "" || len(want.Labels) == 0 {
		t.Errorf("namespace of the operator (-base +resource):\n%s", diff)
	}
	for key, value := range want.Labels {
		command := "    kubectl label namespace " + want.Name + " " + key + "=" + value + "\n"
		for _, file := range []string{"helm/values.yaml", "../docs/kubernetes.md"} {
			if !strings.Contains(strings.ReplaceAll(string(read(t, file)), "#   ", "    "), command) {
				t.Errorf("%s has no%s", file, command)
			}
		}
	}
}

// Both forms have both configurations, the collector's with the defaults of the variables that only tests set.
func TestConfigurations(t *testing.T) {
	var values struct {
		AlternateConfig json.RawMessage
		ExtraManifests  []corev1.ConfigMap
	}
	decode(t, read(t, "helm/values.yaml"), "", &values)
	var resource struct {
		Spec struct{ Config json.RawMessage }
	}
	decode(t, read(t, "operator/agent.yaml"), "OpenTelemetryCollector", &resource)

	base := string(read(t, "base/collector.yaml"))
	for variable, value := range map[string]string{
		`"${env:OTLP_LISTEN:-0.0.0.0:4317}"`: "0.0.0.0:4317", `"${env:NETCONN_OTLP:-127.0.0.1:4315}"`: "127.0.0.1:4315",
		`"${env:HEALTH_LISTEN:-0.0.0.0:13133}"`: "0.0.0.0:13133", `"${env:TELEMETRY_HOST:-0.0.0.0}"`: "0.0.0.0",
		`"${env:TELEMETRY_PORT:-8888}"`: "8888", `${env:KUBERNETES_AUTH:-serviceAccount}`: "serviceAccount",
	} {
		base = strings.ReplaceAll(base, variable, value)
	}
	var collector json.RawMessage
	decode(t, []byte(base), "", &collector)
	if diff := cmp.Diff(string(collector), string(values.AlternateConfig)); diff != "" {
		t.Errorf("collector of the chart (-base +values):\n%s", diff)
	}
	if diff := cmp.Diff(string(collector), string(resource.Spec.Config)); diff != "" {
		t.Errorf("collector of the operator (-base +resource):\n%s", diff)
	}

	netconn := strings.TrimSpace(string(read(t, "base/netconn.yaml")))
	var m corev1.ConfigMap
	decode(t, read(t, "operator/agent.yaml"), "ConfigMap", &m)
	for _, config := range []corev1.ConfigMap{m, values.ExtraManifests[0]} {
		got := strings.TrimSpace(config.Data["netconn.yaml"])
		if diff := cmp.Diff(netconn, got); config.Name != "netconn-agent-netconn" || diff != "" {
			t.Errorf("ConfigMap %s:\n%s", config.Name, diff)
		}
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// decode reads the document of a kind; the only one, if kind is "".
func decode(t *testing.T, text []byte, kind string, into any) {
	t.Helper()
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	buffer := make([]byte, len(text)+1)
	for {
		n, err := documents.Read(buffer)
		if err != nil {
			t.Fatalf("there is no %s: %v", kind, err)
		}
		var head struct{ Kind string }
		if err := yaml.Unmarshal(buffer[:n], &head); err != nil {
			t.Fatal(err)
		}
		if kind != "" && head.Kind != kind {
			continue
		}
		if err := yaml.Unmarshal(buffer[:n], into); err != nil {
			t.Fatal(err)
		}
		return
	}
}
