//go:build linux

package e2e

import (
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// The constraints of components/openshift allow what the agents ask for, and nothing else that they can refuse.
func TestDeployConstraints(t *testing.T) {
	var agents appsv1.DaemonSet
	read(t, root+"/deploy/base/daemonset.yaml", &agents)
	pod := agents.Spec.Template.Spec
	first, _, _ := strings.Cut(readText(t, root+"/deploy/components/openshift/scc.yaml"), "\n---\n")
	var got map[string]any
	if err := yaml.Unmarshal([]byte(first), &got); err != nil {
		t.Fatal(err)
	}
	added := []any{}
	rootIsRead, escalates, privileged := true, false, false
	for _, c := range containersOf(pod) {
		s := c.SecurityContext
		for _, capability := range s.Capabilities.Add {
			added = append(added, string(capability))
		}
		rootIsRead = rootIsRead && *s.ReadOnlyRootFilesystem
		escalates = escalates || *s.AllowPrivilegeEscalation
		privileged = privileged || *s.Privileged
	}
	mountsHost := slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil })
	for key, want := range map[string]any{
		"allowedCapabilities": added, "defaultAddCapabilities": []any{}, "allowHostPID": pod.HostPID, "allowHostIPC": pod.HostIPC,
		"allowHostNetwork": pod.HostNetwork, "allowHostPorts": false, "allowHostDirVolumePlugin": mountsHost,
		"allowPrivilegedContainer": privileged, "allowPrivilegeEscalation": escalates, "readOnlyRootFilesystem": rootIsRead,
		"volumes":         []any{"configMap", "downwardAPI", "hostPath", "projected", "secret"}, // downwardAPI and projected: the token of the account
		"seccompProfiles": []any{"runtime/default"},
	} {
		if diff := gocmp.Diff(want, got[key]); diff != "" {
			t.Errorf("%s (-the agents +the constraints):\n%s", key, diff)
		}
	}
}
