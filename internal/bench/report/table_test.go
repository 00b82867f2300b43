package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	table := &Table{Title: "Title", Notes: []string{"A note."}, Head: []string{"a", "long head"}}
	table.Add("µs, wide", "1")
	table.Add("2", "")
	var out strings.Builder
	table.Write(&out)
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
	table := GoalTable([]Goal{
		{What: "more is better", Limit: 0.97, Aim: 0.98, Measured: 0.975, AtLeast: true},
		{What: "too little", Limit: 0.97, Aim: 0.98, Measured: 0.96, AtLeast: true},
		{What: "less is better", Limit: 3, Aim: 2, Unit: "us", Measured: 2},
		{What: "too much", Limit: 120, Aim: 80, Unit: "MB", Measured: 120.5, Remark: "why"},
	})
	want := [][]string{
		{"more is better", ">= 0.970", ">= 0.980", "0.975", "yes", ""},
		{"too little", ">= 0.970", ">= 0.980", "0.960", "**no**", ""},
		{"less is better", "<= 3.00 us", "<= 2.00 us", "2.00 us", "yes: the aim", ""},
		{"too much", "<= 120 MB", "<= 80.0 MB", "120 MB", "**no**", "why"},
	}
	if diff := cmp.Diff(want, table.Rows); diff != "" {
		t.Error(diff)
	}
}

// Notes are paragraphs of at most 120 bytes a line, and a table without rows has its head.
func TestNotes(t *testing.T) {
	word := strings.Repeat("x", 59)
	table := &Table{Title: "Empty", Notes: []string{strings.Join([]string{word, word, "y"}, " "), "second"}, Head: []string{"only"}}
	var out strings.Builder
	table.Write(&out)
	want := "## Empty\n\n" + word + " " + word + "\ny\n\nsecond\n\n| only |\n| ---- |\n\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// A goal is reached where the figure is exactly the bound, and is not a thousandth beyond it.
func TestVerdictAtTheBounds(t *testing.T) {
	for measured, want := range map[float64]string{
		1.999: "yes: the aim", 2: "yes: the aim", 2.001: "yes", 3: "yes", 3.001: "**no**",
	} {
		if got := (Goal{Limit: 3, Aim: 2, Measured: measured}).Verdict(); got != want {
			t.Errorf("%v, less is better: %s, want %s", measured, got, want)
		}
	}
	for measured, want := range map[float64]string{
		3.001: "yes: the aim", 3: "yes: the aim", 2.999: "yes", 2: "yes", 1.999: "**no**",
	} {
		if got := (Goal{Limit: 2, Aim: 3, Measured: measured, AtLeast: true}).Verdict(); got != want {
			t.Errorf("%v, more is better: %s, want %s", measured, got, want)
		}
	}
}

func TestFigure(t *testing.T) {
	for want, c := range map[string]struct {
		value float64
		unit  string
	}{
		"0.012 s": {0.0123, "s"}, "0.00 B": {0, "B"}, "1.23 us": {1.234, "us"}, "12.3 ms": {12.34, "ms"}, "1234 B": {1234.4, "B"},
		"12.340": {12.34, ""}, "0.000": {0, ""}, "1.00 s": {1, "s"}, "10.0 s": {10, "s"}, "100 s": {100, "s"}, "-5.00 us": {-5, "us"}, "-250 B": {-250, "B"}, "-0.500 s": {-0.5, "s"},
	} {
		if got := Figure(c.value, c.unit); got != want {
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

func TestUnits(t *testing.T) {
	got := []any{Micros(1500 * time.Nanosecond), Millis(2500 * time.Microsecond), MiB(3 << 19)}
	if diff := cmp.Diff([]any{1.5, 2.5, "1.5 MiB"}, got); diff != "" {
		t.Error(diff)
	}
}
