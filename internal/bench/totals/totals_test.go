package totals_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netconn/netconn/internal/bench/totals"
	"github.com/netconn/netconn/internal/harness/otlp"
)

var transmit = map[string]string{"network.io.direction": "transmit"}

// point is one of a host process.
func point(executable, metric string, attributes map[string]string, start, value int64) otlp.Point {
	return otlp.Point{
		Resource: map[string]string{"process.executable.name": executable}, Metric: metric, Attributes: attributes,
		Start: time.Unix(start, 0), Value: value,
	}
}

// addEach adds exports of one point.
func addEach(points ...otlp.Point) *totals.Totals {
	t := totals.New()
	for _, p := range points {
		t.Add([]otlp.Point{p})
	}
	return t
}

func TestSumsOverRestarts(t *testing.T) {
	got := addEach(
		point("app", "netconn.io", transmit, 1, 100),
		point("app", "netconn.io", transmit, 1, 250),
		point("app", "netconn.io", transmit, 5, 30), // a reload: it begins at 0
		point("app", "netconn.io", transmit, 5, 40),
		point("app", "netconn.io", transmit, 9, 3), // a restart
		point("app", "netconn.io", nil, 5, 7),      // the other direction
		point("app", "netconn.active", nil, 5, 12),
		point("other", "netconn.io", transmit, 1, 1000),
		point("app", "netconn.attempts", nil, 5, 3),
		point("app", "netconn.closed", nil, 5, 2),
		point("app", "netconn.listen.drops", nil, 5, 99),
		point("app", "netconn.active", nil, 5, 11),
	)
	want := totals.Sums{Attempts: 3, Closed: 2, Active: 11, Sent: 293, Received: 7}
	if diff := gocmp.Diff(want, got.Sum(totals.Executable("app"))); diff != "" {
		t.Error(diff)
	}
	if got.Exports() != 12 {
		t.Errorf("%d exports", got.Exports())
	}
}

// One export may have many series, of one resource or of several.
func TestOneExport(t *testing.T) {
	got := totals.New()
	got.Add([]otlp.Point{
		point("app", "netconn.io", transmit, 1, 1), point("app", "netconn.io", nil, 1, 2),
		point("app", "netconn.io", map[string]string{"network.io.direction": "transmit", "server.port": "80"}, 1, 4),
		point("app2", "netconn.io", transmit, 1, 8),
	})
	if diff := gocmp.Diff(totals.Sums{Sent: 5, Received: 2}, got.Sum(totals.Executable("app"))); diff != "" || got.Exports() != 1 {
		t.Errorf("%d exports: %s", got.Exports(), diff)
	}
}

// A series that the last export does not have is not active, but keeps its counts.
func TestSilentSeries(t *testing.T) {
	got := addEach(point("app", "netconn.active", nil, 1, 5), point("app", "netconn.closed", nil, 1, 5))
	for range 2 {
		if diff := gocmp.Diff(totals.Sums{Closed: 5}, got.Sum(totals.Executable("app"))); diff != "" {
			t.Error(diff)
		}
		got.Add(nil)
	}
}

func TestAll(t *testing.T) {
	all := addEach(point("b", "netconn.io", transmit, 1, 5), point("a", "netconn.active", nil, 1, 4)).All()
	slices.SortFunc(all, func(x, y totals.Series) int { return cmp.Compare(x.Metric, y.Metric) })
	want := []totals.Series{
		{Resource: map[string]string{"process.executable.name": "a"}, Metric: "netconn.active", Total: 4, Latest: 4},
		{Resource: map[string]string{"process.executable.name": "b"}, Metric: "netconn.io", Attributes: transmit, Total: 5},
	}
	if diff := gocmp.Diff(want, all, cmpopts.IgnoreUnexported(totals.Series{})); diff != "" {
		t.Error(diff)
	}
}

func TestSelection(t *testing.T) {
	overflow := map[string]string{"otel.metric.overflow": "true"}
	container := totals.Series{Resource: map[string]string{"process.executable.name": "app", "container.id": "c"}}
	all := map[string]totals.Series{
		"container":             container,
		"host":                  {Resource: map[string]string{"process.executable.name": "app"}},
		"overflow":              {Attributes: overflow},
		"overflow of container": {Resource: container.Resource, Attributes: overflow},
	}
	got := make(map[string][]string)
	for selection, selects := range map[string]func(totals.Series) bool{
		"Executable": totals.Executable("app"), "Containers": totals.Containers(map[string]bool{"c": true}), "Overflow": totals.Overflow,
	} {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if selects(all[name]) {
				got[selection] = append(got[selection], name)
			}
		}
	}
	want := map[string][]string{
		"Executable": {"host"}, "Containers": {"container", "overflow of container"}, "Overflow": {"overflow"},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Totals are read while they receive.
func TestConcurrency(t *testing.T) {
	got := totals.New()
	done := make(chan bool)
	go func() {
		for i := range 100 {
			got.Add([]otlp.Point{point("app", "netconn.closed", nil, 1, int64(i))})
		}
		close(done)
	}()
	last := int64(0)
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		now := got.Sum(totals.Executable("app")).Closed
		if now < last {
			t.Fatalf("%d after %d", now, last)
		}
		last = now
	}
	if last != 99 {
		t.Errorf("%d at the end", last)
	}
}
