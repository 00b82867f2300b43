package netconnreceiver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/memory"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

var errNoBTF = errors.New("the kernel has no type information (BTF): use one that is built with CONFIG_DEBUG_INFO_BTF")

func TestStartRefused(t *testing.T) {
	noHost := "find the host's process table (is root_path the host's root directory?): stat /nowhere/proc/1/stat: " +
		"no such file or directory"
	tests := map[string]struct {
		fault func(*rig)
		mode  ErrorMode
		want  string // error of start
		told  []string
	}{
		"the kernel, propagate": {
			fault: func(r *rig) { r.openErr = errNoBTF }, mode: ErrorModePropagate, want: errNoBTF.Error(),
		},
		"the kernel, ignore": {
			fault: func(r *rig) { r.openErr = errNoBTF }, mode: ErrorModeIgnore,
			told: []string{"No connections are read. " + errNoBTF.Error(), "StatusPermanentError " + errNoBTF.Error()},
		},
		"the root, propagate": {
			fault: func(r *rig) { r.scraper.config.RootPath = "/nowhere" }, mode: ErrorModePropagate, want: noHost,
		},
		"the root, ignore": {
			fault: func(r *rig) { r.scraper.config.RootPath = "/nowhere" }, mode: ErrorModeIgnore,
			told: []string{"No connections are read. " + noHost, "StatusPermanentError " + noHost},
		},
		"another system, where root_path is wrong too": {
			fault: func(r *rig) { r.openErr, r.scraper.config.RootPath = kernel.ErrNotSupported, "/nowhere" },
			mode:  ErrorModePropagate, want: kernel.ErrNotSupported.Error(),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			test.fault(r)
			r.scraper.config.ErrorMode = test.mode
			got := ""
			if err := r.scraper.start(context.Background(), r); err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if diff := cmp.Diff(test.told, r.told()); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if opened := r.openErr == nil; opened != (r.closed == 1) {
				t.Errorf("the sockets, opened: %t, were closed %d times", opened, r.closed)
			}
			md, err := r.scraper.scrape(context.Background())
			if err != nil || md.ResourceMetrics().Len() != 0 {
				t.Errorf("scrape: got %d resources, %v; want nothing", md.ResourceMetrics().Len(), err)
			}
		})
	}
}

// TestStartDegraded goes on without a program and a machine-id, and names both once.
func TestStartDegraded(t *testing.T) {
	r := newRig(t)
	r.hostErr = errors.New("read etc/machine-id: no such file")
	r.sockets.Stats = func() (kernel.Stats, error) {
		return kernel.Stats{Programs: []kernel.Program{{Name: "life"}, {Name: "reset", Err: errNoBTF}}}, nil
	}
	r.start(t)
	reset := "attach reset: " + errNoBTF.Error()
	want := []string{
		"Something is missing. read etc/machine-id: no such file",
		"Something is missing. " + r.noCgroups(t),
		"Something is missing. " + reset,
		"StatusRecoverableError read etc/machine-id: no such file\n" + r.noCgroups(t) + "\n" + reset,
	}
	if diff := cmp.Diff(want, r.told()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Without the right to ask connection tracking everything else works, and the reason is told once.
func TestConnectionTrackingCannotBeAsked(t *testing.T) {
	r := newRig(t)
	r.tablesErr = errors.New("address translation is not resolved: it takes CAP_SYS_ADMIN")
	r.start(t)
	if len(r.events) != 1 || r.events[0].Status() != componentstatus.StatusRecoverableError || !errors.Is(r.events[0].Err(), r.tablesErr) {
		t.Errorf("status: %v", r.events)
	}
	if got := r.logs.FilterField(zap.Error(r.tablesErr)).Len(); got != 1 {
		t.Errorf("told %d times, want once", got)
	}
}

// TestScrapeFails returns what could be read, with an error that the collector counts as partial.
func TestScrapeFails(t *testing.T) {
	broken := errors.New("broken")
	live := func(_ bool, h kernel.Handler) error {
		h.Conn(conn.Conn{
			Socket: conn.Socket{ID: conn.ID{Cookie: 1}, Phase: conn.Failed, Error: conn.Refused, SeenOpening: true},
		})
		return nil
	}
	tests := map[string]struct {
		fault func(*pipeline.Sockets)
		want  string
	}{
		"snapshot": {
			func(s *pipeline.Sockets) {
				s.Snapshot = func(all bool, h kernel.Handler) error { return errors.Join(live(all, h), broken) }
			}, "read the live connections: broken",
		},
		"losses": {
			func(s *pipeline.Sockets) { s.Losses = func() (conn.Losses, error) { return conn.Losses{}, broken } },
			"read what was lost: broken\nread what was lost: broken",
		},
		"stats": {
			func(s *pipeline.Sockets) { s.Stats = func() (kernel.Stats, error) { return kernel.Stats{}, broken } },
			"read the kernel side's counters: broken",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.sockets.Snapshot = live
			test.fault(&r.sockets)
			r.start(t)
			md, err := r.scraper.scrape(context.Background())
			if !scrapererror.IsPartialScrapeError(err) || err.Error() != test.want {
				t.Errorf("got %v, want partial %s", err, test.want)
			}
			if md.ResourceMetrics().Len() != 1 {
				t.Errorf("got %d resources, want the one that was read", md.ResourceMetrics().Len())
			}
		})
	}
}

// TestScrapeLogsFails tells the events that could be read, with an error that the collector counts as partial; nothing
// else fails where a metrics receiver collects.
func TestScrapeLogsFails(t *testing.T) {
	for metrics, want := range map[int]string{0: "read the live connections: broken", 1: ""} {
		r := newRig(t)
		r.scraper.config.Events.Enabled = true
		r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
			h.Conn(conn.Conn{
				Socket: conn.Socket{ID: conn.ID{Cookie: 1}, Phase: conn.Failed, Error: conn.Refused, SeenOpening: true},
			})
			return errors.New("broken")
		}
		start(t, r.scraper)
		r.scraper.run(signalLogs, 1)
		r.scraper.run(signalMetrics, metrics)
		if metrics > 0 {
			_, _ = r.scraper.scrape(context.Background())
		}
		ld, err := r.scraper.scrapeLogs(context.Background())
		if got := fmt.Sprint(err); err != nil && (got != want || !scrapererror.IsPartialScrapeError(err)) || err == nil && want != "" {
			t.Errorf("%d metrics receivers: got %v, want partial %q", metrics, err, want)
		}
		if n := ld.LogRecordCount(); n != 1 {
			t.Errorf("%d metrics receivers: got %d events, want the one that was read", metrics, n)
		}
	}
}

// TestReconcileNeedsAWholePass: what a pass that broke off did not see is still there.
func TestReconcileNeedsAWholePass(t *testing.T) {
	r := newRig(t)
	var passes []bool
	fail := true
	r.sockets.Losses = func() (conn.Losses, error) { return conn.Losses{conn.LostKnown: 1}, nil }
	r.sockets.Snapshot = func(all bool, h kernel.Handler) error {
		passes = append(passes, all)
		if len(passes) == 1 {
			h.Conn(conn.Conn{Socket: conn.Socket{ID: conn.ID{Cookie: 1}, Phase: conn.Open, Role: conn.RoleClient}})
			return nil
		}
		if fail {
			return errors.New("broken")
		}
		return nil
	}
	now := time.Now()
	r.scraper.machine.Now = func() time.Time { now = now.Add(10 * time.Second); return now }
	start(t, r.scraper)
	for range 5 {
		_, _ = r.scraper.scrape(context.Background())
	}
	if got := lostBy(t, r); got != 0 {
		t.Fatalf("broken passes closed %d connections", got)
	}
	fail = false
	for range 4 {
		_, _ = r.scraper.scrape(context.Background())
	}
	if got := lostBy(t, r); got != 1 {
		t.Errorf("whole passes closed %d connections, want 1 (passes: %v)", got, passes)
	}
	if !slices.Contains(passes, true) {
		t.Error("no pass was asked to report every connection")
	}
}

func lostBy(t *testing.T, r *rig) uint64 {
	t.Helper()
	h, err := r.scraper.pipeline.Health()
	if err != nil {
		t.Fatal(err)
	}
	return h.Flows.Lost
}

// TestDrain waits for the reader of every 100 ms to come by, twice with an error that it logs once.
func TestDrain(t *testing.T) {
	r := newRig(t)
	drained := make(chan int)
	n := 0
	r.sockets.Drain = func(h kernel.Handler) error {
		h.Conn(conn.Conn{Socket: conn.Socket{ID: conn.ID{Cookie: 1}, Phase: conn.Closed}})
		n++
		select {
		case drained <- n:
		case <-r.scraper.stop:
		}
		return errors.New("broken")
	}
	r.start(t)
	for <-drained < 3 {
	}
	if err := r.scraper.shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Something is missing. " + r.noCgroups(t),
		"Connections are read at collections only. read the ended connections: broken",
		"StatusRecoverableError " + r.noCgroups(t),
	}
	if diff := cmp.Diff(want, r.told()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShutdown(t *testing.T) {
	shutdown := func(t *testing.T, r *rig) {
		t.Helper()
		if err := r.scraper.shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
	t.Run("without start", func(t *testing.T) {
		r := newRig(t)
		shutdown(t, r)
		if r.closed != 0 {
			t.Errorf("closed %d times what was not opened", r.closed)
		}
	})
	t.Run("twice", func(t *testing.T) {
		r := newRig(t)
		r.start(t)
		shutdown(t, r)
		shutdown(t, r)
		if r.closed != 1 {
			t.Errorf("closed %d times", r.closed)
		}
	})
	t.Run("its error", func(t *testing.T) {
		r := newRig(t)
		broken := errors.New("broken")
		r.sockets.Close = func() error { return broken }
		r.start(t)
		if err := r.scraper.shutdown(context.Background()); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("during a scrape", func(t *testing.T) {
		r := newRig(t)
		reading, read := make(chan struct{}), make(chan struct{})
		r.sockets.Snapshot = func(bool, kernel.Handler) error {
			close(reading)
			<-read
			if r.closed != 0 {
				t.Error("closed while it is read")
			}
			return nil
		}
		r.start(t)
		var scrape sync.WaitGroup
		scrape.Go(func() {
			if _, err := r.scraper.scrape(context.Background()); err != nil {
				t.Error(err)
			}
		})
		<-reading
		var stop sync.WaitGroup
		stop.Go(func() { shutdown(t, r) })
		<-r.scraper.stop
		close(read)
		scrape.Wait()
		stop.Wait()
		if r.closed != 1 {
			t.Errorf("closed %d times", r.closed)
		}
	})
}

// TestTwoReceivers share nothing: each opens and closes its own.
func TestTwoReceivers(t *testing.T) {
	a, b := newRig(t), newRig(t)
	a.start(t)
	b.start(t)
	if err := a.scraper.shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if a.closed != 1 || b.closed != 0 {
		t.Errorf("closed %d and %d times", a.closed, b.closed)
	}
	if _, err := b.scraper.scrape(context.Background()); err != nil {
		t.Error(err)
	}
}

// The default limit of connections depends on the machine's memory, so the log names it. It warns if the configured
// limit does not fit.
func TestCapacityIsLogged(t *testing.T) {
	for configured, want := range map[int]string{0: "", 250_000: "max_connections is 250000"} {
		core, logs := observer.New(zap.InfoLevel)
		set := receivertest.NewNopSettings(metadata.Type)
		set.Logger = zap.New(core)
		r := newRigWith(t, set, logs)
		r.scraper.config.MaxConnections = configured
		r.scraper.machine.Memory = func() memory.Limits { return memory.Limits{Go: memory.Limit{Bytes: 200 << 20, Source: "GOMEMLIMIT"}} }
		r.start(t)
		says := logs.FilterMessage("Connections are followed one by one.").All()
		if len(says) != 1 || says[0].ContextMap()["max_connections"] != int64(max(configured, 102_448)) ||
			says[0].ContextMap()["source"] != "GOMEMLIMIT" {
			t.Errorf("configured %d: %+v", configured, says)
		}
		warned := logs.FilterMessage("Too many connections may be followed.").All()
		if len(warned) != min(1, len(want)) || want != "" && !strings.HasPrefix(warned[0].ContextMap()["error"].(string), want) {
			t.Errorf("configured %d: %+v", configured, warned)
		}
	}
}
