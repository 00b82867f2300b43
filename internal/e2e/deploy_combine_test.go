//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/netconn/netconn/internal/testcluster"
)

// prerequisites has the component that a component needs. The components that it does not name need only deploy/base.
var prerequisites = map[string]string{
	"map": "gateway", "scale": "gateway", "tls": "gateway", "token": "gateway", "password": "map",
}

// Each component works with no other than its prerequisites, and all others work without it.
func TestClusterDeployCombinations(t *testing.T) {
	t.Parallel() // no connections are looked at
	testcluster.Require(t)
	all := listedComponents(t)
	validated := make(map[string]bool)
	for _, component := range all {
		alone := slices.DeleteFunc(slices.Clone(all), func(c string) bool { return !reliesOn(component, c) })
		others := slices.DeleteFunc(slices.Clone(all), func(c string) bool { return reliesOn(c, component) })
		t.Run("only "+component, func(t *testing.T) { build(t, alone).validate(t, validated) })
		t.Run("all but "+component, func(t *testing.T) { build(t, others).validate(t, validated) })
	}
}

// reliesOn reports whether other is the component, or a direct or indirect prerequisite of it.
func reliesOn(component, other string) bool {
	return component == other || component != "" && reliesOn(prerequisites[component], other)
}

// listedComponents returns the components in the order of docs/kubernetes.md.
func listedComponents(t *testing.T) (all []string) {
	t.Helper()
	for _, match := range regexp.MustCompile(`/deploy/components/([a-z]+)`).FindAllStringSubmatch(everyComponent(t), -1) {
		all = append(all, match[1])
	}
	return all
}

// A deployment has the workloads of a kustomization and their configurations.
type deployment struct {
	pods []corev1.PodSpec
	data map[string]map[string]string // of each config map
}

// build has kubectl build deploy/base with components.
func build(t *testing.T, components []string) deployment {
	t.Helper()
	text := "namespace: netconn\nresources: [../netconn/deploy/base]\ncomponents:\n"
	for _, c := range components {
		text += "  - ../netconn/deploy/components/" + c + "\n"
	}
	command := exec.Command(testcluster.Program(t, "kubectl"), "kustomize", kustomization(t, text))
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	return parseDeployment(t, out)
}

func parseDeployment(t *testing.T, text []byte) deployment {
	t.Helper()
	d := deployment{data: make(map[string]map[string]string)}
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), len(text))
	for {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Data     map[string]string
			Spec     struct{ Template corev1.PodTemplateSpec }
		}
		if err := documents.Decode(&object); errors.Is(err, io.EOF) {
			return d
		} else if err != nil {
			t.Fatal(err)
		}
		switch object.Kind {
		case "ConfigMap":
			d.data[object.Metadata.Name] = object.Data
		case "DaemonSet", "Deployment":
			d.pods = append(d.pods, object.Spec.Template.Spec)
		}
	}
}

// validate has the distribution load the configuration of each container, unless it has loaded the same before. Equal
// names of config maps mean equal data, because kustomize adds a checksum to each name.
func (d deployment) validate(t *testing.T, before map[string]bool) {
	t.Helper()
	for _, pod := range d.pods {
		for _, container := range containersOf(pod) {
			start, err := json.Marshal([]any{container.Args, container.Env, container.VolumeMounts, pod.Volumes})
			if err != nil {
				t.Fatal(err)
			}
			if !before[string(start)] {
				before[string(start)] = true
				validateContainer(t, pod, container, d.data)
			}
		}
	}
}
