// Package sink receives the metrics of a collector over OTLP/HTTP (JSON) and adds them up over restarts: every series is cumulative
// from its start time, so what an older start had counted is kept when a new one comes. Counts are exact.
//
// A Sink may be read while it receives. What it cannot read is an error of Err, and refused.
package sink

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// A Sink is the other end of an otlp_http exporter with `encoding: json`.
type Sink struct {
	URL    string
	server *http.Server

	mu      sync.Mutex
	series  map[string]*Series
	exports int
	err     error
}

// A Series is one series of a sum, over all of its starts.
type Series struct {
	Resource   map[string]string // attributes
	Metric     string
	Attributes map[string]string // of the points
	Total      int64             // of all starts
	Latest     int64             // the last value, 0 if the last export did not have the series

	start  string
	before int64 // what earlier starts had counted
	export int   // that it was in last
}

// New listens on loopback.
func New() (*Sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	s := &Sink{URL: "http://" + l.Addr().String(), series: make(map[string]*Series)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/metrics", s.serve)
	s.server = &http.Server{Handler: mux}
	go func() { _ = s.server.Serve(l) }() // it returns when it is closed
	return s, nil
}

// Close ends it.
func (s *Sink) Close() error { return s.server.Close() }

func (s *Sink) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = s.Add(body)
	}
	if err != nil {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{}"))
}

// The part of an ExportMetricsServiceRequest that sums are in (opentelemetry-proto, with 64-bit integers as strings).
type export struct {
	ResourceMetrics []struct {
		Resource     struct{ Attributes attributes }
		ScopeMetrics []struct {
			Metrics []struct {
				Name string
				Sum  *struct{ DataPoints []point }
			}
		}
	}
}

type point struct {
	Attributes        attributes
	StartTimeUnixNano string
	AsInt             int64 `json:",string"`
}

type attributes []struct {
	Key   string
	Value map[string]any
}

func (a attributes) values() map[string]string {
	m := make(map[string]string, len(a))
	for _, kv := range a {
		for _, v := range kv.Value { // the one that is set
			m[kv.Key] = fmt.Sprint(v)
		}
	}
	return m
}

// name tells series apart.
func name(resource map[string]string, metric string, attributes map[string]string) string {
	var all []string
	for k, v := range resource {
		all = append(all, "r "+k+"="+v)
	}
	for k, v := range attributes {
		all = append(all, "p "+k+"="+v)
	}
	slices.Sort(all)
	return metric + "\x00" + strings.Join(all, "\x00")
}

// Add takes in one export.
func (s *Sink) Add(body []byte) error {
	var e export
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("read export: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exports++
	for _, rm := range e.ResourceMetrics {
		resource := rm.Resource.Attributes.values()
		for _, sm := range rm.ScopeMetrics {
			for _, m := range sm.Metrics {
				if m.Sum == nil {
					continue
				}
				for _, p := range m.Sum.DataPoints {
					s.add(resource, m.Name, p)
				}
			}
		}
	}
	return nil
}

func (s *Sink) add(resource map[string]string, metric string, p point) {
	attributes := p.Attributes.values()
	key := name(resource, metric, attributes)
	t := s.series[key]
	if t == nil {
		t = &Series{Resource: resource, Metric: metric, Attributes: attributes, start: p.StartTimeUnixNano}
		s.series[key] = t
	}
	if t.start != p.StartTimeUnixNano {
		t.before, t.start = t.Total, p.StartTimeUnixNano
	}
	t.Total, t.Latest, t.export = t.before+p.AsInt, p.AsInt, s.exports
}

// Exports returns how many exports came.
func (s *Sink) Exports() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exports
}

// Err returns the last error of what could not be read.
func (s *Sink) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// All returns every series that ever came.
func (s *Sink) All() []Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Series, 0, len(s.series))
	for _, t := range s.series {
		one := *t
		if one.export != s.exports {
			one.Latest = 0
		}
		all = append(all, one)
	}
	return all
}

// Sums are what the benchmarks compare: of all series of the resources that belong.
type Sums struct {
	Attempts, Closed int64 // connections
	Active           int64 // at the last export
	Sent, Received   int64 // bytes
}

// Sum adds up the series that belong.
func (s *Sink) Sum(belongs func(Series) bool) (sums Sums) {
	for _, t := range s.All() {
		if !belongs(t) {
			continue
		}
		switch t.Metric {
		case "netconn.attempts":
			sums.Attempts += t.Total
		case "netconn.closed":
			sums.Closed += t.Total
		case "netconn.active":
			sums.Active += t.Latest
		case "netconn.io":
			if t.Attributes["network.io.direction"] == "transmit" {
				sums.Sent += t.Total
			} else {
				sums.Received += t.Total
			}
		}
	}
	return sums
}

// Executable tells the series of host processes with an executable of this name.
func Executable(name string) func(Series) bool {
	return func(t Series) bool {
		return t.Resource["process.executable.name"] == name && t.Resource["container.id"] == ""
	}
}

// Overflow tells the series of what could not be itemised.
func Overflow(t Series) bool {
	return t.Attributes["otel.metric.overflow"] == "true" && t.Resource["container.id"] == ""
}
