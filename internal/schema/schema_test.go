package schema

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

type colour string

func (colour) Choices() []string { return []string{"red", "green", "blue"} }

// A code has an even number of letters.
type code string

func (c *code) UnmarshalText(text []byte) error {
	if len(text)%2 != 0 {
		return errors.New("must have an even number of letters")
	}
	*c = code(text)
	return nil
}

type base struct {
	Every time.Duration `mapstructure:"every"`
	Size  int           `mapstructure:"size"`
}

type opaque struct{ _ int }

type config struct {
	Base   base              `mapstructure:",squash"`
	Limits []time.Duration   `mapstructure:"limits"`
	Codes  map[string][]code `mapstructure:"codes"`
	Colour colour            `mapstructure:"colour"`
	Name   string            `mapstructure:"name"`
	Share  float32           `mapstructure:"share"`
	On     bool              `mapstructure:"on"`
	Below  *base             `mapstructure:"below"`
	Opaque opaque            `mapstructure:"opaque"`
	Unused int               `mapstructure:"-"`
	Untold int
}

func whole() *Node { return Of(reflect.TypeFor[config]()) }

func TestOf(t *testing.T) {
	below := map[string]*Node{"every": {Kind: Duration}, "size": {Kind: Integer}}
	want := &Node{Kind: Object, Keys: map[string]*Node{
		"every":  {Kind: Duration},
		"size":   {Kind: Integer},
		"limits": {Kind: List, Of: &Node{Kind: Duration}},
		"codes":  {Kind: Map, Of: &Node{Kind: List, Of: &Node{Kind: Parsed}}},
		"colour": {Kind: Choice, Choices: []string{"red", "green", "blue"}},
		"name":   {Kind: Text},
		"share":  {Kind: Number},
		"on":     {Kind: Boolean},
		"below":  {Kind: Object, Keys: below},
		"opaque": {Kind: Any},
	}}
	if diff := cmp.Diff(want, whole(), cmpopts.IgnoreUnexported(Node{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestScalar(t *testing.T) {
	for of, want := range map[any]Kind{
		uint8(1): Integer, int64(1): Integer, float64(1): Number, "": Text, true: Boolean, complex64(1): Any,
	} {
		if got := Of(reflect.TypeOf(of)).Kind; got != want {
			t.Errorf("%T: %v, want %v", of, got, want)
		}
	}
}

type level uint8

func (level) Choices() []string { return []string{"low", "high"} }

// A point decodes itself from a text, so its fields are not keys.
type point struct {
	X int `mapstructure:"x"`
}

func (p *point) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("must not be empty")
	}
	return nil
}

type middle struct {
	Base   *base  `mapstructure:",squash"`
	Colour colour `mapstructure:"colour,omitempty"`
}

// How a type may be written depends on the type alone: pointers, names and the size of a number change nothing.
func TestOfTypes(t *testing.T) {
	for name, c := range map[string]struct {
		of   reflect.Type
		want *Node
	}{
		"a pointer to a duration":      {reflect.TypeFor[*time.Duration](), &Node{Kind: Duration}},
		"a number with choices":        {reflect.TypeFor[level](), &Node{Kind: Choice, Choices: []string{"low", "high"}}},
		"a pointer to a choice":        {reflect.TypeFor[**level](), &Node{Kind: Choice, Choices: []string{"low", "high"}}},
		"a struct that decodes a text": {reflect.TypeFor[point](), &Node{Kind: Parsed}},
		"an array":                     {reflect.TypeFor[[2]bool](), &Node{Kind: List, Of: &Node{Kind: Boolean}}},
		"a map of lists":               {reflect.TypeFor[map[string][]uint16](), &Node{Kind: Map, Of: &Node{Kind: List, Of: &Node{Kind: Integer}}}},
		"an interface":                 {reflect.TypeFor[any](), &Node{Kind: Any}},
		"a struct without keys":        {reflect.TypeFor[opaque](), &Node{Kind: Any}},
		"a squashed pointer, and a flag": {reflect.TypeFor[middle](), &Node{Kind: Object, Keys: map[string]*Node{
			"every": {Kind: Duration}, "size": {Kind: Integer}, "colour": {Kind: Choice, Choices: []string{"red", "green", "blue"}},
		}}},
		"a squash below a squash": {reflect.TypeFor[struct {
			Middle middle `mapstructure:",squash"`
			Of     middle `mapstructure:"of"`
		}](), &Node{Kind: Object, Keys: map[string]*Node{
			"every": {Kind: Duration}, "size": {Kind: Integer}, "colour": {Kind: Choice, Choices: []string{"red", "green", "blue"}},
			"of": {Kind: Object, Keys: map[string]*Node{
				"every": {Kind: Duration}, "size": {Kind: Integer}, "colour": {Kind: Choice, Choices: []string{"red", "green", "blue"}},
			}},
		}}},
	} {
		if diff := cmp.Diff(c.want, Of(c.of), cmpopts.IgnoreUnexported(Node{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A field without a tag, one that the tag leaves out, and one that is not exported cannot be written.
func TestFieldsThatAreNoKeys(t *testing.T) {
	type fields struct {
		Key     int `mapstructure:"key"`
		Without int
		Left    int `mapstructure:"-"`
		Empty   int `mapstructure:",omitempty"`
		private int `mapstructure:"private"`
	}
	var keys []string
	for key := range Of(reflect.TypeOf(fields{private: 1})).Keys {
		keys = append(keys, key)
	}
	if diff := cmp.Diff([]string{"key"}, keys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// Two components with one configuration type do not share a tree, so neither can change the other's.
func TestTreesAreApart(t *testing.T) {
	a, b := whole(), whole()
	delete(a.Keys, "size")
	a.Keys["below"].Keys["size"].Kind = Text
	if err := b.Check(map[string]any{"size": 1, "below": map[string]any{"size": 2}}); err != nil {
		t.Errorf("a tree changed with another one: %v", err)
	}
}
