package schema

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	type m = map[string]any
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"nothing":               {nil, ""},
		"a key without a value": {m{"every": nil, "below": nil, "limits": nil}, ""},
		"all": {m{
			"every": "10s", "size": 3, "limits": []any{"1ms", "1.5h"}, "codes": m{"a": []any{"ab", ""}}, "colour": "red",
			"name": "n", "share": 0.5, "on": true, "below": m{"size": int64(2)}, "opaque": m{"anything": 1},
		}, ""},
		"a number where a fraction may be":  {m{"share": 3}, ""},
		"a text that is read as a number":   {m{"name": 83}, ""},
		"zero needs no unit":                {m{"every": 0}, ""},
		"a large number":                    {m{"size": uint64(1 << 40)}, ""},
		"a whole number written as a float": {m{"size": 2.0}, ""},

		"no unit":            {m{"every": 10}, "every: 10 has no unit; write 10s if it is in seconds"},
		"no unit, fraction":  {m{"every": 0.5}, "every: 0.5 has no unit; write 0.5s if it is in seconds"},
		"no unit, text":      {m{"every": "10"}, `every: must be a duration such as 10s or 500ms, not "10"`},
		"unknown unit":       {m{"every": "10 years"}, `every: must be a duration such as 10s or 500ms, not "10 years"`},
		"not a duration":     {m{"every": true}, "every: must be a duration such as 10s or 500ms, not true"},
		"in a list":          {m{"limits": []any{"1s", 2}}, "limits: 2 has no unit; write 2s if it is in seconds"},
		"below":              {m{"below": m{"every": 3}}, "below::every: 3 has no unit; write 3s if it is in seconds"},
		"no list":            {m{"limits": "1s"}, `limits: must be a list, not "1s"`},
		"no keys":            {m{"below": 3}, "below: must have keys, not be 3"},
		"a list, no keys":    {m{"below": []any{1}}, "below: must have keys, not be a list"},
		"keys for a list":    {m{"limits": m{"a": 1}}, "limits: must be a list, not keys"},
		"a format":           {m{"codes": m{"x": []any{"ab", "abc"}}}, "codes::x: must have an even number of letters"},
		"a format, no text":  {m{"codes": m{"x": []any{7}}}, "codes::x: must be a text, not 7"},
		"a choice":           {m{"colour": "pink"}, `colour: must be red, green or blue, not "pink"`},
		"a choice, no text":  {m{"colour": 3}, "colour: must be red, green or blue, not 3"},
		"a text for a count": {m{"size": "many"}, `size: must be a whole number, not "many"`},
		"half":               {m{"size": 1.5}, "size: must be a whole number, not 1.5"},
		"a text for a share": {m{"share": "half"}, `share: must be a number, not "half"`},
		"a text for a bool":  {m{"on": "yes"}, `on: must be true or false, not "yes"`},
		"a typo":             {m{"colur": "red"}, "colur: there is no such key; colour is one"},
		"a typo below":       {m{"below": m{"sizes": 1}}, "below::sizes: there is no such key; size is one"},
		"an unknown key":     {m{"temperature": 1}, "temperature: there is no such key"},
		"two faults": {m{"size": "x", "on": 1},
			"on: must be true or false, not 1\nsize: must be a whole number, not \"x\""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := whole().Check(c.value); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"ab", "ab", 0}, {"ab", "ba", 2}, {"kitten", "sitting", 3}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestEither(t *testing.T) {
	for want, choices := range map[string][]string{
		"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"},
	} {
		if got := either(choices); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The key that was probably meant has the fewest changes; of two that are as near, the first by name. From three changes
// on there is no hint, nor where no letter of the key would stay.
func TestHint(t *testing.T) {
	n := &Node{Kind: Object, Keys: map[string]*Node{"interval": {}, "internal": {}, "limits": {}, "limit": {}, "on": {}}}
	for key, want := range map[string]string{
		"intervall": "; interval is one",
		"intern":    "; internal is one",
		"interxal":  "; internal is one", // one change from interval too
		"limitz":    "; limit is one",
		"limist":    "; limit is one",
		"limitss":   "; limits is one",
		"Interval":  "; interval is one",
		"lim":       "; limit is one",
		"of":        "; on is one",
		"li":        "",
		"zone":      "",
		"li_mi_ts_": "",
		"endpoint":  "",
	} {
		if got := n.hint(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if got := (&Node{Kind: Map}).hint("any"); got != "" {
		t.Errorf("keys that the user chooses have a hint: %q", got)
	}
}

// All faults of a file are reported, in the order of its keys and elements, each with its path.
func TestEveryFault(t *testing.T) {
	err := whole().Check(map[string]any{
		"limits": []any{1, "1s", "soon", nil},
		"codes":  map[string]any{"b": []any{"abc", "ab"}, "a": "ab", "c": nil},
		"below":  map[string]any{"size": "x", "every": 5, "siez": 1},
		"zone":   1,
	})
	want := []string{
		"below::every: 5 has no unit; write 5s if it is in seconds",
		"below::siez: there is no such key; size is one",
		`below::size: must be a whole number, not "x"`,
		`codes::a: must be a list, not "ab"`,
		"codes::b: must have an even number of letters",
		"limits: 1 has no unit; write 1s if it is in seconds",
		`limits: must be a duration such as 10s or 500ms, not "soon"`,
		"zone: there is no such key",
	}
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// Each kind of number that a decoder of YAML or JSON makes is accepted, and nothing else is taken for one.
func TestNumbers(t *testing.T) {
	whole, fraction := Of(reflect.TypeFor[int]()), Of(reflect.TypeFor[float64]())
	for _, c := range []struct {
		value             any
		whole, fractional bool
	}{
		{7, true, true}, {int64(-7), true, true}, {uint64(7), true, true}, {7.0, true, true}, {1e300, true, true},
		{-0.5, false, true}, {"7", false, false}, {true, false, false}, {[]any{7}, false, false},
	} {
		if err := whole.Check(c.value); (err == nil) != c.whole {
			t.Errorf("%v as a whole number: %v", c.value, err)
		}
		if err := fraction.Check(c.value); (err == nil) != c.fractional {
			t.Errorf("%v as a number: %v", c.value, err)
		}
	}
}

// The number of changes is a distance: from one text to another as far as back, and no detour is shorter.
func FuzzEditDistance(f *testing.F) {
	f.Add("interval", "intervall", "internal")
	f.Add("", "a", "ab")
	f.Add("ab", "ba", "b")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if len(a)+len(b)+len(c) > 300 {
			return
		}
		ab, ba, ac, cb := editDistance(a, b), editDistance(b, a), editDistance(a, c), editDistance(c, b)
		switch {
		case ab != ba, (ab == 0) != (a == b):
			t.Errorf("%q to %q: %d, back: %d", a, b, ab, ba)
		case ab > ac+cb:
			t.Errorf("%q to %q: %d, over %q: %d", a, b, ab, c, ac+cb)
		case ab < max(len(a), len(b))-min(len(a), len(b)), ab > max(len(a), len(b)):
			t.Errorf("%q to %q: %d", a, b, ab)
		}
	})
}
