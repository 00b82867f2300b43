//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
)

// A screen shows what there is before and after. For Markdown it keeps the table until all that is wanted is in it,
// and shows both at the end.
type screen struct {
	out      io.Writer
	markdown bool
	wanted   []socketRow
	shown    bytes.Buffer // what top has shown
	complete func()       // called when all that is wanted is in it
}

// Write is what top calls, through a pipe, where the table is kept.
func (s *screen) Write(b []byte) (int, error) {
	s.shown.Write(b)
	if strings.Count(pick(s.shown.String(), s.wanted), "\n") > len(s.wanted) {
		s.complete()
	}
	return len(b), nil
}

// begin prints what runs, and what a socket list shows of it.
func (s *screen) begin(w *bookinfo.Deployment, before []bookinfo.ListedSocket) {
	if s.markdown {
		return
	}
	fmt.Fprintf(s.out, "A mesh is up: %d nodes, %d processes. A client outside asks a gateway, which asks "+
		"productpage, and so on.\n\n",
		len(w.Nodes), len(w.Members))
	fmt.Fprintf(s.out, "When %s calls %s, a socket list shows this:\n\n%s\n", caller, service, indent(lines(before)))
	fmt.Fprintf(s.out, "netconn shows this (-> is the side that connected; Ctrl-C ends the demo):\n\n")
}

// table has top show what netconn reports, until top ends or the context does.
func (s *screen) table(ctx context.Context, program []string) error {
	c := exec.Command(program[0], program[1:]...)
	c.Stdout, c.Stderr = s.out, os.Stderr
	if s.markdown {
		c.Stdout = s
		ctx, s.complete = context.WithTimeout(ctx, time.Minute)
		defer s.complete()
	}
	p, err := harness.Start(c)
	if err != nil {
		return fmt.Errorf("show the table: %w", err)
	}
	select {
	case <-p.Ended:
	case <-ctx.Done():
		p.Signal(syscall.SIGTERM)
	}
	if state := p.State(); !state.Success() {
		return fmt.Errorf("show the table: %s", state)
	}
	return nil
}

// end prints what the processes have counted, or the picture.
func (s *screen) end(w *bookinfo.Deployment, before []bookinfo.ListedSocket, t *traffic) error {
	if s.markdown {
		after := pick(s.shown.String(), s.wanted)
		if strings.Count(after, "\n") <= len(s.wanted) {
			return fmt.Errorf("wait for the sockets in the table: it has\n%s", after)
		}
		fmt.Fprintf(s.out, "A socket list shows this:\n\n%s\nnetconn shows this:\n\n%s", indent(lines(before)),
			indent(after))
		return nil
	}
	dialled, _, err := w.Totals()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "The client sent %d requests. By the processes' own count that took %d connections, %d "+
		"bytes there and %d back.\n",
		t.sent, dialled.Connections, dialled.Sent, dialled.Received)
	return nil
}

func lines(path []bookinfo.ListedSocket) string {
	var b strings.Builder
	for _, s := range path {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

// indent makes a text one of Markdown's code blocks.
func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// A socketRow identifies the row of a socket in top's table.
type socketRow struct{ owner, container, arrow, peer string }

// rowsOf returns those of a path: its sockets are three connections, both ends of each.
func rowsOf(w *bookinfo.Deployment, path []bookinfo.ListedSocket) []socketRow {
	var rows []socketRow
	for i, s := range path {
		pod := caller
		if i >= len(path)/2 {
			pod = called
		}
		peer := path[i^1] // the other end
		r := socketRow{s.Name, w.Find(pod, s.Name).ID, "->", peer.Name}
		if s.Accepted {
			r.arrow = "<-"
		}
		rows = append(rows, r)
	}
	return rows
}

// pick returns the wanted rows of the last table that top has shown, without its figures, in their order.
func pick(shown string, wanted []socketRow) string {
	i := max(0, strings.LastIndex(shown, "OWNER "))
	table, _, _ := strings.Cut(shown[i:], "\n\n")
	headings, rest, _ := strings.Cut(table, "\n")
	from := strings.Index(headings, "NAT")
	if from < 0 {
		return ""
	}
	picked := headings[:from+len("NAT")] + "\n"
	for _, r := range wanted {
		for line := range strings.Lines(rest) {
			f := strings.Fields(line)
			if len(line) > from && len(f) > 3 && f[0] == r.owner && f[1] == "["+r.container[:12]+"]" &&
				f[2] == r.arrow && f[3] == r.peer {
				nat, _, _ := strings.Cut(line[from:], "  ")
				picked += strings.TrimRight(line[:from]+nat, " ") + "\n"
			}
		}
	}
	return picked
}
