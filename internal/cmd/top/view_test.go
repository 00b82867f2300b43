//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pages returns a fetch that answers with one page after the other, the last one again and again.
func pages(list ...page) func(context.Context) (page, error) {
	return func(context.Context) (page, error) {
		p := list[0]
		if len(list) > 1 {
			list = list[1:]
		}
		return p, nil
	}
}

func pageOf(second int64, sent float64) page {
	return page{at: time.Unix(second, 0), host: "vm", flows: map[flow]totals{{role: "client"}: {sent: sent}}}
}

// A page that is read twice between two collections must not turn the rate into zero.
func TestShowComparesCollectionsNotReads(t *testing.T) {
	var out bytes.Buffer
	v := &view{out: &out, fetch: pages(pageOf(10, 0), pageOf(12, 4000))}
	for range 3 {
		out.Reset()
		if err := v.show(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(out.String(), "2.00 kB") {
		t.Errorf("no rate of 2 kB/s in\n%s", &out)
	}
}

func TestShowRedrawsInPlace(t *testing.T) {
	var out bytes.Buffer
	v := &view{out: &out, fetch: pages(page{}), note: "note", redraw: true}
	var got []string
	for range 2 {
		out.Reset()
		if err := v.show(t.Context()); err != nil {
			t.Fatal(err)
		}
		got = append(got, out.String())
	}
	frame := strings.ReplaceAll("note\n\n0 flows, 0 open sockets\n\n"+nothing, "\n", clearLine+"\n") + clearBelow
	if diff := cmp.Diff([]string{clearScreen + frame, toTop + frame}, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

func TestWriteKeepsLinesWithinTheTerminal(t *testing.T) {
	var out bytes.Buffer
	v := &view{out: &out, note: "note", redraw: true, drawn: true}
	if err := v.write([]byte("0123456789\n"), 5); err != nil {
		t.Fatal(err)
	}
	want := toTop + "note" + clearLine + "\n" + clearLine + "\n" + "0123…" + clearLine + "\n" + clearBelow
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("frame (-want +got):\n%s", diff)
	}
}

func TestShowReturnsWhyThereIsNoPage(t *testing.T) {
	refused := errors.New("refused")
	v := &view{out: &bytes.Buffer{}, fetch: func(context.Context) (page, error) { return page{}, refused }}
	if err := v.show(t.Context()); !errors.Is(err, refused) {
		t.Errorf("error: %v", err)
	}
}

// Without a terminal, tables follow each other with an empty line between them, whole lines and no control sequences.
func TestWriteToAFile(t *testing.T) {
	var out bytes.Buffer
	v := &view{out: &out, note: "note"}
	for range 2 {
		if err := v.write([]byte("0123456789\n"), 5); err != nil {
			t.Fatal(err)
		}
	}
	if want := "0123456789\n\n0123456789\n\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// The number of rows is the one that was asked for, else a default: there is no terminal here to measure.
func TestRoomWithoutATerminal(t *testing.T) {
	for limit, want := range map[int]int{0: defaultLimit, 7: 7} {
		if got := (&view{out: &bytes.Buffer{}, redraw: true, limit: limit}).room(); got != (room{rows: want}) {
			t.Errorf("limit %d: %+v, want %d rows of any width", limit, got, want)
		}
	}
}
