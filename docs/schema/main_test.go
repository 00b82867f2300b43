package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

const root = "../.."

// committed returns the schema that editors load.
func committed(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(filepath.Join(root, "docs/configuration.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate returns what an editor would say of a file.
func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	return s.Validate(value)
}

// shipped returns every configuration of a collector in the tree, also those in documents, by where it stands.
func shipped(t *testing.T) map[string][]byte {
	t.Helper()
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	found := map[string][]byte{}
	add := func(where string, text []byte) {
		var file struct{ Receivers, Extensions, Dist yaml.Node }
		if yaml.Unmarshal(text, &file) != nil || !file.Dist.IsZero() { // a manifest of the builder
			return
		}
		if !file.Receivers.IsZero() || !file.Extensions.IsZero() {
			found[where] = text
		}
	}
	for _, folder := range []string{"deploy", "docs", "testdata", "README.md"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".md" {
				return err
			}
			text, err := os.ReadFile(path)
			if filepath.Ext(path) == ".yaml" {
				add(path, text)
				return err
			}
			for _, b := range block.FindAllSubmatch(text, -1) {
				add(path+": "+string(bytes.TrimSpace(b[1])), b[1])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func TestShippedConfigurations(t *testing.T) {
	s, files := committed(t), shipped(t)
	documents := 0
	for where, text := range files {
		if strings.Contains(where, ".md: ") {
			documents++
		}
		if err := validate(t, s, text); err != nil {
			t.Errorf("%s\n%v", where, err)
		}
	}
	if documents < 3 || len(files)-documents < 3 {
		t.Errorf("%d documents and %d files have configurations", documents, len(files)-documents)
	}
}

// An editor underlines what the collector would refuse, or would take for something else.
func TestMistakes(t *testing.T) {
	s := committed(t)
	for text, where := range map[string]string{
		"receivers: {netconn: {collection_interval: 10}}":                   "/receivers/netconn/collection_interval",
		"receivers: {netconn/two: {colection_interval: 10s}}":               "/receivers/netconn~1two",
		"receivers: {netconn: {temporality: gauge}}":                        "/receivers/netconn/temporality",
		"receivers: {netconn: {kubernetes: {scope: nodes}}}":                "/receivers/netconn/kubernetes/scope",
		"receivers: {netconn: {metrics: {netconn.io: {enabled: 1}}}}":       "/receivers/netconn/metrics/netconn.io/enabled",
		"receivers: {netconn: {networks: {office: 192.0.2.0/24}}}":          "/receivers/netconn/networks/office",
		"extensions: {netmap: {max_edges: many}}":                           "/extensions/netmap/max_edges",
		"extensions: {netmap: {links: [{name: logs, address: http://x/}]}}": "/extensions/netmap/links/0",
	} {
		if err := validate(t, s, []byte(text)); err == nil || !strings.Contains(err.Error(), where) {
			t.Errorf("%s: %v, want a fault at %s", text, err, where)
		}
	}
	for _, text := range []string{"receivers: {otlp: {protocols: 1}, netconn: , netconns: 1}", "service: {anything: here}", "{}"} {
		if err := validate(t, s, []byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSchemaIsFresh(t *testing.T) {
	want, err := document()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs/configuration.schema.json"))
	if err != nil || !bytes.Equal(want, got) {
		t.Errorf("docs/configuration.schema.json is not what `go run ./docs/schema` writes (%v)", err)
	}
}
