package view

import (
	"cmp"
	"math"
	"slices"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/store"
)

// MaxTags is how many tags of one side a row may stand for.
const MaxTags = 4

// FlowsQuery is what a table is made from.
type FlowsQuery struct {
	Query
	Clients, Servers []By // at most MaxTags each; of clients, none of an edge
	Sort             Sort
	Limit, Offset    int
	Spark            *Metric // nil: none
}

// Sort is an order of rows.
type Sort struct {
	By      Metric
	Names   bool // by name, of the client or the server; else by the metric
	Server  bool
	Descend bool
}

// Flows is the answer. Columns are those of the metrics.
type Flows struct {
	From         int64        `json:"from"`
	To           int64        `json:"to"`
	Seconds      float64      `json:"seconds"`
	Generation   uint64       `json:"generation"`
	Clients      []string     `json:"clients"`
	Servers      []string     `json:"servers"`
	Rows         int          `json:"rows"`
	Offset       int          `json:"offset"`
	Kinds        []string     `json:"kinds"`
	Client       [][]string   `json:"client"`
	Server       [][]string   `json:"server"`
	ClientKind   []int        `json:"client_kind"`
	ServerKind   []int        `json:"server_kind"`
	ClientName   []string     `json:"client_name"`
	ServerName   []string     `json:"server_name"`
	Flags        []int        `json:"flags"`
	Count        []int        `json:"count"`
	First        []int64      `json:"first"`
	Last         []int64      `json:"last"`
	FailuresBy   Outcomes     `json:"failures_by"`
	BreaksBy     Outcomes     `json:"breaks_by"`
	Spark        *Spark       `json:"spark,omitempty"`
	Totals       Totals       `json:"totals"`
	Folded       FoldedLoops  `json:"folded"`
	Unattributed Unattributed `json:"unattributed"`

	columns []Numbers
}

// FoldedLoops are the hops within a row's two ends.
type FoldedLoops struct {
	Loops Volume `json:"loops"`
}

// Spark is a metric of each row, bucket by bucket.
type Spark struct {
	Metric string    `json:"metric"`
	Step   int64     `json:"step"`
	Values []Numbers `json:"values"`
}

// MarshalJSON adds the columns of the metrics.
func (f *Flows) MarshalJSON() ([]byte, error) {
	type plain Flows
	return withMetrics((*plain)(f), f.columns)
}

// A rowKey is what a row stands for: the tags asked for, and the names where there is none.
type rowKey struct {
	client, server         [MaxTags]edge.Value
	clientName, serverName edge.Value
	clientKind, serverKind edge.Kind
}

// History reads what edges of a snapshot have counted, bucket by bucket, as store.Store does.
type History interface {
	History(snap *store.Snapshot, edges []int) []store.Step
	Spark(snap *store.Snapshot, rows [][]int, figure func(*store.Figures) float64) [][]float64
}

// NewFlows makes a table of a snapshot.
func NewFlows(h History, snap *store.Snapshot, q FlowsQuery) *Flows {
	g := collect(snap, &q.Query, func(e *store.Edge) (rowKey, bool) { return q.key(e), within(&e.Link) && q.loop(e) })
	order := q.order(g, snap.Kinds)
	answer := &Flows{
		From: snap.From, To: snap.To, Seconds: snap.Seconds, Generation: snap.Generation,
		Clients: tagNames(q.Clients), Servers: tagNames(q.Servers), Rows: len(order), Offset: q.Offset, Kinds: kinds(),
		Client: [][]string{}, Server: [][]string{}, ClientKind: []int{}, ServerKind: []int{},
		ClientName: []string{}, ServerName: []string{},
		Flags: []int{}, Count: []int{}, First: []int64{}, Last: []int64{}, FailuresBy: Outcomes{}, BreaksBy: Outcomes{},
		Totals: totals(g.edges, &g.total, snap.Kinds), Folded: FoldedLoops{g.loops}, Unattributed: Unattributed{g.orphan},
		columns: make([]Numbers, len(columns)),
	}
	for i := range answer.columns {
		answer.columns[i] = Numbers{}
	}
	order = order[min(q.Offset, len(order)):]
	order = order[:min(q.Limit, len(order))]
	rows := make([][]int, 0, len(order))
	for i, row := range order {
		answer.row(i, &q, snap, g.keys[row], &g.rows[row])
		rows = append(rows, g.rows[row].edges)
	}
	if q.Spark != nil {
		answer.Spark = &Spark{Metric: q.Spark.name, Step: snap.Step, Values: []Numbers{}}
		for _, values := range h.Spark(snap, rows, func(f *store.Figures) float64 { return q.Spark.value(f, snap.Kinds) }) {
			answer.Spark.Values = append(answer.Spark.Values, values)
		}
	}
	return answer
}

func tagNames(by []By) []string {
	names := make([]string, len(by))
	for i, b := range by {
		names[i] = b.String()
	}
	return names
}

func (q *FlowsQuery) key(e *store.Edge) rowKey {
	k := rowKey{clientKind: e.Client.Kind(), serverKind: e.Server.Kind()}
	named := false
	for i, b := range q.Clients {
		k.client[i] = b.value(e.Client, &e.Link, false)
		named = named || k.client[i] != edge.Value{}
	}
	if !named {
		k.clientName = nodeOf(e.Client, &e.Link, false, None, By{end: edge.Name}).name
	}
	named = false
	for i, b := range q.Servers {
		k.server[i] = b.value(e.Server, &e.Link, true)
		named = named || !b.ofEdge && k.server[i] != edge.Value{}
	}
	if !named {
		k.serverName = nodeOf(e.Server, &e.Link, true, None, By{end: edge.Name}).name
	}
	return k
}

// loop tells whether both ends are the same in all that the table asks for.
func (q *FlowsQuery) loop(e *store.Edge) bool {
	for _, b := range slices.Concat(q.Clients, q.Servers) {
		if !b.ofEdge && e.Client[b.end] != e.Server[b.end] {
			return false
		}
	}
	return e.Client.Kind() == e.Server.Kind()
}

// order returns the rows as they are to be shown.
func (q *FlowsQuery) order(g *grouping[rowKey], kinds []store.Kind) []int {
	order := make([]int, len(g.rows))
	value := make([]float64, len(g.rows))
	for i := range order {
		order[i] = i
		if !q.Sort.Names {
			value[i] = q.Sort.By.value(&g.rows[i].Figures, kinds)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := g.keys[a], g.keys[b]
		first := 0
		switch {
		case q.Sort.Names && q.Sort.Server:
			first = cmp.Or(slices.CompareFunc(y.server[:], x.server[:], byText), byText(y.serverName, x.serverName))
		case q.Sort.Names:
			first = cmp.Or(slices.CompareFunc(y.client[:], x.client[:], byText), byText(y.clientName, x.clientName))
		case math.IsNaN(value[a]) || math.IsNaN(value[b]):
			first = cmp.Compare(value[b], value[a]) // without a value is last in either order
			if !q.Sort.Descend {
				first = -first
			}
		default:
			first = cmp.Compare(value[b], value[a])
		}
		if !q.Sort.Descend {
			first = -first
		}
		if first != 0 {
			return first
		}
		return x.compare(&y)
	})
	return order
}

func byText(a, b edge.Value) int { return cmp.Compare(a.String(), b.String()) }

// compare makes every order complete.
func (k *rowKey) compare(other *rowKey) int {
	return cmp.Or(
		slices.CompareFunc(k.client[:], other.client[:], byText), slices.CompareFunc(k.server[:], other.server[:], byText),
		byText(k.clientName, other.clientName), byText(k.serverName, other.serverName),
		cmp.Compare(k.clientKind, other.clientKind), cmp.Compare(k.serverKind, other.serverKind),
	)
}

// row fills in one row.
func (f *Flows) row(i int, q *FlowsQuery, snap *store.Snapshot, k rowKey, s *sums) {
	f.Client = append(f.Client, texts(k.client[:len(q.Clients)]))
	f.Server = append(f.Server, texts(k.server[:len(q.Servers)]))
	f.ClientKind = append(f.ClientKind, int(k.clientKind))
	f.ServerKind = append(f.ServerKind, int(k.serverKind))
	e := &snap.Edges[s.edges[0]]
	f.ClientName = append(f.ClientName, nodeOf(e.Client, &e.Link, false, None, By{end: edge.Name}).name.String())
	f.ServerName = append(f.ServerName, nodeOf(e.Server, &e.Link, true, None, By{end: edge.Name}).name.String())
	f.Flags = append(f.Flags, s.flags)
	f.Count = append(f.Count, len(s.edges))
	f.First = append(f.First, s.first)
	f.Last = append(f.Last, s.last)
	for j, m := range columns {
		f.columns[j] = append(f.columns[j], m.value(&s.Figures, snap.Kinds))
	}
	f.FailuresBy.add(i, &s.Figures, snap.Kinds, false)
	f.BreaksBy.add(i, &s.Figures, snap.Kinds, true)
}

func texts(values []edge.Value) []string {
	t := make([]string, len(values))
	for i, v := range values {
		t[i] = v.String()
	}
	return t
}
