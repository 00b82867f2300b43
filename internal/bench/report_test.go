package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	table := &table{title: "Title", notes: []string{"A note."}, head: []string{"a", "long head"}}
	table.add("µs, wide", "1")
	table.add("2", "")
	var out strings.Builder
	table.write(&out)
	want := `## Title

A note.

| a        | long head |
| -------- | --------- |
| µs, wide | 1         |
| 2        |           |

`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestGoals(t *testing.T) {
	table := goalTable([]goal{
		{what: "more is better", limit: 0.97, aim: 0.98, measured: 0.975, atLeast: true},
		{what: "too little", limit: 0.97, aim: 0.98, measured: 0.96, atLeast: true},
		{what: "less is better", limit: 3, aim: 2, unit: "us", measured: 2},
		{what: "too much", limit: 120, aim: 80, unit: "MB", measured: 120.5, note: "why"},
	})
	want := [][]string{
		{"more is better", ">= 0.970", ">= 0.980", "0.975", "yes", ""},
		{"too little", ">= 0.970", ">= 0.980", "0.960", "**no**", ""},
		{"less is better", "<= 3.00 us", "<= 2.00 us", "2.00 us", "yes: the aim", ""},
		{"too much", "<= 120 MB", "<= 80.0 MB", "120 MB", "**no**", "why"},
	}
	if diff := cmp.Diff(want, table.rows); diff != "" {
		t.Error(diff)
	}
}

func TestFigure(t *testing.T) {
	for want, c := range map[string]struct {
		value float64
		unit  string
	}{
		"0.012 s": {0.0123, "s"}, "0.00 B": {0, "B"}, "1.23 us": {1.234, "us"}, "12.3 ms": {12.34, "ms"}, "1234 B": {1234.4, "B"},
		"12.340": {12.34, ""},
	} {
		if got := figure(c.value, c.unit); got != want {
			t.Errorf("%v %s: got %q, want %q", c.value, c.unit, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"one":                     "one",
		"one two three":           "one two\nthree",
		"a word-that-is-too-long": "a\nword-that-is-too-long",
		"12345678 x":              "12345678\nx",
		"1234567 x":               "1234567\nx",
		"123456 x":                "123456 x",
	} {
		if got := wrap(text, 8); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
