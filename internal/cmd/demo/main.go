//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

// pace is the time from one request to the next.
const pace = 50 * time.Millisecond

// The call that is shown socket by socket.
const (
	caller  = "productpage" // a pod
	service = "reviews"
	called  = "reviews-v3" // a pod
)

type options struct {
	name     string // of the mesh
	down     bool
	markdown bool
	program  []string // top, with its arguments
}

func main() {
	if program.Main() {
		return
	}
	var o options
	flag.StringVar(&o.name, "name", "netconn-demo", "of the mesh; one of a name runs at a time")
	flag.BoolVar(&o.down, "down", false, "end a demo, and remove what it has left")
	flag.BoolVar(&o.markdown, "markdown", false, "print the picture of the README")
	flag.Parse()
	o.program = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out io.Writer) error {
	if o.down {
		return down(o.name)
	}
	if len(o.program) == 0 {
		return errors.New("no program to show the table")
	}
	l, err := take(o.name)
	if err != nil {
		return err
	}
	defer l.release()
	if err := mesh.Sweep(o.name); err != nil { // of one that was killed
		return err
	}
	w, err := newDeployment(o.name)
	if err != nil {
		return err
	}
	return errors.Join(show(ctx, o, w, out), w.Close())
}

// newDeployment makes bookinfo with sidecars, in which connections are kept, so that a socket list has something to
// show.
func newDeployment(name string) (*bookinfo.Deployment, error) {
	rules, err := mesh.FamilyNamed(mesh.Own(), "sidecar-redirect.nft")
	if err != nil {
		return nil, err
	}
	return bookinfo.New(bookinfo.Options{Mesh: mesh.Options{Name: name}, Rules: &rules, Keep: true})
}

// show sends requests, and shows both pictures, until it is interrupted or top ends.
func show(ctx context.Context, o options, w *bookinfo.Deployment, out io.Writer) error {
	t, err := send(w)
	if err != nil {
		return err
	}
	before, err := path(w)
	if err != nil {
		return errors.Join(err, t.end())
	}
	s := &screen{out: out, markdown: o.markdown, wanted: rowsOf(w, before)}
	s.begin(w, before)
	topErr := s.table(ctx, o.program)
	if err := errors.Join(topErr, t.end()); err != nil {
		return err
	}
	return s.end(w, before, t)
}

// A traffic is requests that a client sends, one after the other.
type traffic struct {
	stop chan struct{}
	err  chan error
	sent int
}

// send starts the client. By the time that it returns, every pod has been called.
func send(w *bookinfo.Deployment) (*traffic, error) {
	const first = 4 // the two reviews are called in turn
	if err := w.Ask(first); err != nil {
		return nil, err
	}
	t := &traffic{stop: make(chan struct{}), err: make(chan error, 1), sent: first}
	go func() {
		for {
			select {
			case <-t.stop:
				t.err <- nil
				return
			case <-time.After(pace):
			}
			if err := w.Ask(1); err != nil {
				t.err <- err
				return
			}
			t.sent++
		}
	}()
	return t, nil
}

// end returns when no request is under way.
func (t *traffic) end() error {
	close(t.stop)
	return <-t.err
}

func path(w *bookinfo.Deployment) ([]bookinfo.ListedSocket, error) {
	return w.Path(caller, service, called)
}
