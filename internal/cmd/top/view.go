//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

const (
	defaultLimit = 40
	// lines that are not rows: note of two, summary, headings, "and n more", two empty ones, the cursor's
	frame = 8

	clearScreen = "\x1b[H\x1b[2J"
	toTop       = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// A view shows the newest page, compared with the one of the collection before it.
type view struct {
	out    io.Writer
	fetch  func(context.Context) (page, error)
	note   string   // above every table on a terminal, whose screen is cleared
	hidden string   // server port of the page
	only   []string // executables whose flows are shown; none: all
	limit  int      // rows; 0: what fits
	redraw bool     // out is a terminal

	before, now page
	drawn       bool
}

// show reads the page once and writes one table.
func (v *view) show(ctx context.Context) error {
	p, err := v.fetch(ctx)
	if err != nil {
		return err
	}
	if !p.at.Equal(v.now.at) {
		v.before, v.now = v.now, p
	}
	r := v.room()
	var table bytes.Buffer
	render(&table, v.now.host, v.now.at, rowsOf(v.before, v.now, v.hidden, v.only), r)
	return v.write(table.Bytes(), r.width)
}

// write puts a table where the last one was, or below it where there is no cursor to move.
func (v *view) write(table []byte, width int) error {
	var b bytes.Buffer
	switch {
	case v.redraw && v.drawn:
		b.WriteString(toTop)
	case v.redraw:
		b.WriteString(clearScreen)
	}
	if v.redraw {
		table = fmt.Appendf(nil, "%s\n\n%s", v.note, table)
	}
	v.drawn = true
	for line := range bytes.Lines(table) {
		v.writeLine(&b, string(bytes.TrimRight(line, "\n")), width)
	}
	if v.redraw {
		b.WriteString(clearBelow)
	} else {
		b.WriteString("\n")
	}
	_, err := v.out.Write(b.Bytes())
	return err
}

// writeLine keeps a line within the terminal: one that wraps would move all that follow.
func (v *view) writeLine(b *bytes.Buffer, line string, width int) {
	if v.redraw && width > 0 {
		line = clip(line, width)
	}
	b.WriteString(line)
	if v.redraw {
		b.WriteString(clearLine)
	}
	b.WriteString("\n")
}

// room returns how many rows and columns fit now; a terminal may have been resized.
func (v *view) room() room {
	r := room{rows: defaultLimit}
	if f, ok := v.out.(*os.File); ok && v.redraw {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil {
			r = room{rows: max(1, height-frame), width: width}
		}
	}
	if v.limit > 0 {
		r.rows = v.limit
	}
	return r
}
