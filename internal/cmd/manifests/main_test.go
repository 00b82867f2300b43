package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// generate runs the program on a copy of deploy/base, in which change changes one file, and returns what it wrote.
func generate(t *testing.T, file string, change func(string) string) (values, resource string, err error) {
	t.Helper()
	parent := t.TempDir()
	if err := os.CopyFS(filepath.Join(parent, "base"), os.DirFS(deploy+"/base")); err != nil {
		t.Fatal(err)
	}
	if file != "" {
		path := filepath.Join(parent, "base", file)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		after := change(string(before))
		if after == string(before) {
			t.Fatalf("%s did not change", file)
		}
		if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(filepath.Join(parent, "base")); err != nil {
		return "", "", err
	}
	v, err := os.ReadFile(filepath.Join(parent, "helm", "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := os.ReadFile(filepath.Join(parent, "operator", "agent.yaml"))
	return string(v), string(r), err
}

func replace(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}

// The committed files are fresh.
func TestFresh(t *testing.T) {
	values, resource, err := generate(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(read(t, "helm/values.yaml")), values); diff != "" {
		t.Errorf("run `make generate`; helm/values.yaml (-committed +fresh):\n%s", diff)
	}
	if diff := cmp.Diff(string(read(t, "operator/agent.yaml")), resource); diff != "" {
		t.Errorf("run `make generate`; operator/agent.yaml (-committed +fresh):\n%s", diff)
	}
}

// A change of deploy/base is in both forms, with its comment.
func TestChangesOfTheBaseArrive(t *testing.T) {
	tests := map[string]struct {
		file   string
		change func(string) string
		want   string
	}{
		"a capability": {"daemonset.yaml", replace("- BPF ", "- SYSLOG # read the log\n                - BPF "),
			"- SYSLOG # read the log"},
		"a mount": {"daemonset.yaml", replace("mountPath: /hostfs/proc,", "mountPath: /hostfs/proc2,"), "/hostfs/proc2"},
		"a right": {"rbac.yaml", replace("[pods, services, nodes]", "[pods, services, nodes, secrets]"), "secrets]"},
		"a processor": {"collector.yaml", replace("pod_delete_grace_period: 20m", "pod_delete_grace_period: 21m"),
			"pod_delete_grace_period: 21m"},
		"a key of the receiver": {"netconn.yaml", replace("error_mode: ignore", "error_mode: propagate"),
			"error_mode: propagate"},
		"a quota": {"quota.yaml", replace("pods: 1M", "pods: 2M"), "pods: 2M"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			values, resource, err := generate(t, test.file, test.change)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(values, test.want) {
				t.Errorf("the values have no %s", test.want)
			}
			if !strings.Contains(resource, test.want) {
				t.Errorf("the resource has no %s", test.want)
			}
		})
	}
}

// A folder that is not the agent's is refused, and the error names the file and the part.
func TestFaults(t *testing.T) {
	tests := map[string]struct {
		file   string
		change func(string) string
		want   string
	}{
		"no container netconn":   {"daemonset.yaml", replace("- name: netconn\n", "- name: other\n"), "container netconn"},
		"no container collector": {"daemonset.yaml", replace("- name: collector\n", "- name: other\n"), "container collector"},
		"no DaemonSet":           {"daemonset.yaml", replace("kind: DaemonSet", "kind: Deployment"), "daemonset.yaml: there is no DaemonSet"},
		"no rules":               {"rbac.yaml", replace("rules:", "regeln:"), "there is no rules"},
		"no role":                {"rbac.yaml", replace("kind: ClusterRole\n", "kind: Role\n"), "rbac.yaml: there is no ClusterRole"},
		"not YAML":               {"quota.yaml", replace("kind:", "kind: [\nkind:"), "quota.yaml"},
		"a configuration that is not YAML": {"collector.yaml", replace("receivers:", "receivers: ]"),
			"collector.yaml"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := generate(t, test.file, test.change)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
		})
	}
	if err := run(t.TempDir()); err == nil || !strings.Contains(err.Error(), "daemonset.yaml") {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	for in, want := range map[string]string{
		`"${env:HEALTH_LISTEN:-0.0.0.0:13133}"`: "0.0.0.0:13133",
		`"${env:PORT:-8888}"`:                   "8888",
		"a: ${env:A:-1}":                        "a: 1",
		"${env:K8S_NODE_NAME}":                  "${env:K8S_NODE_NAME}",
		"${env:OTLP_ENDPOINT:-gateway:4317}":    "${env:OTLP_ENDPOINT:-gateway:4317}",
		"${env:NETCONN_SCOPE:-cluster}":         "${env:NETCONN_SCOPE:-cluster}",
		"none":                                  "none",
	} {
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(in), &n); err != nil {
			t.Fatal(err)
		}
		useDefaults(&n)
		got, err := yaml.Marshal(&n)
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("useDefaults(%s) = %s, %v, want %s", in, got, err, want)
		}
	}
}

// Another port of the collector is opened in the chart too; the port of the probes is not.
func TestPorts(t *testing.T) {
	values, _, err := generate(t, "daemonset.yaml", replace("- {name: health, containerPort: 13133}",
		"- {name: health, containerPort: 13134}\n            - {name: zpages, containerPort: 55679}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"zpages:\n    enabled: true\n    containerPort: 55679", "port: 13134"} {
		if !strings.Contains(values, want) {
			t.Errorf("the values have no %q", want)
		}
	}
	if strings.Contains(values, "health:\n    enabled") {
		t.Error("the port of the probes is open")
	}
}
