//go:build linux

package harness_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/harness"
)

// start starts a shell script in place of a collector.
func start(t *testing.T, script string) *harness.Collector {
	t.Helper()
	c, err := harness.StartCollector(exec.Command("sh", "-c", script), filepath.Join(t.TempDir(), "collector.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	return c
}

// A collector that reloads on SIGHUP and takes a moment to be ready, as the real one does.
const reloads = `
	trap 'sleep 0.1; echo "info Everything is ready. Begin running."' HUP
	trap 'echo "Shutdown complete."; exit 0' TERM
	sleep 0.1
	echo "Everything is ready."
	while true; do sleep 0.01; done`

// A collector is waited for at its start and at each reload, and ends in order.
func TestCollector(t *testing.T) {
	c := start(t, reloads)
	if err := c.AwaitReady(); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		if got := strings.Count(c.Log(), "Everything is ready."); got != n+1 {
			t.Errorf("it was ready %d times, want %d", got, n+1)
		}
		if err := c.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
	if want := "Shutdown complete."; c.LastLines(1) != want {
		t.Errorf("its last line is %q, want %q", c.LastLines(1), want)
	}
}

// A collector that ends instead of being ready is an error with its last lines, at the start, at a reload and at the
// end.
func TestCollectorFails(t *testing.T) {
	c := start(t, `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do echo line $i; done; echo "no such receiver" >&2; exit 1`)
	err := c.AwaitReady()
	if err == nil || !strings.Contains(err.Error(), "the collector ended (exit status 1)") || !strings.HasSuffix(err.Error(), "line 13\nno such receiver") {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "line 2\n") || !strings.Contains(err.Error(), "line 3\n") {
		t.Errorf("it does not show the last 12 lines: %v", err)
	}
	c = start(t, `echo "Shutdown complete."; printf 'Error: two faults:\nthe first\nthe second\n'; exit 1`)
	if err := c.AwaitReady(); err == nil || !strings.HasSuffix(err.Error(), " is:\n\nError: two faults:\nthe first\nthe second") {
		t.Errorf("with an error of its own: %v", err)
	}
	c = start(t, `trap 'echo "no such exporter"; exit 2' HUP; echo "Everything is ready."; while true; do sleep 0.01; done`)
	if err := c.AwaitReady(); err != nil {
		t.Fatal(err)
	}
	if err := c.Reload(); err == nil || !strings.Contains(err.Error(), "(exit status 2)") {
		t.Errorf("reload: %v", err)
	}
	if err := c.Stop(); err == nil || !strings.Contains(err.Error(), "exit status 2\nEverything is ready.\nno such exporter") {
		t.Errorf("stop: %v", err)
	}
}

func TestStartCollectorFails(t *testing.T) {
	log := filepath.Join(t.TempDir(), "collector.log")
	if _, err := harness.StartCollector(exec.Command("/nonexistent"), log); err == nil || !strings.HasPrefix(err.Error(), "start the collector: ") {
		t.Errorf("a program that does not exist: %v", err)
	}
	if _, err := harness.StartCollector(exec.Command("true"), "/nonexistent/log"); err == nil || !strings.HasPrefix(err.Error(), "create the collector's log: ") {
		t.Errorf("a log that cannot be: %v", err)
	}
}

// A log that is gone is no empty log.
func TestLogIsGone(t *testing.T) {
	log := filepath.Join(t.TempDir(), "collector.log")
	c, err := harness.StartCollector(exec.Command("true"), log)
	if err != nil {
		t.Fatal(err)
	}
	<-c.Ended
	if err := os.Remove(log); err != nil {
		t.Fatal(err)
	}
	if got := c.Log(); !strings.Contains(got, "read the collector's log: ") {
		t.Errorf("got %q", got)
	}
}

func TestUntil(t *testing.T) {
	asked := 0
	if err := harness.Until(time.Minute, "the third time", func() bool { asked++; return asked == 3 }); err != nil || asked != 3 {
		t.Errorf("asked %d times: %v", asked, err)
	}
	err := harness.Until(20*time.Millisecond, "nothing", func() bool { return false })
	if err == nil || err.Error() != "wait for nothing: not within 20ms" {
		t.Errorf("got %v", err)
	}
}
