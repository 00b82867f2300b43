package schema

import "testing"

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
