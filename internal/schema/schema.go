// Package schema knows what a user may write in the configuration of a component.
//
// In: the Go type of the configuration, with its mapstructure tags. Out: a tree of keys, Of; what is wrong with a file
// that was read, Node.Check; and a JSON Schema for editors, Node.JSON. Check runs before the file is decoded: only
// there is `10` still different from `10s`. Its errors name keys as a user writes them, and no Go type.
//
// Nothing in a tree changes once it is made.
package schema

import (
	"encoding"
	"reflect"
	"strings"
	"time"
)

// Kind is what a value looks like in the file.
type Kind uint8

const (
	Any      Kind = iota // no statement
	Object               // the keys of Node.Keys
	Map                  // keys that the user chooses, each with a Node.Of
	List                 // each element is a Node.Of
	Text                 // or a number, which YAML cannot always tell apart
	Choice               // one of Node.Choices
	Parsed               // a text with a format of its own, which Node.parse checks
	Duration             // a text with a unit
	Integer
	Number
	Boolean
)

// A Node is a key, or an element of a list.
type Node struct {
	Kind    Kind
	Keys    map[string]*Node // of an Object
	Of      *Node            // of a Map or a List
	Choices []string         // of a Choice

	parse func(text string) error // of a Parsed
}

// A Chooser is a type with few values.
type Chooser interface{ Choices() []string }

// Of returns what may be written for a type. A struct without keys decodes itself, and may be anything.
func Of(t reflect.Type) *Node {
	if n := special(t); n != nil {
		return n
	}
	switch t.Kind() {
	case reflect.Pointer:
		return Of(t.Elem())
	case reflect.Struct:
		if keys := keysOf(t); len(keys) > 0 {
			return &Node{Kind: Object, Keys: keys}
		}
	case reflect.Map:
		return &Node{Kind: Map, Of: Of(t.Elem())}
	case reflect.Slice, reflect.Array:
		return &Node{Kind: List, Of: Of(t.Elem())}
	}
	return &Node{Kind: scalar(t.Kind())}
}

// special returns the node of a type that is not written as its kind; nil: there is nothing special.
func special(t reflect.Type) *Node {
	if t == reflect.TypeFor[time.Duration]() {
		return &Node{Kind: Duration}
	}
	switch v := reflect.New(t).Interface().(type) {
	case Chooser:
		return &Node{Kind: Choice, Choices: v.Choices()}
	case encoding.TextUnmarshaler:
		return &Node{Kind: Parsed, parse: func(text string) error {
			return reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text))
		}}
	}
	return nil
}

func scalar(k reflect.Kind) Kind {
	switch k {
	case reflect.String:
		return Text
	case reflect.Bool:
		return Boolean
	case reflect.Float32, reflect.Float64:
		return Number
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return Integer
	}
	return Any
}

// keysOf returns the keys of a struct, with those of what is squashed into it.
func keysOf(t reflect.Type) map[string]*Node {
	keys := make(map[string]*Node)
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("mapstructure"), ",")
		switch {
		case !f.IsExported(), name == "-":
		case strings.Contains(options, "squash"):
			for key, n := range Of(f.Type).Keys {
				keys[key] = n
			}
		case name != "":
			keys[name] = Of(f.Type)
		}
	}
	return keys
}
