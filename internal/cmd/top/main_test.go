//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test's own program plays the collector when this variable names the page that it is to serve. It ends by itself
// when the page is "crash".
const pageVariable = "NETCONN_TOP_TEST_PAGE"

func TestMain(m *testing.M) {
	if path := os.Getenv(pageVariable); path != "" {
		os.Exit(collect(path))
	}
	os.Exit(m.Run())
}

func collect(path string) int {
	if path == "crash" {
		for line := range 20 {
			fmt.Fprintf(os.Stderr, "line %d\n", line)
		}
		return 3
	}
	go http.ListenAndServe(os.Getenv("NETCONN_PROMETHEUS"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, path)
	}))
	time.Sleep(100 * time.Millisecond) // The page is there before the receivers, and before SIGTERM ends the collector in order.
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	fmt.Fprintln(os.Stderr, "Everything is ready.")
	<-terminated
	fmt.Fprintln(os.Stderr, "shutdown complete, telemetry was on", os.Getenv("NETCONN_TELEMETRY_PORT"))
	return 0
}

// asked returns options that start the test's own program as the collector, on ports that are free.
func asked(t *testing.T, page string) options {
	t.Helper()
	t.Setenv(pageVariable, page)
	_, telemetry, _ := net.SplitHostPort(freeAddress(t))
	return options{
		listen:    freeAddress(t),
		telemetry: telemetry,
		interval:  10 * time.Millisecond,
		rounds:    2,
		log:       filepath.Join(t.TempDir(), "collector.log"),
		program:   []string{os.Args[0]},
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRunShowsTablesAndStopsTheCollector(t *testing.T) {
	o := asked(t, "testdata/first/now.txt")
	var out bytes.Buffer
	if err := run(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "OWNER"); n != 2 {
		t.Errorf("%d tables, want 2:\n%s", n, &out)
	}
	if !strings.HasPrefix(out.String(), "Metrics: http://"+o.listen+"/metrics  Log: "+o.log) {
		t.Errorf("output does not begin with where metrics and log are:\n%s", &out)
	}
	want := "Everything is ready.\nshutdown complete, telemetry was on " + o.telemetry + "\n"
	if diff := cmp.Diff(want, read(t, o.log)); diff != "" {
		t.Errorf("log of the collector (-want +got):\n%s", diff)
	}
}

func TestRunInterrupted(t *testing.T) {
	o := asked(t, "testdata/first/now.txt")
	o.rounds = 0
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out := writerFunc(func(b []byte) (int, error) {
		if bytes.Contains(b, []byte("OWNER")) {
			interrupt()
		}
		return len(b), nil
	})
	if err := run(ctx, o, out); err != nil {
		t.Fatal(err)
	}
	if log := read(t, o.log); !strings.Contains(log, "shutdown complete") {
		t.Errorf("the collector was not asked to end; its log: %q", log)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestRunExplainsWhyTheCollectorEnded(t *testing.T) {
	o := asked(t, "crash")
	err := run(t.Context(), o, io.Discard)
	want := "the collector ended (exit status 3); the end of " + o.log + " is:\n\n"
	for line := 8; line < 20; line++ {
		want += fmt.Sprintf("line %d\n", line)
	}
	if err == nil || strings.TrimRight(err.Error(), "\n") != strings.TrimRight(want, "\n") {
		t.Errorf("error (-want +got):\n%s", cmp.Diff(want, fmt.Sprint(err)))
	}
}

func TestRunRefusesAnAddressThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())

	page := asked(t, "testdata/first/now.txt")
	page.listen = l.Addr().String()
	own := asked(t, "testdata/first/now.txt")
	own.telemetry = port
	for variable, o := range map[string]options{"LISTEN": page, "TELEMETRY_PORT": own} {
		err := run(t.Context(), o, io.Discard)
		if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "make run "+variable+"=") {
			t.Errorf("%s: error %v", variable, err)
		}
		if _, err := os.Stat(o.log); err == nil {
			t.Errorf("%s: the collector was started all the same", variable)
		}
	}
}

func TestRunWithoutACollector(t *testing.T) {
	o := asked(t, "crash")
	o.program = []string{filepath.Join(t.TempDir(), "none")}
	if err := run(t.Context(), o, io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error: %v", err)
	}
}

func TestParseOptions(t *testing.T) {
	got, err := parseOptions([]string{"-listen", "127.0.0.1:1", "-rounds", "2", "otelcol", "--config", "c.yaml"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := options{
		listen: "127.0.0.1:1", telemetry: "19465", interval: 2 * time.Second, rounds: 2, log: "collector.log",
		program: []string{"otelcol", "--config", "c.yaml"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(options{})); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	for _, args := range [][]string{
		{}, {"-interval", "0s", "otelcol"}, {"-rounds", "-1", "otelcol"}, {"-rows", "-1", "otelcol"}, {"-nothing", "otelcol"},
	} {
		var usage bytes.Buffer
		if _, err := parseOptions(args, &usage); err == nil || !strings.Contains(usage.String(), "usage: top") {
			t.Errorf("%q: error %v, usage %q", args, err, &usage)
		}
	}
}

// A page that is no page is an error that says so, and top goes on waiting for one.
func TestFetch(t *testing.T) {
	status, text := http.StatusOK, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}))
	defer server.Close()
	fetch := fetchFrom(server.URL)
	status = http.StatusNotFound
	if _, err := fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "404 Not Found") {
		t.Errorf("status 404: %v", err)
	}
	status, text = http.StatusOK, "<html>\n"
	if _, err := fetch(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "parse metrics: ") {
		t.Errorf("no page: %v", err)
	}
	text = "# TYPE netconn_active gauge\nnetconn_active{host_name=\"vm\"} 3\n"
	before := time.Now()
	p, err := fetch(t.Context())
	if err != nil || p.at.Before(before) || p.host != "vm" {
		t.Errorf("a page without timestamps is of %v, %v", p.at, err)
	}
	text = ""
	if p, err := fetch(t.Context()); err != nil || !p.at.IsZero() {
		t.Errorf("a page without flows is of %v, %v", p.at, err)
	}
	server.Close()
	if _, err := fetch(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "read metrics: ") {
		t.Errorf("no server: %v", err)
	}
}

func TestAnother(t *testing.T) {
	for _, c := range []struct {
		variable string
		port     int
		want     string
	}{
		{"LISTEN", 19464, "127.0.0.1:20464"}, {"MAP", 19466, "127.0.0.1:20466"}, {"OTLP", 19467, "127.0.0.1:20467"}, {"TELEMETRY_PORT", 19465, "20465"},
		{"LISTEN", 60000, "127.0.0.1:1000"}, {"LISTEN", 65535, "127.0.0.1:6535"},
	} {
		if got := another(c.variable, c.port); got != c.want {
			t.Errorf("%s %d: %s, want %s", c.variable, c.port, got, c.want)
		}
	}
}

// The network map has a line above the table, and its address must be free too.
func TestRunWithTheMap(t *testing.T) {
	o := asked(t, "testdata/first/now.txt")
	o.netmap, o.otlp = freeAddress(t), freeAddress(t)
	var out bytes.Buffer
	if err := run(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "Network map: http://"+o.netmap+"/\nMetrics: ") {
		t.Errorf("output begins with\n%.200s", &out)
	}
	l, err := net.Listen("tcp", o.netmap)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := run(t.Context(), o, io.Discard); err == nil || !strings.Contains(err.Error(), "make run MAP=") {
		t.Errorf("an address that is taken: %v", err)
	}
	o.netmap, o.otlp = freeAddress(t), o.netmap
	if err := run(t.Context(), o, io.Discard); err == nil || !strings.Contains(err.Error(), "make run OTLP=") {
		t.Errorf("an address of OTLP that is taken: %v", err)
	}
}

func TestListenThatIsNoAddress(t *testing.T) {
	o := asked(t, "crash")
	o.listen = "19464"
	if err := run(t.Context(), o, io.Discard); err == nil || !strings.HasPrefix(err.Error(), "read -listen: ") {
		t.Errorf("error: %v", err)
	}
}

func TestOnly(t *testing.T) {
	o, err := parseOptions([]string{"-only", "envoy,reviews", "-rows", "7", "-map", "127.0.0.1:2", "otelcol"}, io.Discard)
	if err != nil || !slices.Equal(o.only, []string{"envoy", "reviews"}) || o.limit != 7 || o.netmap != "127.0.0.1:2" {
		t.Errorf("got %+v, %v", o, err)
	}
}
