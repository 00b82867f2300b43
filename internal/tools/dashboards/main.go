// Command dashboards writes the Grafana dashboards of deploy/observe/dashboards, one file each:
//
//	go run . DIRECTORY
//
// Names of metrics and labels are those of Prometheus, by the ways that docs/backends.md describes. Grafana's SDK builds
// the dashboards; each file is read again with the strict decoder of its schema before it is written.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboards DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "dashboards:", err)
		os.Exit(1)
	}
}

// all returns the builders of the dashboards, by the names of their files.
func all() map[string]*builder {
	return map[string]*builder{
		"overview": overview(),
		"edge":     edge(),
		"service":  service(),
		"zones":    zones(),
		"mesh":     mesh(),
		"health":   health(),
		"istio":    istio(),
	}
}

// write writes each dashboard into the directory.
func write(directory string) error {
	for name, builder := range all() {
		text, err := render(builder)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(directory, name+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// render returns the JSON of a dashboard, after a check against Grafana's schema.
func render(builder *builder) ([]byte, error) {
	built, err := builder.Build()
	if err != nil {
		return nil, err
	}
	for i, p := range built.Panels {
		number := uint32(i + 1) // links to a panel have it
		if p.RowPanel != nil {
			p.RowPanel.Id = number
			continue
		}
		p.Panel.Id = &number
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // queries have < and > in them
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(built); err != nil {
		return nil, err
	}
	return text.Bytes(), check(text.Bytes())
}

// check decodes the JSON of a dashboard as strictly as the schema says: unknown keys and missing ones are errors. It
// knows the kinds of panels that are used here; those of all plugins would take a minute to compile.
func check(text []byte) error {
	schema := cog.NewRuntime()
	schema.RegisterPanelcfgVariant(stat.VariantConfig())
	schema.RegisterPanelcfgVariant(table.VariantConfig())
	schema.RegisterPanelcfgVariant(timeseries.VariantConfig())
	schema.RegisterDataqueryVariant(prometheus.VariantConfig())
	var read dashboard.Dashboard
	err := read.UnmarshalJSONStrict(text)
	if faults, ok := errors.AsType[cog.BuildErrors](err); err != nil && (!ok || len(faults) > 0) { // it returns an empty list as an error
		return fmt.Errorf("against Grafana's schema: %w", err)
	}
	return read.Validate()
}
