//go:build linux

package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Serve is the worker's side: it answers each order of the input until the input ends, even in the middle of an order.
// Orders are executed one after the other. An input that is not JSON is an error.
func Serve[O, A any](in io.Reader, out io.Writer, execute func(O) A) error {
	orders, ended := make(chan O), make(chan error, 1)
	go func() { ended <- read(in, orders) }()
	answers := json.NewEncoder(out)
	for {
		done := make(chan A, 1)
		select {
		case o := <-orders:
			go func() { done <- execute(o) }()
		case err := <-ended:
			return err
		}
		select {
		case a := <-done:
			if err := answers.Encode(a); err != nil {
				return fmt.Errorf("answer an order: %w", err)
			}
		case err := <-ended:
			return err
		}
	}
}

// read passes orders on until the input ends.
func read[O any](in io.Reader, orders chan<- O) error {
	for decoder := json.NewDecoder(in); ; {
		var o O
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		orders <- o
	}
}
