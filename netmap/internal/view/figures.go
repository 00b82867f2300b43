package view

import (
	"math"
	"strconv"

	"github.com/netconn/netconn/netmap/internal/store"
)

// Numbers are a column. What is not a number marshals as null.
type Numbers []float64

// MarshalJSON writes counts in full, and fractions with the three digits that are kept of them.
func (n Numbers) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 2+6*len(n))
	b = append(b, '[')
	for i, v := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNumber(b, v)
	}
	return append(b, ']'), nil
}

// Number is one of them.
type Number float64

// MarshalJSON is as for Numbers.
func (n Number) MarshalJSON() ([]byte, error) { return appendNumber(nil, float64(n)), nil }

func appendNumber(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return append(b, "null"...)
	case v == math.Trunc(v) && math.Abs(v) < 1<<63:
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', 3, 64)
}

// A Metric is one figure of the API.
type Metric struct {
	name  string
	value func(*store.Figures, []store.Kind) float64
}

func (m Metric) String() string { return m.name }

// The metrics, in the order of the API. Volume is no column.
var metrics = [...]Metric{
	{"tx", func(f *store.Figures, _ []store.Kind) float64 { return float64(f.Tx) }},
	{"rx", func(f *store.Figures, _ []store.Kind) float64 { return float64(f.Rx) }},
	{"retransmits", func(f *store.Figures, _ []store.Kind) float64 { return float64(f.Retransmits) }},
	{"rtt", func(f *store.Figures, _ []store.Kind) float64 { return f.RTTSum / float64(f.RTTs) }},
	{"rtt_max", func(f *store.Figures, _ []store.Kind) float64 {
		if f.RTTs == 0 || f.RTTMax == 0 {
			return math.NaN()
		}
		return f.RTTMax
	}},
	{"handshake", func(f *store.Figures, _ []store.Kind) float64 { return f.ShakeSum / float64(f.Shakes) }},
	{"attempts", func(f *store.Figures, _ []store.Kind) float64 { return float64(f.Attempts) }},
	{"failures", func(f *store.Figures, kinds []store.Kind) float64 { return float64(ended(f, kinds, false)) }},
	{"closed", func(f *store.Figures, _ []store.Kind) float64 { return float64(f.Closed) }},
	{"breaks", func(f *store.Figures, kinds []store.Kind) float64 { return float64(ended(f, kinds, true)) }},
	{"active", func(f *store.Figures, _ []store.Kind) float64 { return float64(f.Active) }},
	{"volume", func(f *store.Figures, _ []store.Kind) float64 { return float64(f.Tx) + float64(f.Rx) }},
}

// columns are the metrics that are columns.
var columns = metrics[:len(metrics)-1]

// ParseMetric finds a metric by its name.
func ParseMetric(name string) (Metric, bool) {
	for _, m := range metrics {
		if m.name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// Column tells whether the metric may be a column.
func (m Metric) Column() bool { return m.name != "volume" }

func ended(f *store.Figures, kinds []store.Kind, closed bool) uint64 {
	n := uint64(0)
	for _, o := range f.Outcomes {
		if kinds[o.Kind].Closed == closed {
			n += o.N
		}
	}
	return n
}

// Totals are the sums of all edges.
type Totals struct {
	Edges       int    `json:"edges"`
	Tx          uint64 `json:"tx"`
	Rx          uint64 `json:"rx"`
	Retransmits uint64 `json:"retransmits"`
	Attempts    uint64 `json:"attempts"`
	Failures    uint64 `json:"failures"`
	Closed      uint64 `json:"closed"`
	Breaks      uint64 `json:"breaks"`
	Active      uint64 `json:"active"`
}

func totals(edges int, f *store.Figures, kinds []store.Kind) Totals {
	return Totals{
		Edges: edges, Tx: f.Tx, Rx: f.Rx, Retransmits: f.Retransmits, Attempts: f.Attempts, Failures: ended(f, kinds, false),
		Closed: f.Closed, Breaks: ended(f, kinds, true), Active: f.Active,
	}
}

// Volume is that of some edges.
type Volume struct {
	Edges int    `json:"edges"`
	Tx    uint64 `json:"tx"`
	Rx    uint64 `json:"rx"`
}

func (v *Volume) add(edges int, f *store.Figures) {
	v.Edges += edges
	v.Tx += f.Tx
	v.Rx += f.Rx
}

// Outcomes are counts by error.type: of each, pairs of [index, count].
type Outcomes map[string][][2]uint64

// outcomes sorts those of one row into a map.
func (o Outcomes) add(row int, f *store.Figures, kinds []store.Kind, closed bool) {
	for _, k := range f.Outcomes {
		if kinds[k.Kind].Closed == closed {
			name := kinds[k.Kind].Error
			o[name] = append(o[name], [2]uint64{uint64(row), k.N})
		}
	}
}

// Unattributed is what cannot be told to which edge it belongs.
type Unattributed struct {
	Retransmits uint64 `json:"retransmits"`
}
