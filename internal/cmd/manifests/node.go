package main

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// An entry is a key of a mapping with its value. An entry without a value is left out.
type entry struct {
	key   string
	value *yaml.Node
}

// mapping returns a mapping with the entries in this order.
func mapping(entries ...entry) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for _, e := range entries {
		if e.value != nil {
			m.Content = append(m.Content, text(e.key), e.value)
		}
	}
	return m
}

func sequence(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// block returns a text of several lines, which is written as such.
func block(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.LiteralStyle}
}

// plain returns a number or a bool, written as s.
func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

// get returns the value of a key, or nil.
func get(m *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(m.Content) && m.Kind == yaml.MappingNode; i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

// without returns a copy of a mapping that lacks some keys. The values are shared.
func without(m *yaml.Node, keys ...string) *yaml.Node {
	c := *m
	c.Content = nil
	for i := 0; i+1 < len(m.Content); i += 2 {
		if !slices.Contains(keys, m.Content[i].Value) {
			c.Content = append(c.Content, m.Content[i], m.Content[i+1])
		}
	}
	return &c
}

// named reports whether a mapping has the name.
func named(n *yaml.Node, name string) bool {
	v := get(n, "name")
	return v != nil && v.Value == name
}
