//go:build linux

package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/testnet/worker"
)

// A bench is one run: what it was told, and what it found.
type bench struct {
	program  string // the distribution
	dir      string // of temporary files
	load     string // this program, under the name that its traffic is known by
	profiles string // directory for the collector's profiles; empty: none
	pairs    int
	slice    time.Duration
	cores    int // that have load
	progress io.Writer

	tables []*table
	goals  []goal
}

// nameLoad makes the executable that the traffic belongs to, with a name that no other run has: the whole machine is reported.
func (b *bench) nameLoad() (err error) {
	b.load, err = worker.Executable(b.dir, fmt.Sprintf("netconn-load-%d", os.Getpid()))
	return err
}

// loadName returns the name of that executable.
func (b *bench) loadName() string { return filepath.Base(b.load) }

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "load":
		err = load.Main(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "soak":
		err = runSoak(os.Args[2:])
	default:
		err = run(os.Args[1:])
	}
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A part is what can be measured alone.
type part struct {
	name string
	run  func() error
}

// parts are all of them, in the order in which they are measured.
func (b *bench) parts() []part {
	return []part{
		{"churn", b.path(churn)}, {"request", b.path(request)}, {"bulk", b.path(bulk)},
		{"bpf", b.bpf}, {"live", b.live}, {"cost", b.cost}, {"nat", b.nat}, {"ring", b.ring}, {"packages", b.packages},
	}
}

func run(arguments []string) error {
	b := &bench{progress: os.Stderr}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	chosen := flags.String("part", "", "comma-separated `parts`: churn, request, bulk, bpf, live, cost, nat, ring, packages; default: all")
	flags.IntVar(&b.pairs, "pairs", 20, "of slices, with and without")
	flags.DurationVar(&b.slice, "slice", 500*time.Millisecond, "length of a slice")
	flags.IntVar(&b.cores, "cores", runtime.NumCPU(), "that have load; with all of them, the collector has none of its own")
	flags.StringVar(&b.profiles, "profiles", "", "`directory` for profiles of the collector at 10,000 connections a second")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: bench [flags] distribution\n       bench soak [flags] distribution")
		flags.PrintDefaults()
	}
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 1 || b.pairs < 2 || b.slice <= 0 || b.cores < 1 || b.cores > runtime.NumCPU() {
		flags.Usage()
		return errors.New("read arguments: want one distribution, at least 2 pairs, a slice longer than 0, cores that there are")
	}
	b.program = flags.Arg(0)
	if err := b.choose(*chosen); err != nil {
		return err
	}
	describe(os.Stdout, "make bench", arguments)
	if len(b.goals) > 0 {
		goalTable(b.goals).write(os.Stdout)
	}
	for _, t := range b.tables {
		t.write(os.Stdout)
	}
	return nil
}

// describe writes what the tables were measured on, and with what.
func describe(w io.Writer, target string, arguments []string) {
	fmt.Fprintf(w, "Measured on: %s.\n\nCommand: `%s` (`bench %s`).\n\n", describeMachine(), target, strings.Join(arguments, " "))
}

// choose runs the chosen parts.
func (b *bench) choose(chosen string) (err error) {
	if b.dir, err = os.MkdirTemp("", "netconn-bench-"); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.nameLoad(); err != nil {
		return err
	}
	wanted := strings.FieldsFunc(chosen, func(r rune) bool { return r == ',' || r == ' ' })
	for _, p := range b.parts() {
		if i := slices.Index(wanted, p.name); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
		} else if chosen != "" {
			continue
		}
		if err := p.run(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if len(wanted) > 0 {
		return fmt.Errorf("read parts: there is no %s", strings.Join(wanted, ", "))
	}
	return nil
}

// say tells what is going on: figures come at the end.
func (b *bench) say(format string, arguments ...any) {
	fmt.Fprintf(b.progress, time.Now().Format("15:04:05 ")+format+"\n", arguments...)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
