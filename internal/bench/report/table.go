package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// noteWidth is the longest line of a note, in bytes.
const noteWidth = 120

// A Table is a table of Markdown.
type Table struct {
	Title string
	Notes []string // paragraphs between title and table
	Head  []string
	Rows  [][]string
}

// Add adds a row, which has a cell for each column.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Write writes the table with columns of one width, so that it can be read in a terminal too.
func (t *Table) Write(w io.Writer) {
	fmt.Fprintf(w, "## %s\n\n", t.Title)
	for _, n := range t.Notes {
		fmt.Fprintf(w, "%s\n\n", wrap(n, noteWidth))
	}
	widths := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	rule := make([]string, len(t.Head))
	for i := range rule {
		rule[i] = strings.Repeat("-", widths[i])
	}
	for _, row := range append([][]string{t.Head, rule}, t.Rows...) {
		for i, cell := range row {
			fmt.Fprintf(w, "| %s%s ", cell, strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		fmt.Fprintln(w, "|")
	}
	fmt.Fprintln(w)
}

// wrap breaks a paragraph into lines of at most so many bytes. A longer word has a line of its own.
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
