package schema

import (
	"reflect"
	"time"
)

// reference matches a value that the Collector fills in, such as ${env:NAME}. Any key may have one.
const reference = `\$\{[^}]+\}`

// duration matches what time.ParseDuration takes.
const duration = `^([-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$|^[-+]?0$`

// JSON returns the tree as a JSON Schema of draft 2020-12, for editors. A key has its default if there is one: defaults
// has the shape of the tree, as confmap.Conf.ToStringMap returns it. What Parsed keys refuse is not in the schema.
func (n *Node) JSON(defaults any) map[string]any {
	s := n.shape(defaults)
	if v := written(defaults); v != nil {
		s["default"] = v
	}
	return s
}

// written returns a default as it stands in a file; nil: there is none that is worth a line.
func written(value any) any {
	if d, ok := value.(time.Duration); ok {
		return d.String()
	}
	switch v := reflect.ValueOf(value); v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
		return value
	case reflect.String:
		if v.Len() > 0 {
			return v.String()
		}
	}
	return nil
}

func (n *Node) shape(defaults any) map[string]any {
	switch n.Kind {
	case Object:
		keys, own := map[string]any{}, mapOf(defaults)
		for key, below := range n.Keys {
			keys[key] = below.JSON(own[key])
		}
		return map[string]any{"type": []string{"object", "null"}, "properties": keys, "additionalProperties": false}
	case Map:
		return map[string]any{"type": []string{"object", "null"}, "additionalProperties": n.Of.JSON(nil)}
	case List:
		return map[string]any{"type": []string{"array", "null"}, "items": n.Of.JSON(nil)}
	case Any:
		return map[string]any{}
	case Choice:
		return map[string]any{"anyOf": []any{map[string]any{"enum": n.Choices}, refer("unknown")}}
	}
	return refer(definitions[n.Kind])
}

// definitions names the schemas of values in Definitions.
var definitions = map[Kind]string{
	Text: "text", Parsed: "parsed", Duration: "duration", Integer: "integer", Number: "number", Boolean: "boolean",
}

// Definitions returns what the schemas of JSON refer to, for the key $defs of the whole.
func Definitions() map[string]any {
	either := func(types ...string) map[string]any {
		return map[string]any{"anyOf": []any{map[string]any{"type": types}, refer("unknown")}}
	}
	return map[string]any{
		"unknown": map[string]any{"anyOf": []any{
			map[string]any{"type": "null"}, map[string]any{"type": "string", "pattern": reference},
		}},
		"text":    either("string", "number", "boolean"),
		"parsed":  either("string"),
		"integer": either("integer"),
		"number":  either("number"),
		"boolean": either("boolean"),
		"duration": map[string]any{"anyOf": []any{
			map[string]any{"type": "string", "pattern": duration}, map[string]any{"const": 0}, refer("unknown"),
		}},
	}
}

func refer(definition string) map[string]any { return map[string]any{"$ref": "#/$defs/" + definition} }

func mapOf(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}
