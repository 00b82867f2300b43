// Command manifests writes the agent of deploy/base in the forms that two other installers take: values of the Helm
// chart opentelemetry-collector, and a resource of the OpenTelemetry operator.
//
// It reads a folder such as deploy/base, and writes helm/values.yaml and operator/agent.yaml in its parent. Their pods
// have the rights, mounts, limits and configurations of the DaemonSet, because all of these are copied from it, with
// their comments. `make generate` runs it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

//go:generate go run . ../../../deploy/base

func main() {
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: manifests deploy/base")
		os.Exit(2)
	}
	if err := run(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

func run(base string) error {
	a, err := readAgent(base)
	if err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(base))
	if err := write(filepath.Join(parent, "helm", "values.yaml"), valuesHeader, a.values()); err != nil {
		return err
	}
	return write(filepath.Join(parent, "operator", "agent.yaml"), resourceHeader, a.resources()...)
}

// write writes YAML documents below a header.
func write(path, header string, documents ...*yaml.Node) error {
	var out bytes.Buffer
	out.WriteString(header)
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	for _, d := range documents {
		if err := encoder.Encode(d); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if err := encoder.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}
