//go:build linux

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/netconn/netconn/internal/bench/host"
	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/bench/soak"
	"github.com/netconn/netconn/internal/testnet/worker"
)

// A bench is one run: what it measures, how much of it, and what it found.
type bench struct {
	scale
	program  string // path of the distribution
	dir      string // of temporary files
	load     string // path of this program, under the name of the traffic's executable
	profiles string // directory for profiles of the collector; empty: none
	progress io.Writer

	tables []*report.Table
	goals  []report.Goal
}

// A scale is how much is measured.
type scale struct {
	pairs      int           // of samples, with a variant and without
	slice      time.Duration // of a sample
	cores      int           // that have load
	churn      time.Duration // how long connections are opened and closed
	rates      []int         // of these, a second; 0: as many as there can be
	idle       time.Duration // how long nothing happens; two collections of the default interval
	sockets    []int         // that are open and idle; two are a connection with both ends on this host
	natRate    int           // connections a second that are translated
	namespaces int           // that are known while nothing happens in them
	interval   time.Duration // of the collections in all parts but the data path's
}

func fullScale() scale {
	return scale{
		pairs: 20, slice: 500 * time.Millisecond, cores: runtime.NumCPU(),
		churn: 10 * time.Second, rates: []int{2_000, 10_000, 0},
		idle: 20 * time.Second, sockets: []int{10_000, 100_000, 200_000},
		natRate: 10_000, namespaces: 200,
		interval: 10 * time.Second, // netconn's default
	}
}

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "load":
		err = load.Main(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "soak":
		err = runSoak(os.Args[1:], os.Stdout, os.Stderr)
	default:
		err = run(os.Args[1:], os.Stdout, os.Stderr)
	}
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// runSoak writes the tables of a soak below what they were measured on.
func runSoak(arguments []string, out, progress io.Writer) error {
	var tables bytes.Buffer
	err := soak.Run(arguments[1:], &tables, progress)
	if tables.Len() > 0 {
		describe(out, "make soak", arguments)
		_, writeErr := tables.WriteTo(out)
		err = errors.Join(err, writeErr)
	}
	return err
}

// describe writes what the tables were measured on, and with what command.
func describe(w io.Writer, target string, arguments []string) {
	fmt.Fprintf(w, "Measured on: %s.\n\nCommand: `%s` (`bench %s`).\n\n", host.Describe(), target,
		strings.Join(arguments, " "))
}

// A part can be measured alone.
type part struct {
	name string
	run  func() error
}

// parts are all of them, in the order in which they are measured.
func (b *bench) parts() []part {
	return []part{
		{"churn", b.dataPath(churn)}, {"request", b.dataPath(request)}, {"bulk", b.dataPath(bulk)},
		{"bpf", b.bpf}, {"live", b.live}, {"cost", b.cost}, {"nat", b.nat}, {"ring", b.ring}, {"packages", b.packages},
	}
}

func (b *bench) names() string {
	var names []string
	for _, p := range b.parts() {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

func run(arguments []string, out, progress io.Writer) error {
	b := &bench{scale: fullScale(), progress: progress}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(progress)
	chosen := flags.String("part", "", "comma-separated `parts`: "+b.names()+"; default: all")
	flags.IntVar(&b.pairs, "pairs", b.pairs, "pairs of samples, with and without")
	flags.DurationVar(&b.slice, "slice", b.slice, "length of a sample")
	flags.IntVar(&b.cores, "cores", b.cores, "cores that have load; with all of them, the collector has none of "+
		"its own")
	flags.StringVar(&b.profiles, "profiles", "", "`directory` for profiles of the collector at 10,000 connections "+
		"a second")
	flags.Usage = func() {
		fmt.Fprintln(progress, "usage: bench [flags] distribution\n       bench soak [flags] distribution")
		flags.PrintDefaults()
	}
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() != 1 || b.pairs < 2 || b.slice <= 0 || b.cores < 1 || b.cores > runtime.NumCPU() {
		flags.Usage()
		return errors.New("read arguments: want one distribution, at least 2 pairs, samples longer than 0, cores " +
			"that exist")
	}
	b.program = flags.Arg(0)
	err := b.measureParts(*chosen)
	if len(b.tables) > 0 {
		describe(out, "make bench", arguments)
		b.write(out)
	}
	return err
}

// measureParts runs the chosen parts; none chosen: all. After one that fails, it runs the others.
func (b *bench) measureParts(chosen string) (err error) {
	wanted := strings.FieldsFunc(chosen, func(r rune) bool { return r == ',' || r == ' ' })
	for _, name := range wanted {
		if !slices.ContainsFunc(b.parts(), func(p part) bool { return p.name == name }) {
			return fmt.Errorf("read parts: no part is named %s; there are %s", name, b.names())
		}
	}
	if b.dir, err = os.MkdirTemp("", "netconn-bench-"); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.nameLoad(); err != nil {
		return err
	}
	for _, p := range b.parts() {
		if len(wanted) > 0 && !slices.Contains(wanted, p.name) {
			continue
		}
		goals := len(b.goals)
		if failed := p.run(); failed != nil {
			b.goals = b.goals[:goals] // figures of half a part would be read as the whole
			err = errors.Join(err, fmt.Errorf("%s: %w", p.name, failed))
		}
	}
	return err
}

// nameLoad makes the executable of the traffic. Its name is unique: the collector reports the whole host.
func (b *bench) nameLoad() (err error) {
	b.load, err = worker.Executable(b.dir, fmt.Sprintf("netconn-load-%d", os.Getpid()))
	return err
}

// loadName returns the name of that executable.
func (b *bench) loadName() string { return filepath.Base(b.load) }

// write writes the goals and the tables.
func (b *bench) write(out io.Writer) {
	if len(b.goals) > 0 {
		report.GoalTable(b.goals).Write(out)
	}
	for _, t := range b.tables {
		t.Write(out)
	}
}

// say shows what is measured now. The figures come at the end.
func (b *bench) say(format string, arguments ...any) {
	fmt.Fprintf(b.progress, time.Now().Format("15:04:05 ")+format+"\n", arguments...)
}
