package view

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/store"
)

// Series is the answer with everything over time, and the edges themselves.
type Series struct {
	From       int64              `json:"from"`
	To         int64              `json:"to"`
	Step       int64              `json:"step"`
	Generation uint64             `json:"generation"`
	T          []int64            `json:"t"`
	FailuresBy map[string]Numbers `json:"failures_by"`
	BreaksBy   map[string]Numbers `json:"breaks_by"`
	Totals     Totals             `json:"totals"`
	Count      int                `json:"count"`
	Edges      []Detail           `json:"edges"`

	columns []Numbers
}

// MarshalJSON adds the columns of the metrics.
func (s *Series) MarshalJSON() ([]byte, error) {
	type plain Series
	return withMetrics((*plain)(s), s.columns)
}

// withMetrics adds a field for each metric to an object.
func withMetrics[T any](object any, values []T) ([]byte, error) {
	b, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]T, len(columns))
	for i, m := range columns {
		fields[m.name] = values[i]
	}
	more, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	return append(append(b[:len(b)-1], ','), more[1:]...), nil
}

// Detail is all that is known of one edge. Ends are by attributes of OpenTelemetry.
type Detail struct {
	Client     map[string]string `json:"client"`
	Server     map[string]string `json:"server"`
	ClientKind string            `json:"client_kind"`
	ServerKind string            `json:"server_kind"`
	Edge       map[string]string `json:"edge"`
	ReportedBy []string          `json:"reported_by"`
	Flags      int               `json:"flags"`
	First      int64             `json:"first"`
	Last       int64             `json:"last"`
	FailuresBy map[string]uint64 `json:"failures_by"`
	BreaksBy   map[string]uint64 `json:"breaks_by"`

	values []Number
}

// MarshalJSON adds the metrics.
func (d Detail) MarshalJSON() ([]byte, error) {
	type plain Detail
	return withMetrics(plain(d), d.values)
}

// NewSeries adds up all edges of a snapshot that a query lets through, bucket by bucket, and describes the busiest ones.
func NewSeries(h History, snap *store.Snapshot, q Query, details int) *Series {
	var chosen []int
	var sum store.Figures
	for i := range snap.Edges {
		if q.lets(snap, &snap.Edges[i]) {
			chosen = append(chosen, i)
			sum.Add(&snap.Edges[i].Figures)
		}
	}
	answer := &Series{
		From: snap.From, To: snap.To, Step: snap.Step, Generation: snap.Generation,
		T: []int64{}, FailuresBy: map[string]Numbers{}, BreaksBy: map[string]Numbers{}, Edges: []Detail{},
		Totals: totals(len(chosen), &sum, snap.Kinds), Count: len(chosen), columns: make([]Numbers, len(columns)),
	}
	steps := h.History(snap, chosen)
	for i := range steps {
		answer.step(i, len(steps), &steps[i], snap.Kinds)
	}
	slices.SortStableFunc(chosen, func(a, b int) int {
		x, y := &snap.Edges[a], &snap.Edges[b]
		return cmp.Compare(y.Tx+y.Rx, x.Tx+x.Rx)
	})
	for _, i := range chosen[:min(details, len(chosen))] {
		answer.Edges = append(answer.Edges, detail(snap, &q, &snap.Edges[i]))
	}
	return answer
}

// step fills in bucket i of n.
func (s *Series) step(i, n int, step *store.Step, kinds []store.Kind) {
	s.T = append(s.T, step.At)
	for j, m := range columns {
		v := m.value(&step.Figures, kinds)
		if m.name == "active" && !step.Reported {
			v = math.NaN()
		}
		s.columns[j] = append(s.columns[j], v)
	}
	for _, o := range step.Outcomes {
		if int(o.Kind) >= len(kinds) {
			continue // met since the snapshot
		}
		by := s.FailuresBy
		if kinds[o.Kind].Closed {
			by = s.BreaksBy
		}
		if by[kinds[o.Kind].Error] == nil {
			by[kinds[o.Kind].Error] = make(Numbers, n)
		}
		by[kinds[o.Kind].Error][i] += float64(o.N)
	}
}

func detail(snap *store.Snapshot, q *Query, e *store.Edge) Detail {
	d := Detail{
		Client: attributes(e.Client), Server: attributes(e.Server),
		ClientKind: e.Client.Kind().String(), ServerKind: e.Server.Kind().String(),
		Edge: make(map[string]string), ReportedBy: []string{}, Flags: q.flags(snap, e), First: e.First, Last: e.Changed,
		FailuresBy: make(map[string]uint64), BreaksBy: make(map[string]uint64),
	}
	for t := range edge.LinkTags {
		if v := e.Link.Get(t); v != "" {
			d.Edge[t.String()] = v
		}
	}
	if e.ByClient {
		d.ReportedBy = append(d.ReportedBy, "client")
	}
	if e.ByPeer {
		d.ReportedBy = append(d.ReportedBy, "server")
	}
	for _, o := range e.Outcomes {
		if snap.Kinds[o.Kind].Closed {
			d.BreaksBy[snap.Kinds[o.Kind].Error] = o.N
		} else {
			d.FailuresBy[snap.Kinds[o.Kind].Error] = o.N
		}
	}
	for _, m := range columns {
		d.values = append(d.values, Number(m.value(&e.Figures, snap.Kinds)))
	}
	return d
}

func attributes(e *edge.End) map[string]string {
	all := make(map[string]string)
	for t := range edge.Tags {
		if e.Has(t) {
			all[t.Attribute()] = e.Get(t)
		}
	}
	return all
}
