//go:build linux

package collector

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
)

// serving returns a collector that is a server in this process, with the pages by their paths.
func serving(t *testing.T, pages map[string]string) *Collector {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, found := pages[r.URL.RequestURI()]
		if !found {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(s.Close)
	address := strings.TrimPrefix(s.URL, "http://")
	return &Collector{profiles: address, telemetry: address}
}

// The live heap and the goroutines are read from the profiles, the heap after a garbage collection.
func TestProfiles(t *testing.T) {
	c := serving(t, map[string]string{
		"/debug/pprof/heap?gc=1&debug=1": "heap profile: 1: 2 [3: 4] @ heap/1048576\n# HeapSys = 9\n# HeapAlloc = 4711\n",
		"/debug/pprof/goroutine?debug=1": "goroutine profile: total 23\n1 @ 0x1\n",
		"/debug/pprof/profile?seconds=1": "\x1f\x8b not text",
		"/debug/pprof/heap?debug=1":      "# HeapAlloc = 99\n",
		"/metrics":                       "otelcol_netconn_lost_total{kind=\"close\"} 3\notelcol_netconn_lost_total{kind=\"sent\"} 4\n",
	})
	if n, err := c.Heap(); err != nil || n != 4711 {
		t.Errorf("heap %d, %v", n, err)
	}
	if n, err := c.Goroutines(); err != nil || n != 23 {
		t.Errorf("%d goroutines, %v", n, err)
	}
	for name, want := range map[string]float64{"otelcol_netconn_lost": 7, "otelcol_netconn": 0} {
		if got, err := c.Health(name); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "cpu.pprof")
	if err := c.Profile("profile?seconds=1", path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "\x1f\x8b not text" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

// A page that is not there is an error that names it, and writes no file. A page without the figure is one too.
func TestProfilesFail(t *testing.T) {
	c := serving(t, map[string]string{"/debug/pprof/goroutine?debug=1": "no profile\n"})
	path := filepath.Join(t.TempDir(), "cpu.pprof")
	other := serving(t, map[string]string{"/debug/pprof/allocs": "x"})
	_, heap := c.Heap()
	_, goroutines := c.Goroutines()
	_, health := c.Health("lost")
	for want, err := range map[string]error{
		"read profile heap?gc=1&debug=1: 404 Not Found":                        heap,
		"find field goroutine profile: total: file does not exist":             goroutines,
		"read the collector's own metrics: 404 Not Found":                      health,
		"read profile allocs: 404 Not Found":                                   c.Profile("allocs", path),
		"open " + filepath.Dir(path) + "/no/folder: no such file or directory": other.Profile("allocs", filepath.Dir(path)+"/no/folder"),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written: %v", err)
	}
}

// A process that does not exist has no objects; one that loaded none has none of them.
func TestBPFOfOtherProcesses(t *testing.T) {
	if o, err := BPF(1 << 22); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no process: %+v, %v", o, err)
	}
	o, err := BPF(os.Getpid())
	if diff := cmp.Diff(Objects{}, o); err != nil || diff != "" {
		t.Errorf("this process (-want +got):\n%s%v", diff, err)
	}
}

// A descriptor without BPF is none, and an object that lacks its statistics has none.
func TestParseObjectsWithoutFields(t *testing.T) {
	got := parseObjects([]string{"", "prog_id:\t7\n", "prog_id:\tx\n", "map_id:\t7\n", "map_id:\t7\n", "link_id:\t7\nmap_id:\t8\n"})
	if diff := cmp.Diff(Objects{Programs: []ProgramTime{{ID: 7}}, Maps: 1, Links: 1}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An address that is none is an error before anything is started.
func TestConfigureFails(t *testing.T) {
	if text, err := configure(Options{}, "127.0.0.1:2", "localhost:3"); err == nil || !strings.HasPrefix(err.Error(), "read address: ") {
		t.Errorf("got %q, %v", text, err)
	}
}

// The error for a program that is not loaded names its id.
func TestNameOfNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("BPF programs need root"))
	}
	if name, err := Name(1<<32 - 1); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "open program 4294967295: ") {
		t.Errorf("got %q, %v", name, err)
	}
}

// While statistics are on, the kernel times programs; a second descriptor keeps them on.
func TestStatistics(t *testing.T) {
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("BPF programs need root"))
	}
	first, err := Statistics()
	if err != nil {
		t.Fatal(err)
	}
	second, err := Statistics()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Close(), second.Close()); err != nil {
		t.Error(err)
	}
}
