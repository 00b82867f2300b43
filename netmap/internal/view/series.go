package view

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// Series is the answer with the time series of all metrics, and the edges that they are the sums of.
type Series struct {
	Origin
	From       int64              `json:"from"`
	To         int64              `json:"to"`
	Step       int64              `json:"step"`
	Generation uint64             `json:"generation"`
	T          []int64            `json:"t"`
	FailuresBy map[string]Numbers `json:"failures_by"`
	BreaksBy   map[string]Numbers `json:"breaks_by"`
	LookupsBy  map[string]Numbers `json:"lookups_by"`
	Totals     Totals             `json:"totals"`
	Count      int                `json:"count"`
	Edges      []Detail           `json:"edges"`
	Alerts     []Alert            `json:"alerts"`

	columns []Numbers
}

// MarshalJSON adds the columns of the metrics.
func (s *Series) MarshalJSON() ([]byte, error) {
	type plain Series
	return withMetrics((*plain)(s), s.columns)
}

// withMetrics marshals an object, with a field more for each metric that is a column.
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

// Detail is all that is known about one edge. Tags of ends have the names of attributes.
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
	LookupsBy  map[string]uint64 `json:"lookups_by"`

	values []Number
}

// MarshalJSON adds the metrics.
func (d Detail) MarshalJSON() ([]byte, error) {
	type plain Detail
	return withMetrics(plain(d), d.values)
}

// NewSeries adds up all edges of a snapshot that match a query, step by step, and describes those with most volume.
func NewSeries(ctx context.Context, snapshot *snap.Snapshot, q Query, details int) (*Series, error) {
	var chosen []int
	var sum snap.Figures
	snapshot = q.level(snapshot)
	err := q.shown(ctx, snapshot, func(i int, e *snap.Edge) {
		chosen = append(chosen, i)
		sum.Add(&e.Figures)
	})
	if err != nil {
		return nil, err
	}
	answer := &Series{
		Origin: originOf(snapshot),
		From:   snapshot.From, To: snapshot.To, Step: snapshot.Step, Generation: snapshot.Generation,
		T: []int64{}, FailuresBy: map[string]Numbers{}, BreaksBy: map[string]Numbers{}, LookupsBy: map[string]Numbers{},
		Edges:  []Detail{},
		Totals: totals(len(chosen), &sum, snapshot.Kinds), Count: len(chosen), columns: make([]Numbers, len(columns)),
	}
	if err := answer.lacks(answer.read(ctx, snapshot, chosen)); err != nil {
		return nil, err
	}
	slices.SortStableFunc(chosen, func(a, b int) int {
		x, y := &snapshot.Edges[a], &snapshot.Edges[b]
		return cmp.Compare(y.Tx+y.Rx, x.Tx+x.Rx)
	})
	for _, i := range chosen[:min(details, len(chosen))] {
		answer.Edges = append(answer.Edges, detail(snapshot, &q, &snapshot.Edges[i]))
	}
	answer.Alerts = q.alertsAbout(snapshot, chosen)
	return answer, nil
}

// read reads the history of edges.
func (s *Series) read(ctx context.Context, snapshot *snap.Snapshot, edges []int) error {
	steps := make([]snap.Step, snapshot.Len())
	err := snapshot.History.Read(ctx, [][]int{edges}, snap.All, func(_ int,
		step snap.Step) {
		steps[snapshot.Index(step.At)] = step
	})
	for i := range steps {
		steps[i].At = snapshot.From + int64(i)*snapshot.Step
		s.step(i, len(steps), &steps[i], snapshot.Kinds)
	}
	return err
}

// step appends step i of n.
func (s *Series) step(i, n int, step *snap.Step, kinds []snap.Kind) {
	s.T = append(s.T, step.At)
	for j, m := range columns {
		v := m.value(&step.Figures, kinds)
		if m.name == "active" && !step.Reported {
			v = math.NaN()
		}
		s.columns[j] = append(s.columns[j], v)
	}
	for _, o := range step.Outcomes {
		kind := kinds[o.Kind]
		by, name := pick(kind.Of, s.FailuresBy, s.BreaksBy, s.LookupsBy), kind.Error
		if by[name] == nil {
			by[name] = make(Numbers, n)
		}
		by[name][i] += float64(o.N)
	}
}

func detail(snapshot *snap.Snapshot, q *Query, e *snap.Edge) Detail {
	d := Detail{
		Client: attributes(e.Client), Server: attributes(e.Server),
		ClientKind: e.Client.Kind().String(), ServerKind: e.Server.Kind().String(),
		Edge: make(map[string]string), ReportedBy: []string{}, Flags: q.flags(snapshot, e), First: e.First,
		Last:       e.Changed,
		FailuresBy: make(map[string]uint64), BreaksBy: make(map[string]uint64), LookupsBy: make(map[string]uint64),
	}
	for t := range names.EdgeTags {
		if v := e.Link.Get(t); v != "" {
			d.Edge[t.String()] = v
		}
	}
	if e.ByClient {
		d.ReportedBy = append(d.ReportedBy, names.RoleClient)
	}
	if e.ByServer {
		d.ReportedBy = append(d.ReportedBy, names.RoleServer)
	}
	for _, o := range e.Outcomes {
		kind := snapshot.Kinds[o.Kind]
		pick(kind.Of, d.FailuresBy, d.BreaksBy, d.LookupsBy)[kind.Error] = o.N
	}
	for _, m := range columns {
		d.values = append(d.values, Number(m.value(&e.Figures, snapshot.Kinds)))
	}
	return d
}

// pick returns what is of attempts, of closed connections or of look-ups.
func pick[T any](of snap.What, attempts, closed, lookups T) T {
	switch of {
	case snap.Closed:
		return closed
	case snap.Lookups:
		return lookups
	}
	return attempts
}

func attributes(e *edge.End) map[string]string {
	all := make(map[string]string)
	for t := range names.Tags {
		if e.Has(t) {
			all[t.Attribute()] = e.Get(t)
		}
	}
	return all
}
