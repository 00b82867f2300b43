//go:build linux

// Package actor is what the processes of a mesh do: applications that call each other, sidecars that stand in for
// Envoy, and a ztunnel.
//
// A process plays one part. It takes orders on its standard input, a JSON object a line, and answers each with one;
// the first order says which part. It ends with its input, after a last report, so it never outlives the program that
// started it.
//
// Every process counts what it does, connection by connection and to the byte of payload, where it calls the kernel:
// what its reads and writes returned. Nothing of netconn is known here.
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

// An Order is what a process is told to do: to play a part, which must be the first; to ask, which only an App can;
// or, with neither, to report.
type Order struct {
	Play *Part `json:",omitempty"`
	Ask  *Ask  `json:",omitempty"`
}

// An Answer tells what the process has counted, and why an order could not be done.
type Answer struct {
	Legs  []Leg
	Error string `json:",omitempty"`
	Last  bool   `json:",omitempty"` // the input has ended
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

// perform ends with its input, even in the middle of an order.
func perform(in io.Reader, out io.Writer) error {
	orders, ended := make(chan Order), make(chan error, 1)
	go func() { ended <- read(in, orders) }()
	answers, counted := json.NewEncoder(out), newLedger()
	var app *App
	for {
		done := make(chan error, 1)
		select {
		case o := <-orders:
			go func() { done <- o.do(&app, counted) }()
		case err := <-ended:
			return errors.Join(err, answers.Encode(Answer{Legs: counted.legs(), Last: true}))
		}
		select {
		case err := <-done:
			a := Answer{Legs: counted.legs()}
			if err != nil {
				a.Error = err.Error()
			}
			if err := answers.Encode(a); err != nil {
				return fmt.Errorf("answer: %w", err)
			}
		case err := <-ended:
			return errors.Join(err, answers.Encode(Answer{Legs: counted.legs(), Last: true}))
		}
	}
}

func read(in io.Reader, orders chan<- Order) error {
	for decoder := json.NewDecoder(in); ; {
		var o Order
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		orders <- o
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
