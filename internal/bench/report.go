package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// A table is one table of Markdown.
type table struct {
	title string
	notes []string // paragraphs below the title
	head  []string
	rows  [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write writes the table with columns of one width, so that it reads in a terminal too.
func (t *table) write(w io.Writer) {
	fmt.Fprintf(w, "## %s\n\n", t.title)
	for _, n := range t.notes {
		fmt.Fprintf(w, "%s\n\n", wrap(n, 120))
	}
	widths := make([]int, len(t.head))
	rule := make([]string, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for i := range rule {
		rule[i] = strings.Repeat("-", widths[i])
	}
	for _, row := range append([][]string{t.head, rule}, t.rows...) {
		for i, cell := range row {
			fmt.Fprintf(w, "| %s%s ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		fmt.Fprintln(w, "|")
	}
	fmt.Fprintln(w)
}

// wrap breaks a paragraph into lines of at most so many bytes.
func wrap(text string, width int) string {
	var out strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > width:
			out.WriteByte('\n')
			column = 0
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String()
}

// A goal is one figure that is to be reached.
type goal struct {
	what       string
	limit, aim float64
	unit       string
	measured   float64
	atLeast    bool   // more is better
	note       string // what else there is to say of the measurement
}

func (g goal) holds(bound float64) bool {
	if g.atLeast {
		return g.measured >= bound
	}
	return g.measured <= bound
}

func (g goal) verdict() string {
	switch {
	case g.holds(g.aim):
		return "yes: the aim"
	case g.holds(g.limit):
		return "yes"
	}
	return "**no**"
}

// goalTable returns the table that compares.
func goalTable(goals []goal) *table {
	t := &table{title: "Against the targets", head: []string{"figure", "target", "aim", "measured", "reached", "remark"}}
	for _, g := range goals {
		sign := "<="
		if g.atLeast {
			sign = ">="
		}
		t.add(g.what, sign+" "+figure(g.limit, g.unit), sign+" "+figure(g.aim, g.unit), figure(g.measured, g.unit), g.verdict(), g.note)
	}
	return t
}

// figure writes a value with three or four significant digits.
func figure(v float64, unit string) string {
	text := ""
	switch {
	case unit == "":
		text = fmt.Sprintf("%.3f", v)
	case v != 0 && v < 1:
		text = fmt.Sprintf("%.3f", v)
	case v < 10:
		text = fmt.Sprintf("%.2f", v)
	case v < 100:
		text = fmt.Sprintf("%.1f", v)
	default:
		text = fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSpace(text + " " + unit)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// String writes a median and where it may be.
func (s summary) String() string { return fmt.Sprintf("%.3f (%.3f to %.3f)", s.Median, s.Low, s.High) }
