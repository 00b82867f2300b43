package names

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var keyPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$`)

// A constant without a row in the table would have the key "".
func TestEveryAttributeHasAKeyOfItsOwn(t *testing.T) {
	seen := map[string]Attribute{}
	for a := range Attributes {
		if !keyPattern.MatchString(a.Key()) {
			t.Errorf("attribute %d has the key %q", a, a.Key())
		}
		if other, twice := seen[a.Key()]; twice {
			t.Errorf("attributes %d and %d have the key %s", other, a, a.Key())
		}
		seen[a.Key()] = a
	}
}

// Arrays are indexed by the peer's attributes, so all of them stand before PeerAttributes, and no others do.
func TestPeerAttributesComeFirst(t *testing.T) {
	for a := range Attributes {
		peers := strings.HasPrefix(a.Key(), "netconn.peer.") || strings.HasPrefix(a.Key(), "service.peer.")
		if peers != (a < PeerAttributes) {
			t.Errorf("%s is attribute %d, and the peer's are those before %d", a, a, PeerAttributes)
		}
	}
}

func TestEveryTagHasANameAndAnAttribute(t *testing.T) {
	seen := map[string]bool{}
	for tag := range Tags {
		if tag.String() == "" || seen[tag.String()] {
			t.Errorf("tag %d has the name %q", tag, tag)
		}
		seen[tag.String()] = true
		if !keyPattern.MatchString(tag.Attribute()) {
			t.Errorf("tag %s has the attribute %q", tag, tag.Attribute())
		}
		if p := tag.PeerAttribute(); p != "" && !strings.Contains(p, "peer.") {
			t.Errorf("tag %s of a peer is read from %q", tag, p)
		}
		if got, ok := ParseTag(tag.String()); !ok || got != tag {
			t.Errorf("ParseTag(%q) = %v, %t", tag, got, ok)
		}
	}
	for tag := range EdgeTags {
		if tag.String() == "" || seen[tag.String()] {
			t.Errorf("tag %d of edges has the name %q", tag, tag)
		}
		seen[tag.String()] = true
		if got, ok := ParseEdgeTag(tag.String()); !ok || got != tag {
			t.Errorf("ParseEdgeTag(%q) = %v, %t", tag, got, ok)
		}
	}
}

func TestParseTag(t *testing.T) {
	if got, ok := ParseTag("port"); ok {
		t.Errorf("port is the tag %v of an end, want none", got)
	}
	if got, ok := ParseTag(""); ok {
		t.Errorf("the empty name is the tag %v", got)
	}
	if got, ok := ParseEdgeTag("server.port"); !ok || got != EdgePort {
		t.Errorf("server.port is %v, %t; want port", got, ok)
	}
	if got, ok := ParseEdgeTag("pod"); ok {
		t.Errorf("pod is the tag %v of an edge, want none", got)
	}
}

// Every attribute of the peer has a tag of an end or of an edge: without a tag it could not be found on the map.
func TestEveryPeerAttributeHasATag(t *testing.T) {
	var tagged []string
	for tag := range Tags {
		tagged = append(tagged, tag.PeerAttribute())
	}
	for tag := range EdgeTags {
		tagged = append(tagged, tag.Attribute())
	}
	for a := range PeerAttributes {
		if !slices.Contains(tagged, a.Key()) {
			t.Errorf("%s has no tag", a)
		}
	}
}

func TestSharedTags(t *testing.T) {
	var own []string
	for tag := range Tags {
		if !tag.Shared() {
			own = append(own, tag.String())
		}
	}
	want := []string{
		"name", "container", "container.id", "image", "image.tag", "executable", "unit", "address", "domain", "proxy",
		"type",
	}
	if !slices.Equal(own, want) {
		t.Errorf("tags that differ between containers of a pod: %q, want %q", own, want)
	}
}

func TestValuesDiffer(t *testing.T) {
	for list, values := range map[string][]string{
		"Roles": Roles(), "Scopes": Scopes(), "Types": Types(), "NATs": NATs(), "ErrorTypes": ErrorTypes(),
	} {
		for i, v := range values {
			if v == "" || slices.Contains(values[:i], v) {
				t.Errorf("%s: value %d is %q", list, i, v)
			}
		}
	}
}
