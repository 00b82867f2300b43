//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxName is how wide an owner or a peer may be: two of them and the figures fit a terminal of 140 columns.
const maxName = 32

const gap = "  "

// A column is a heading and the text of a cell. Text that is not a figure is aligned to the left. Where a terminal is
// too narrow, the columns that can be spared go, the highest number first.
type column struct {
	heading string
	left    bool
	spare   int
	cell    func(row) string
}

func columns() []column {
	return []column{
		{"OWNER", true, 0, func(r row) string { return r.owner.String() }},
		{"", true, 0, func(r row) string { return arrow(r.role) }},
		{"PEER", true, 0, peer},
		{"WHERE", true, 4, func(r row) string { return r.scope }},
		{"PORT", false, 0, func(r row) string { return dash(r.port) }},
		{"NAT", true, 7, func(r row) string { return r.way.String() }},
		{"OUT/s", false, 0, func(r row) string { return rate(r.sending, r.rated) }},
		{"IN/s", false, 0, func(r row) string { return rate(r.receiving, r.rated) }},
		{"OUT", false, 3, func(r row) string { return size(r.sent) }},
		{"IN", false, 2, func(r row) string { return size(r.received) }},
		{"RTT", false, 1, func(r row) string { return roundTrip(r.rtt) }},
		{"RESENT", false, 5, func(r row) string { return count(r.retransmits) }},
		{"OPENED", false, 6, func(r row) string { return count(r.opened) }},
		{"FAILED", false, 0, func(r row) string { return count(r.failed) }},
		{"OPEN", false, 0, func(r row) string { return count(r.active) }},
	}
}

const nothing = `No connection in sight yet. For instance, in another terminal:

    python3 -m http.server --bind 127.0.0.1 8000
    curl -o /dev/null http://127.0.0.1:8000/
`

// room is how much of the rows a table may show.
type room struct {
	rows  int
	width int // in columns of the terminal; 0: any
}

// render writes a table of what there is room for, under a line that counts all rows.
func render(w io.Writer, host string, at time.Time, rows []row, r room) {
	fmt.Fprintln(w, summary(host, at, rows))
	fmt.Fprintln(w)
	if len(rows) == 0 {
		fmt.Fprint(w, nothing)
		return
	}
	shown := rows[:min(r.rows, len(rows))]
	writeTable(w, fit(layOut(shown), r.width))
	if more := len(rows) - len(shown); more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
}

// summary counts. Nothing is added up here: a connection between two programs of this machine has two rows, so its
// bytes would count twice.
func summary(host string, at time.Time, rows []row) string {
	var open float64
	for _, r := range rows {
		open += r.active
	}
	var parts []string
	if host != "" {
		parts = append(parts, printable(host))
	}
	if !at.IsZero() {
		parts = append(parts, at.Format(time.TimeOnly))
	}
	parts = append(parts, plural(len(rows), "flow"), plural(int(open), "open socket"))
	return strings.Join(parts, ", ")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// A laid is a column with its cells, the heading first.
type laid struct {
	column
	cells []string
	width int
}

func layOut(rows []row) []laid {
	var all []laid
	for _, c := range columns() {
		l := laid{column: c, cells: []string{c.heading}}
		for _, r := range rows {
			l.cells = append(l.cells, clip(printable(c.cell(r)), maxName))
		}
		for _, text := range l.cells {
			l.width = max(l.width, utf8.RuneCountInString(text))
		}
		if c.heading == "NAT" && !slices.ContainsFunc(l.cells[1:], func(text string) bool { return text != "" }) {
			continue // most machines translate nothing
		}
		all = append(all, l)
	}
	return all
}

// fit leaves out what can be spared until the rest is narrow enough, or nothing more can be.
func fit(all []laid, width int) []laid {
	for {
		total, sparest := -len(gap), 0
		for i, l := range all {
			total += l.width + len(gap)
			if l.spare > all[sparest].spare {
				sparest = i
			}
		}
		if width == 0 || total <= width || all[sparest].spare == 0 {
			return all
		}
		all = slices.Delete(all, sparest, sparest+1)
	}
}

func writeTable(w io.Writer, all []laid) {
	for line := range all[0].cells {
		var b strings.Builder
		for _, l := range all {
			b.WriteString(pad(l.cells[line], l.width, l.left) + gap)
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

func pad(text string, width int, left bool) string {
	space := strings.Repeat(" ", width-utf8.RuneCountInString(text))
	if left {
		return text + space
	}
	return space + text
}

// clip cuts at the end, where names differ least.
func clip(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// printable replaces characters that would move the cursor, change the terminal or turn the direction of text (control
// and format characters): programs, containers and services choose their names.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, text)
}

// arrow points from the end that opened the connection to the end that accepted it.
func arrow(role string) string {
	switch role {
	case "client":
		return "->"
	case "server":
		return "<-"
	}
	return "--"
}

// String returns the program's name, with its container or unit if that distinguishes it.
func (o owner) String() string {
	name := o.executable
	if name == "" {
		name = "unknown"
	}
	switch unit := strings.TrimSuffix(o.unit, ".service"); {
	case o.container != "":
		return name + " [" + o.container[:min(12, len(o.container))] + "]"
	case unit != "" && unit != name:
		return name + " [" + unit + "]"
	}
	return name
}

// String returns the kind of translation and the original destination: "dnat services:80".
func (w way) String() string {
	switch {
	case w.nat == "none":
		return ""
	case w.port == "":
		return w.nat
	}
	return w.nat + " " + w.name + ":" + w.port
}

func peer(r row) string {
	switch {
	case r.overflow:
		return "(beyond the limits)"
	case r.peerName != "":
		return r.peerName
	case r.peerType == "private" || r.peerType == "public":
		return r.peerType + " address"
	}
	return "unknown"
}
