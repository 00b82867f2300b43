//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// A sender is a pod that connects to one of the project's.
type sender struct {
	namespace string
	labels    labels.Set
}

func component(name string) labels.Set {
	return labels.Set{"app.kubernetes.io/name": "netconn", "app.kubernetes.io/component": name}
}

// Senders of the test. A kubelet may always connect, so it is not among them.
var (
	someApplication = sender{"shop", labels.Set{"app": "shop"}}
	disguised       = sender{"shop", component("agent")} // an agent's labels in another namespace
	// a namespace that components/history lets in
	allowedNamespace = sender{"ingress", labels.Set{"app": "ingress"}}
	an               = func(name string) sender { return sender{"netconn", component(name)} }
)

// The policies allow each connection that the manifests make, and refuse the others.
func TestDeployPolicies(t *testing.T) {
	policies, open := networkOf(t)
	for _, tt := range []struct {
		from sender
		to   string
		port string
		want bool
	}{
		{someApplication, "agent", "otlp", true}, {someApplication, "agent", "metrics", true}, {someApplication, "agent", "health", false},
		{an("agent"), "gateway", "otlp", true}, {someApplication, "gateway", "otlp", false}, {disguised, "gateway", "otlp", false},
		{an("map"), "gateway", "otlp", false}, {someApplication, "gateway", "metrics", true}, {someApplication, "gateway", "health", false},
		{an("gateway"), "map", "otlp", true}, {an("agent"), "map", "otlp", false}, {someApplication, "map", "otlp", false},
		{someApplication, "map", "metrics", true}, {someApplication, "map", "health", false},
		{someApplication, "history", "page", false}, {an("gateway"), "history", "page", false}, {allowedNamespace, "history", "page", true},
		{someApplication, "history", "metrics", true}, {allowedNamespace, "history", "health", false},
	} {
		if !slices.Contains(open[tt.to], tt.port) {
			t.Errorf("%s does not open the port %s, which has %v", tt.to, tt.port, open[tt.to])
		}
		if got := mayIngress(t, policies, tt.from, tt.to, tt.port); got != tt.want {
			t.Errorf("from %v to the port %s of %s: %t, want %t", tt.from, tt.port, tt.to, got, tt.want)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(open)) {
		if mayIngress(t, policies, someApplication, name, "another") {
			t.Errorf("%s may be sent anything", name)
		}
	}
	if len(open) != 4 {
		t.Errorf("the manifests have %d workloads, want agent, gateway, map and history", len(open))
	}
	if mayEgress(t, policies, "map") || !mayEgress(t, policies, "gateway") || !mayEgress(t, policies, "agent") ||
		!mayEgress(t, policies, "history") {
		t.Error("agent, gateway and history may connect to others, the map may not")
	}
}

// networkOf returns the policies, and the names of the ports that the pods of each component open.
func networkOf(t *testing.T) (policies []networkingv1.NetworkPolicy, open map[string][]string) {
	t.Helper()
	open = make(map[string][]string)
	for _, file := range []string{
		"base/daemonset.yaml", "base/networkpolicy.yaml", "components/gateway/gateway.yaml", "components/map/map.yaml",
		"components/history/history.yaml",
	} {
		for _, document := range documents(t, root+"/deploy/"+file) {
			var kind metav1.TypeMeta
			var set appsv1.DaemonSet
			var deployment appsv1.Deployment
			var policy networkingv1.NetworkPolicy
			err := yaml.Unmarshal(document, &kind)
			switch kind.Kind {
			case "DaemonSet": // deploy/base/kustomization.yaml gives it the labels of an agent
				err = errors.Join(err, yaml.UnmarshalStrict(document, &set))
				open["agent"] = portNames(set.Spec.Template.Spec)
			case "Deployment":
				err = errors.Join(err, yaml.UnmarshalStrict(document, &deployment))
				open[deployment.Spec.Template.Labels["app.kubernetes.io/component"]] = portNames(deployment.Spec.Template.Spec)
			case "NetworkPolicy":
				err = errors.Join(err, yaml.UnmarshalStrict(document, &policy))
				policies = append(policies, policy)
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
	}
	return policies, open
}

// documents returns the documents of a file of YAML.
func documents(t *testing.T, path string) (all [][]byte) {
	t.Helper()
	for reader := kubeyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(readText(t, path)))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all = append(all, bytes.Clone(document))
	}
}

func portNames(pod corev1.PodSpec) (names []string) {
	for _, container := range containersOf(pod) {
		for _, p := range container.Ports {
			names = append(names, p.Name)
		}
	}
	return names
}

// mayIngress reports whether a pod may connect to a port of a component. If policies select the pods of the component, one of
// them must allow the connection.
func mayIngress(t *testing.T, policies []networkingv1.NetworkPolicy, from sender, to, port string) bool {
	t.Helper()
	selected := false
	for _, p := range policies {
		if !selects(t, &p.Spec.PodSelector, component(to)) || !slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
			continue
		}
		selected = true
		for _, rule := range p.Spec.Ingress {
			if allowsPort(rule.Ports, port) && allowsSender(t, rule.From, from) {
				return true
			}
		}
	}
	return !selected
}

// mayEgress reports whether a component may connect to anything.
func mayEgress(t *testing.T, policies []networkingv1.NetworkPolicy, from string) bool {
	t.Helper()
	return !slices.ContainsFunc(policies, func(p networkingv1.NetworkPolicy) bool {
		return selects(t, &p.Spec.PodSelector, component(from)) && slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) &&
			len(p.Spec.Egress) == 0
	})
}

func allowsPort(ports []networkingv1.NetworkPolicyPort, name string) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		return (p.Protocol == nil || *p.Protocol == corev1.ProtocolTCP) && (p.Port == nil || p.Port.StrVal == name)
	})
}

// allowsSender reports whether a rule is about a pod: without a selector of namespaces, only about those of its own.
func allowsSender(t *testing.T, peers []networkingv1.NetworkPolicyPeer, from sender) bool {
	t.Helper()
	return len(peers) == 0 || slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		if p.IPBlock != nil {
			t.Fatal("blocks of addresses are not evaluated")
		}
		namespace := labels.Set{"kubernetes.io/metadata.name": from.namespace}
		if from.namespace == allowedNamespace.namespace {
			namespace["netconn.io/map"] = "allowed"
		}
		if p.NamespaceSelector == nil && from.namespace != "netconn" ||
			p.NamespaceSelector != nil && !selects(t, p.NamespaceSelector, namespace) {
			return false
		}
		return p.PodSelector == nil || selects(t, p.PodSelector, from.labels)
	})
}

func selects(t *testing.T, selector *metav1.LabelSelector, set labels.Set) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(set)
}
