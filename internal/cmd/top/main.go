//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/netconn/netconn/internal/harness"
)

type options struct {
	listen    string        // where the collector's Prometheus page is to be
	telemetry string        // the port of the collector's own metrics, on 127.0.0.1
	netmap    string        // where the collector's network map is to be; empty: it has none
	otlp      string        // where the collector is to take OTLP; empty: nowhere
	interval  time.Duration // between two tables
	rounds    int           // tables to show; 0: until interrupted
	limit     int           // rows of a table; 0: what fits the terminal
	only      []string      // executables whose flows are shown; none: all
	log       string        // the collector's
	program   []string      // the collector and its arguments
}

func main() {
	o, err := parseOptions(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "top:", err)
		os.Exit(1)
	}
}

func parseOptions(args []string, usage io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("top", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.Usage = func() {
		fmt.Fprintln(usage, "usage: top [flags] collector [argument ...]")
		flags.PrintDefaults()
	}
	flags.StringVar(&o.listen, "listen", "127.0.0.1:19464", "`address` of the collector's Prometheus page")
	flags.StringVar(&o.telemetry, "telemetry-port", "19465", "`port` of the collector's own metrics")
	flags.StringVar(&o.netmap, "map", "", "`address` of the collector's network map; empty: it has none")
	flags.StringVar(&o.otlp, "otlp", "", "`address` where the collector takes OTLP; empty: nowhere")
	flags.DurationVar(&o.interval, "interval", 2*time.Second, "time between two tables")
	flags.IntVar(&o.rounds, "rounds", 0, "tables to show; 0: until interrupted")
	flags.IntVar(&o.limit, "rows", 0, "rows of a table; 0: what fits the terminal, else 40")
	flags.Func("only", "executables whose flows are shown, such as `envoy,reviews`; default: all",
		func(list string) error {
			o.only = strings.Split(list, ",")
			return nil
		})
	flags.StringVar(&o.log, "log", "collector.log", "`file` for the collector's log")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	o.program = flags.Args()
	return o, o.validate(flags)
}

func (o options) validate(flags *flag.FlagSet) error {
	var err error
	switch {
	case len(o.program) == 0:
		err = errors.New("no collector to start")
	case o.interval <= 0:
		err = fmt.Errorf("interval: must be more than 0, not %v", o.interval)
	case o.rounds < 0 || o.limit < 0:
		err = errors.New("rounds and rows: must not be negative")
	default:
		return nil
	}
	fmt.Fprintln(flags.Output(), err)
	flags.Usage()
	return err
}

// run shows tables until it is interrupted, the rounds are over or the collector ends.
func run(ctx context.Context, o options, out io.Writer) error {
	_, port, err := net.SplitHostPort(o.listen)
	if err != nil {
		return fmt.Errorf("read -listen: %w", err)
	}
	if err := free("LISTEN", o.listen); err != nil {
		return err
	}
	if err := free("TELEMETRY_PORT", net.JoinHostPort("127.0.0.1", o.telemetry)); err != nil {
		return err
	}
	env := []string{"NETCONN_PROMETHEUS=" + o.listen, "NETCONN_TELEMETRY_PORT=" + o.telemetry}
	note := fmt.Sprintf("Metrics: http://%s/metrics  Log: %s  Ctrl-C ends.", o.listen, o.log)
	if o.netmap != "" {
		if err := free("MAP", o.netmap); err != nil {
			return err
		}
		env = append(env, "NETCONN_MAP="+o.netmap)
		note = fmt.Sprintf("Network map: http://%s/\n%s", o.netmap, note)
	}
	if o.otlp != "" {
		if err := free("OTLP", o.otlp); err != nil {
			return err
		}
		env = append(env, "NETCONN_OTLP="+o.otlp)
	}
	c, err := start(o, env)
	if err != nil {
		return err
	}
	v := &view{
		out:    out,
		fetch:  fetchFrom("http://" + o.listen + "/metrics"),
		note:   note,
		hidden: port,
		only:   o.only,
		limit:  o.limit,
		redraw: isTerminal(out),
	}
	fmt.Fprintf(out, "%s\n\n", v.note)
	return watch(ctx, c, v, o)
}

// start starts the collector in a process group of its own, so that an interrupt of the terminal reaches top alone,
// which stops the collector in order.
func start(o options, env []string) (*harness.Collector, error) {
	command := exec.Command(o.program[0], o.program[1:]...)
	command.Env = append(os.Environ(), env...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return harness.StartCollector(command, o.log)
}

// watch shows a table an interval. While the collector starts there is none, although it may serve an empty page.
func watch(ctx context.Context, c *harness.Collector, v *view, o options) error {
	ready := false
	for shown := 0; o.rounds == 0 || shown < o.rounds; {
		select {
		case <-ctx.Done():
			return c.Stop()
		case <-c.Ended:
			return c.EndError()
		case <-time.After(o.interval):
		}
		if ready = ready || c.Ready(); !ready {
			fmt.Fprintln(v.out, "waiting for the collector to start")
			continue
		}
		switch err := v.show(ctx); {
		case err == nil:
			shown++
		case ctx.Err() == nil:
			fmt.Fprintln(v.out, "waiting for the collector:", err)
		}
	}
	return c.Stop()
}

// free returns an error if another program has the address. Without it, top would read that program's page.
func free(variable, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		_, port, _ := net.SplitHostPort(address)
		n, _ := strconv.Atoi(port)
		return fmt.Errorf("%w; choose another, for instance: make run %s=%s", err, variable, another(variable, n))
	}
	return l.Close()
}

func another(variable string, port int) string {
	next := strconv.Itoa(port%60000 + 1000)
	if variable == "TELEMETRY_PORT" {
		return next
	}
	return "127.0.0.1:" + next
}

// fetchFrom reads a Prometheus page in its text format.
func fetchFrom(url string) func(context.Context) (page, error) {
	client := &http.Client{Timeout: 10 * time.Second}
	return func(ctx context.Context) (page, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return page{}, err
		}
		response, err := client.Do(request)
		if err != nil {
			return page{}, fmt.Errorf("read metrics: %w", err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return page{}, fmt.Errorf("read metrics: %s: %s", url, response.Status)
		}
		p, err := parsePage(response.Body)
		if p.at.IsZero() && len(p.flows) > 0 {
			p.at = time.Now() // an exporter without send_timestamps
		}
		return p, err
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
