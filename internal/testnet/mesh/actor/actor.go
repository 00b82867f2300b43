//go:build linux

// Package actor is what the processes of a mesh do: applications that call each other, sidecars that stand in for Envoy, and a ztunnel.
//
// A process plays one part. It takes orders on its standard input, a JSON object a line, and answers each with one; the first order
// says which part. It ends with its input, after a last report, so it never outlives the program that started it.
//
// Every process counts what it does, connection by connection and to the byte of payload, where it calls the kernel: what its reads
// and writes returned. Nothing of netconn is known here.
package actor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Variable is set in the environment of a process that is to play.
const Variable = "NETCONN_MESH_ACTOR"

// A Part is what a process plays: one of these.
type Part struct {
	App     *App     `json:",omitempty"`
	Sidecar *Sidecar `json:",omitempty"`
	Ztunnel *Ztunnel `json:",omitempty"`
}

// An Order is what a process is told to do: to play a part, which must be the first; to ask, which only an App can; or, with neither,
// to report.
type Order struct {
	Play *Part `json:",omitempty"`
	Ask  *Ask  `json:",omitempty"`
}

// An Answer tells what the process has counted, and why an order could not be done.
type Answer struct {
	Legs  []Leg
	Error string `json:",omitempty"`
}

// A player is a part that is played.
type player interface {
	// start listens; what it accepts is served by goroutines.
	start(*ledger) error
}

// Main plays, and tells whether this process was to play at all. A program calls it first of all.
func Main() bool {
	if os.Getenv(Variable) == "" {
		return false
	}
	if err := perform(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "actor:", err)
		os.Exit(1)
	}
	return true
}

func perform(in io.Reader, out io.Writer) error {
	orders, answers := json.NewDecoder(in), json.NewEncoder(out)
	counted := newLedger()
	var app *App
	for {
		var o Order
		if err := orders.Decode(&o); err != nil {
			if !errors.Is(err, io.EOF) {
				return fmt.Errorf("read an order: %w", err)
			}
			return answers.Encode(Answer{Legs: counted.legs()})
		}
		err := o.do(&app, counted)
		a := Answer{Legs: counted.legs()}
		if err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
	}
}

func (o Order) do(app **App, counted *ledger) error {
	switch {
	case o.Play != nil:
		*app = o.Play.App
		return o.Play.start(counted)
	case o.Ask != nil && *app == nil:
		return errors.New("ask: only an application does")
	case o.Ask != nil:
		return (*app).ask(*o.Ask)
	}
	return nil
}

func (p Part) start(counted *ledger) error {
	var errs []error
	if p.App != nil {
		errs = append(errs, player(p.App).start(counted))
	}
	if p.Sidecar != nil {
		errs = append(errs, player(p.Sidecar).start(counted))
	}
	if p.Ztunnel != nil {
		errs = append(errs, player(p.Ztunnel).start(counted))
	}
	return errors.Join(errs...)
}
