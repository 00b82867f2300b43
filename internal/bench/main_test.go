//go:build linux

package main

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/bench/load"
)

// TestMain lets the test binary be the load, as the program itself can be.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "load" {
		if err := load.Main(os.Args[2:]); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// newBench returns one whose load is the test binary.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), pairs: 2, cores: 1, slice: 20 * time.Millisecond, progress: io.Discard}
	if err := b.nameLoad(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestChooseParts(t *testing.T) {
	for name, c := range map[string]struct{ chosen, want string }{
		"one that there is not":           {"lunch", "read parts: there is no lunch"},
		"one that there is not among two": {"bulk, lunch", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.program = "/nonexistent"
			err := b.choose(c.chosen)
			if err == nil || c.want != "" && err.Error() != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestRunRefusesArguments(t *testing.T) {
	for name, arguments := range map[string][]string{
		"no distribution": {}, "two distributions": {"a", "b"}, "one pair": {"-pairs", "1", "a"}, "no time": {"-slice", "0s", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			if run(arguments) == nil {
				t.Error("they were taken")
			}
		})
	}
	for name, arguments := range map[string][]string{
		"no distribution": {}, "a moment": {"-duration", "1s", "a"}, "no connections": {"-rate", "0", "a"},
	} {
		t.Run("soak, "+name, func(t *testing.T) {
			if runSoak(arguments) == nil {
				t.Error("they were taken")
			}
		})
	}
}
