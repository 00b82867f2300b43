//go:build linux

package soak

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/bench/load"
	"github.com/netconn/netconn/internal/bench/totals"
	"github.com/netconn/netconn/internal/harness/otlp"
)

// export returns the points of a container that has these sums.
func export(container string, sums totals.Sums) (points []otlp.Point) {
	add := func(metric, direction string, value int64) {
		points = append(points, otlp.Point{
			Resource: map[string]string{"container.id": container}, Metric: metric, Start: time.Unix(1, 0), Value: value,
			Attributes: map[string]string{"network.io.direction": direction},
		})
	}
	add("netconn.attempts", "", sums.Attempts)
	add("netconn.closed", "", sums.Closed)
	add("netconn.active", "", sums.Active)
	add("netconn.io", "transmit", sums.Sent)
	add("netconn.io", "receive", sums.Received)
	return points
}

// idleSoak returns a soak of one client and one server that have done their work, and what they have done.
func idleSoak() (s *soak, did totals.Sums, progress *strings.Builder) {
	progress = &strings.Builder{}
	s = &soak{totals: totals.New(), progress: progress}
	s.clients = pods{ids: map[string]bool{"c": true}, all: []*pod{{done: load.Report{Connections: 9, Sent: 700, Received: 30}}}}
	s.servers = pods{ids: map[string]bool{"s": true}}
	return s, done(s.clients.all, 2), progress
}

// export adds an export of both sides every few milliseconds, the last one again and again, until the test ends.
func (s *soak) export(t *testing.T, exports ...[]otlp.Point) {
	t.Helper()
	ended := make(chan struct{})
	stopped := make(chan struct{})
	t.Cleanup(func() { close(ended); <-stopped })
	go func() {
		defer close(stopped)
		for {
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
			}
			s.totals.Add(exports[0])
			if len(exports) > 1 {
				exports = exports[1:]
			}
		}
	}()
}

// A checkpoint waits for the reports of both sides, and takes the complete ones.
func TestCheckpointWaits(t *testing.T) {
	s, did, progress := idleSoak()
	none := export("c", totals.Sums{Attempts: 1})
	servers := export("s", atServer(did))
	s.export(t, none, append(none, servers...), append(export("c", did), export("s", totals.Sums{})...), append(export("c", did), servers...))
	s.check("epoch 1", 2)
	want := checkpoint{name: "epoch 1", done: did, clients: did, servers: atServer(did)}
	if diff := cmp.Diff([]checkpoint{want}, s.checkpoints, cmp.AllowUnexported(checkpoint{})); diff != "" {
		t.Errorf("checkpoints (-want +got):\n%s", diff)
	}
	if text := progress.String(); !strings.HasSuffix(text, " epoch 1: 9 connections, 700 bytes sent by clients; nothing is missing\n") {
		t.Errorf("progress: %q", text)
	}
}

// After ten collections a checkpoint has what there is, and names what is missing.
func TestCheckpointGivesUp(t *testing.T) {
	s, did, progress := idleSoak()
	less := atServer(did)
	less.Received--
	s.export(t, append(export("c", did), export("s", less)...))
	s.check("the end", 2)
	if n := s.totals.Exports(); n < 10 {
		t.Errorf("it waited for %d collections", n)
	}
	want := "compare bytes received by servers at the end: 700 were done, 699 are reported, 0 are in overflow"
	if err := s.checkpoints[0].check(); err == nil || err.Error() != want || !strings.Contains(progress.String(), want) {
		t.Errorf("got %v and %q", err, progress)
	}
}

// Two collections have arrived when the wait for them ends: one of them began after it.
func TestAwaitExports(t *testing.T) {
	s, did, _ := idleSoak()
	s.totals.Add(nil)
	s.export(t, export("c", did))
	if err := s.awaitExports(); err != nil || s.totals.Exports() < 3 {
		t.Errorf("%d collections, %v", s.totals.Exports(), err)
	}
}

// If the collector cannot be started, that is an error, and there is no collector to stop.
func TestStartCollectorFails(t *testing.T) {
	s := &soak{options: options{program: "/nonexistent"}, dir: t.TempDir(), totals: totals.New(), sink: &otlp.Server{}}
	if err := s.startCollector(); !errors.Is(err, fs.ErrNotExist) || s.collector != nil {
		t.Errorf("got %v, and the collector %v", err, s.collector)
	}
}

// A soak that was not prepared has no process to end, and close is no error.
func TestCloseOfNothing(t *testing.T) {
	s := &soak{dir: t.TempDir()}
	for range 2 {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its directory: %v", err)
	}
}
