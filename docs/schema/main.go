// Command schema writes the JSON Schema of a collector's file with netconn's components. Editors check files with it
// and complete their keys.
//
// The configurations of other components are not described, and may be anything.
package main

//go:generate go run . -out ../configuration.schema.json

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/netconn/netconn/internal/schema"
	"github.com/netconn/netconn/netmap/netmapconnector"
	"github.com/netconn/netconn/netmap/netmapextension"
	"github.com/netconn/netconn/receiver/netconnreceiver"
)

func main() {
	out := flag.String("out", "docs/configuration.schema.json", "the file to write")
	flag.Parse()
	text, err := document()
	if err == nil {
		err = os.WriteFile(*out, text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "write the schema:", err)
		os.Exit(1)
	}
}

// document returns the schema, indented.
func document() ([]byte, error) {
	receiver, err := of(netconnreceiver.NewFactory())
	if err != nil {
		return nil, err
	}
	extension, err := of(netmapextension.NewFactory())
	if err != nil {
		return nil, err
	}
	connector, err := of(netmapconnector.NewFactory())
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "A configuration of the OpenTelemetry Collector with netconn",
		"type":    "object",
		"$defs":   schema.Definitions(),
		"properties": map[string]any{
			"receivers":  named("netconn", receiver),
			"connectors": named("netmap", connector),
			"extensions": named("netmap", extension),
		},
	}, "", "  ")
	return append(text, '\n'), err
}

// of returns the schema of a component, with its defaults.
func of(factory component.Factory) (map[string]any, error) {
	config := factory.CreateDefaultConfig()
	defaults := confmap.New()
	if err := defaults.Marshal(config); err != nil {
		return nil, fmt.Errorf("the defaults of %s: %w", factory.Type(), err)
	}
	return schema.Of(reflect.TypeOf(config)).JSON(defaults.ToStringMap()), nil
}

// named is the section of a file that has components of one type among others: netconn, or netconn/other.
func named(component string, s map[string]any) map[string]any {
	return map[string]any{
		"type":              []string{"object", "null"},
		"patternProperties": map[string]any{"^" + component + "(/.+)?$": s},
	}
}
