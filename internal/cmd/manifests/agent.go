package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// An agent is what the folder deploy/base says about the pods of the agent.
type agent struct {
	strategy  *yaml.Node // of the DaemonSet's updates
	pod       *yaml.Node
	netconn   *yaml.Node // the container that reads the kernel
	collector *yaml.Node // the container that takes the applications' OTLP

	netconnConfig   string
	collectorConfig *yaml.Node

	namespace, rules, ingress, quota *yaml.Node
}

// readAgent reads a folder such as deploy/base. The error names the file and the path that is missing.
func readAgent(folder string) (*agent, error) {
	f := files{folder: folder}
	set := f.document("daemonset.yaml", "DaemonSet")
	a := &agent{
		strategy:        f.at(set, "spec", "updateStrategy"),
		pod:             f.at(set, "spec", "template", "spec"),
		netconnConfig:   f.text("netconn.yaml"),
		collectorConfig: f.parse("collector.yaml", f.text("collector.yaml")),
		namespace:       f.document("namespace.yaml", "Namespace"),
		rules:           f.at(f.document("rbac.yaml", "ClusterRole"), "rules"),
		ingress:         f.at(f.document("networkpolicy.yaml", "NetworkPolicy"), "spec", "ingress"),
		quota:           f.document("quota.yaml", "ResourceQuota"),
	}
	useDefaults(a.collectorConfig)
	a.netconn = f.container(a.pod, "netconn")
	a.collector = f.container(a.pod, "collector")
	return a, errors.Join(f.faults...)
}

// reference is a reference to a variable that has a default.
var reference = regexp.MustCompile(`^\$\{env:(\w+):-([^}]*)\}$`)

// readersChoice are the variables that a reader may set in the DaemonSet.
var readersChoice = []string{"OTLP_ENDPOINT", "NETCONN_SCOPE"}

// useDefaults puts its default in the place of each variable that only tests set. The operator reads ports from the
// configuration, and does not know defaults.
func useDefaults(n *yaml.Node) {
	for _, c := range n.Content {
		useDefaults(c)
	}
	if m := reference.FindStringSubmatch(n.Value); m != nil && !slices.Contains(readersChoice, m[1]) {
		n.Value, n.Tag, n.Style = m[2], "", 0
	}
}

// files reads the files of a folder, and collects what is wrong with them.
type files struct {
	folder string
	faults []error
}

func (f *files) fault(format string, arguments ...any) {
	f.faults = append(f.faults, fmt.Errorf(format, arguments...))
}

func (f *files) text(name string) string {
	text, err := os.ReadFile(filepath.Join(f.folder, name))
	if err != nil {
		f.faults = append(f.faults, err)
	}
	return string(text)
}

// parse returns the only document of a text.
func (f *files) parse(name, text string) *yaml.Node {
	var d yaml.Node
	if err := yaml.Unmarshal([]byte(text), &d); err != nil || len(d.Content) != 1 {
		f.fault("read %s: want one document: %w", name, err)
		return mapping()
	}
	return d.Content[0]
}

// document returns the document of a kind from a file that may hold several.
func (f *files) document(name, kind string) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(f.text(name))))
	for {
		var d yaml.Node
		err := decoder.Decode(&d)
		if errors.Is(err, io.EOF) {
			f.fault("read %s: there is no %s", name, kind)
			return mapping()
		}
		if err != nil {
			f.fault("read %s: %w", name, err)
			return mapping()
		}
		if k := get(d.Content[0], "kind"); k != nil && k.Value == kind {
			return d.Content[0]
		}
	}
}

// at returns the value at a path of keys.
func (f *files) at(n *yaml.Node, path ...string) *yaml.Node {
	for _, key := range path {
		if n = get(n, key); n == nil {
			f.fault("read %s: there is no %s of %v", f.folder, key, path)
			return mapping()
		}
	}
	return n
}

// container returns a container of a pod. One that starts before the others is among the init containers.
func (f *files) container(pod *yaml.Node, name string) *yaml.Node {
	for _, c := range slices.Concat(f.at(pod, "initContainers").Content, f.at(pod, "containers").Content) {
		if n := get(c, "name"); n != nil && n.Value == name {
			return c
		}
	}
	f.fault("read %s: there is no container %s", f.folder, name)
	return mapping()
}
