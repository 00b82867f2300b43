package view

import (
	"math"
	"strconv"

	"github.com/netconn/netconn/netmap/internal/snap"
)

// Numbers are a column. What is not a number marshals as null.
type Numbers []float64

// MarshalJSON writes whole numbers in full, and fractions with the three digits that are known of them.
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

// Number is an element of a column.
type Number float64

// MarshalJSON writes the number as Numbers does.
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

// A Metric is a figure of the API.
type Metric struct {
	name  string
	value func(*snap.Figures, []snap.Kind) float64
}

func (m Metric) String() string { return m.name }

// The metrics, in the order of the API. Volume is not a column.
var metrics = [...]Metric{
	{"tx", func(f *snap.Figures, _ []snap.Kind) float64 { return float64(f.Tx) }},
	{"rx", func(f *snap.Figures, _ []snap.Kind) float64 { return float64(f.Rx) }},
	{"retransmits", func(f *snap.Figures, _ []snap.Kind) float64 { return float64(f.Retransmits) }},
	{"rtt", func(f *snap.Figures, _ []snap.Kind) float64 { return f.RTTSum / float64(f.RTTs) }},
	{"rtt_max", func(f *snap.Figures, _ []snap.Kind) float64 {
		if f.RTTs == 0 || f.RTTMax == 0 {
			return math.NaN()
		}
		return f.RTTMax
	}},
	{"handshake", func(f *snap.Figures, _ []snap.Kind) float64 { return f.HandshakeSum / float64(f.Handshakes) }},
	{"attempts", func(f *snap.Figures, _ []snap.Kind) float64 { return float64(f.Attempts) }},
	{"failures", func(f *snap.Figures, kinds []snap.Kind) float64 { return float64(faults(f, kinds, snap.Attempts)) }},
	{"closed", func(f *snap.Figures, _ []snap.Kind) float64 { return float64(f.Closed) }},
	{"breaks", func(f *snap.Figures, kinds []snap.Kind) float64 { return float64(faults(f, kinds, snap.Closed)) }},
	{"active", func(f *snap.Figures, _ []snap.Kind) float64 { return float64(f.Active) }},
	{"lookups", func(f *snap.Figures, _ []snap.Kind) float64 { return float64(f.Lookups) }},
	{"lookup_failures", func(f *snap.Figures, kinds []snap.Kind) float64 {
		return float64(faults(f, kinds, snap.Lookups))
	}},
	{"lookup_time", func(f *snap.Figures, _ []snap.Kind) float64 { return f.LookupSum / float64(f.LookupTimes) }},
	{"volume", func(f *snap.Figures, _ []snap.Kind) float64 { return float64(f.Tx) + float64(f.Rx) }},
}

// columns are the metrics that are columns.
var columns = metrics[:len(metrics)-1]

// ParseMetric returns the metric of this name.
func ParseMetric(name string) (Metric, bool) {
	for _, m := range metrics {
		if m.name == name {
			return m, true
		}
	}
	return Metric{}, false
}

// Column reports whether the metric may be a column.
func (m Metric) Column() bool { return m.name != "volume" }

// emptyColumns returns columns without rows, which marshal as lists.
func emptyColumns(n int) []Numbers {
	all := make([]Numbers, n)
	for i := range all {
		all[i] = Numbers{}
	}
	return all
}

// faults adds up failed attempts, connections that broke, or failed look-ups.
func faults(f *snap.Figures, kinds []snap.Kind, of snap.What) uint64 {
	n := uint64(0)
	for _, o := range f.Outcomes {
		if k := kinds[o.Kind]; k.Of == of && k.Fault() {
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

	Lookups        uint64 `json:"lookups"`
	LookupFailures uint64 `json:"lookup_failures"`
}

func totals(edges int, f *snap.Figures, kinds []snap.Kind) Totals {
	return Totals{
		Edges: edges, Tx: f.Tx, Rx: f.Rx, Retransmits: f.Retransmits, Attempts: f.Attempts,
		Failures: faults(f, kinds, snap.Attempts),
		Closed:   f.Closed, Breaks: faults(f, kinds, snap.Closed), Active: f.Active,
		Lookups: f.Lookups, LookupFailures: faults(f, kinds, snap.Lookups),
	}
}

// Volume is the payload of some edges.
type Volume struct {
	Edges int    `json:"edges"`
	Tx    uint64 `json:"tx"`
	Rx    uint64 `json:"rx"`
}

func (v *Volume) add(edges int, f *snap.Figures) {
	v.Edges += edges
	v.Tx += f.Tx
	v.Rx += f.Rx
}

// Outcomes are counts by error.type or response code: pairs of [index of the row, count].
type Outcomes map[string][][2]uint64

// add adds the attempts, connections or look-ups of a row that did not end well.
func (o Outcomes) add(row int, f *snap.Figures, kinds []snap.Kind, of snap.What) {
	for _, k := range f.Outcomes {
		if kinds[k.Kind].Of == of {
			name := kinds[k.Kind].Error
			o[name] = append(o[name], [2]uint64{uint64(row), k.N})
		}
	}
}

// Unattributed is what belongs to one of several rows. It is not known which.
type Unattributed struct {
	Retransmits uint64 `json:"retransmits"`
}

// what returns the figures that the metric is made of.
func (m Metric) what() snap.What {
	switch m.name {
	case "tx", "rx", "volume":
		return snap.Volume
	case "retransmits":
		return snap.Retransmits
	case "attempts", "failures":
		return snap.Attempts
	case "closed", "breaks":
		return snap.Closed
	case "active":
		return snap.Active
	case "lookups", "lookup_failures", "lookup_time":
		return snap.Lookups
	}
	return snap.RTT
}
