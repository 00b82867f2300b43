// Package totals adds up the sums that collectors export, over all of their starts. A series is cumulative from its
// start time on: what it had reached before a restart is kept, and what a new start counts is added.
//
// Totals may be read while they receive.
package totals

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/netconn/netconn/internal/harness/otlp"
)

// Totals are all series that were exported.
type Totals struct {
	mu      sync.Mutex
	series  map[string]*Series
	exports int
}

// A Series is a series of a sum, over all of its starts.
type Series struct {
	Resource   map[string]string // attributes
	Metric     string
	Attributes map[string]string // of the points
	Total      int64             // of all starts
	Latest     int64             // the last value, 0 if the last export did not have the series

	start  time.Time
	before int64 // what earlier starts had counted
	export int   // the last one that had it
}

// New returns totals without a series.
func New() *Totals { return &Totals{series: make(map[string]*Series)} }

// Add adds the points of one export.
func (t *Totals) Add(points []otlp.Point) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exports++
	for _, p := range points {
		t.add(p)
	}
}

func (t *Totals) add(p otlp.Point) {
	key := key(p)
	s := t.series[key]
	if s == nil {
		s = &Series{Resource: p.Resource, Metric: p.Metric, Attributes: p.Attributes, start: p.Start}
		t.series[key] = s
	}
	if !s.start.Equal(p.Start) {
		s.before, s.start = s.Total, p.Start
	}
	s.Total, s.Latest, s.export = s.before+p.Value, p.Value, t.exports
}

// key identifies a series.
func key(p otlp.Point) string {
	var all []string
	for k, v := range p.Resource {
		all = append(all, "r "+k+"="+v)
	}
	for k, v := range p.Attributes {
		all = append(all, "p "+k+"="+v)
	}
	slices.Sort(all)
	return fmt.Sprint(p.Metric, "\x00", strings.Join(all, "\x00"))
}

// Exports returns how many exports were added.
func (t *Totals) Exports() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.exports
}

// All returns every series that was ever exported.
func (t *Totals) All() []Series {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Series, 0, len(t.series))
	for _, s := range t.series {
		one := *s
		if one.export != t.exports {
			one.Latest = 0
		}
		all = append(all, one)
	}
	return all
}

// Sums are what the benchmarks compare.
type Sums struct {
	Attempts, Closed int64 // connections
	Active           int64 // at the last export
	Sent, Received   int64 // bytes
}

// Sum adds up the series that a function selects.
func (t *Totals) Sum(selects func(Series) bool) (sums Sums) {
	for _, s := range t.All() {
		if !selects(s) {
			continue
		}
		switch s.Metric {
		case "netconn.attempts":
			sums.Attempts += s.Total
		case "netconn.closed":
			sums.Closed += s.Total
		case "netconn.active":
			sums.Active += s.Latest
		case "netconn.io":
			if s.Attributes["network.io.direction"] == "transmit" {
				sums.Sent += s.Total
			} else {
				sums.Received += s.Total
			}
		}
	}
	return sums
}

// Executable selects the series of host processes with an executable of this name.
func Executable(name string) func(Series) bool {
	return func(s Series) bool {
		return s.Resource["process.executable.name"] == name && s.Resource["container.id"] == ""
	}
}

// Containers selects the series of containers with these ids.
func Containers(ids map[string]bool) func(Series) bool {
	return func(s Series) bool { return ids[s.Resource["container.id"]] }
}

// Overflow selects the series of what was beyond netconn's limits.
func Overflow(s Series) bool {
	return s.Attributes["otel.metric.overflow"] == "true" && s.Resource["container.id"] == ""
}
