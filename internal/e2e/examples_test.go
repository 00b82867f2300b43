//go:build linux

package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// pipeline makes a configuration of an example that has no pipelines of its own.
const pipeline = `
receivers: {netconn: {}}
exporters: {otlp_grpc: {endpoint: "localhost:4317"}, netmap: {}}
extensions: {netmap: {}}
service: {extensions: [netmap], pipelines: {metrics: {receivers: [netconn], exporters: [otlp_grpc]}}}
`

var yamlBlock = regexp.MustCompile("(?s)\n```yaml\n(.*?)\n```\n")

// Every example of the documentation that configures components of the Collector is accepted.
func TestExamplesOfTheDocumentation(t *testing.T) {
	t.Parallel() // no connections are looked at
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, page := range append(pages, root+"/README.md", root+"/.github/SECURITY.md") {
		for _, block := range yamlBlock.FindAllStringSubmatch(readText(t, page), -1) {
			text := complete(block[1])
			if text == "" {
				continue
			}
			tried++
			if out, err := validate(t, "yaml:"+pipeline, "yaml:"+text); err != nil {
				t.Errorf("%s:\n%s\n%v\n%s", page, block[1], err, out)
			}
		}
	}
	if tried < 6 {
		t.Errorf("%d examples were found", tried)
	}
}

// complete returns an example as a part of a configuration, or "" if it is not of the Collector. Where it begins within
// a component, it has the indentation that it has there.
func complete(example string) string {
	switch first, _, _ := strings.Cut(example, "\n"); {
	case strings.HasPrefix(first, "    "):
		example = "receivers:\n  netconn:\n" + example
	case first == "links:":
		example = "extensions:\n  netmap:\n    " + strings.ReplaceAll(example, "\n", "\n    ")
	}
	var keys map[string]any
	if err := yaml.Unmarshal([]byte(example), &keys); err != nil {
		return example // the Collector says what is wrong
	}
	for key := range keys {
		switch key {
		case "receivers", "processors", "exporters", "connectors", "extensions", "service":
			_, isList := keys[key].([]any) // of the Collector Builder
			if !isList {
				return example
			}
		}
	}
	return ""
}

func validate(t *testing.T, configurations ...string) ([]byte, error) {
	t.Helper()
	command := exec.Command("/proc/self/fd/3", "validate")
	for _, c := range configurations {
		command.Args = append(command.Args, "--config", c)
	}
	command.ExtraFiles = []*os.File{built(t)}
	command.Env = append(os.Environ(), "K8S_NODE_NAME=node-1", "K8S_NODE_IP=10.0.0.1", "KUBERNETES_AUTH=none",
		"NETCONN_MAP_USER=ann:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC")
	return command.CombinedOutput()
}

// No configuration is shipped that no test has the distribution load.
func TestEveryConfigurationIsLoaded(t *testing.T) {
	loaded := strings.Join([]string{
		readText(t, "deploy_test.go"), readText(t, "deploy_trust_test.go"), readText(t, "collector_test.go"), readText(t, "netmap_test.go"),
	}, "")
	if err := filepath.WalkDir(root+"/deploy", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		var file struct{ Receivers, Processors, Exporters any }
		read(t, path, &file)
		name := strings.TrimPrefix(path, root+"/deploy/")
		if (file.Receivers != nil || file.Processors != nil || file.Exporters != nil) &&
			!strings.Contains(loaded, `"`+name+`"`) {
			t.Errorf("%s is loaded by no test", name)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
