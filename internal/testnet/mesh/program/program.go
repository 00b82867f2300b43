//go:build linux

// Package program is what the processes of a mesh run: applications that call each other, sidecars in place of Envoy,
// and a ztunnel.
//
// A process is a worker (package worker). Its first order says what it runs; the others have an application send
// requests, or ask for the counts. Each answer has the counts. The process ends with its input, after a last answer.
//
// Every process counts its connections and their bytes of payload where it calls the kernel: what its reads and writes
// returned. Nothing of netconn is known here, so that the counts can be compared with what netconn reports.
package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/netconn/netconn/internal/testnet/worker"
)

// Variable is set in the environment of a process of a mesh.
const Variable = "NETCONN_MESH_PROGRAM"

// A Role is what a process runs: one of these.
type Role struct {
	App     *App     `json:",omitempty"`
	Sidecar *Sidecar `json:",omitempty"`
	Ztunnel *Ztunnel `json:",omitempty"`
}

// An Order is for a process: to start, which must be the first; to send requests, which only an App can; or, with
// neither, to report.
type Order struct {
	Start *Role `json:",omitempty"`
	Ask   *Ask  `json:",omitempty"`
}

// An Answer has what the process has counted, and why an order failed.
type Answer struct {
	Legs  []Leg
	Error string `json:",omitempty"`
	Last  bool   `json:",omitempty"` // the input has ended
}

// Main runs the orders, and reports whether this process is one of a mesh. A program calls it first of all.
func Main() bool {
	if os.Getenv(Variable) == "" {
		return false
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mesh:", err)
		os.Exit(1)
	}
	return true
}

// serve ends with its input, even in the middle of an order.
func serve(in io.Reader, out io.Writer) error {
	p := &process{count: newCounter()}
	err := worker.Serve(in, out, func(o Order) Answer {
		err := p.execute(o)
		a := Answer{Legs: p.count.legs()}
		if err != nil {
			a.Error = err.Error()
		}
		return a
	})
	return errors.Join(err, json.NewEncoder(out).Encode(Answer{Legs: p.count.legs(), Last: true}))
}

// A process is what runs, and its counts.
type process struct {
	count *counter
	app   *App // nil: it cannot send requests
}

func (p *process) execute(o Order) error {
	switch {
	case o.Start != nil:
		p.app = o.Start.App
		return o.Start.start(p.count)
	case o.Ask != nil && p.app == nil:
		return errors.New("send requests: only an application does")
	case o.Ask != nil:
		return p.app.ask(*o.Ask)
	}
	return nil
}

// start returns when what is to listen listens. Connections are served in the background.
func (r Role) start(count *counter) error {
	var errs []error
	if r.App != nil {
		errs = append(errs, r.App.start(count))
	}
	if r.Sidecar != nil {
		errs = append(errs, r.Sidecar.start(count))
	}
	if r.Ztunnel != nil {
		errs = append(errs, r.Ztunnel.start(count))
	}
	return errors.Join(errs...)
}
