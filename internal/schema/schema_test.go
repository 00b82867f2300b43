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
