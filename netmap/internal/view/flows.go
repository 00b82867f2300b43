package view

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// MaxTags is how many tags of one side a row may stand for.
const MaxTags = 4

// FlowsQuery selects the rows of a table.
type FlowsQuery struct {
	Query
	Clients, Servers []By // at most MaxTags each; those of clients are not of an edge
	Sort             Sort
	Limit, Offset    int
	Spark            *Metric // nil: none
	Load             Loads   // nil: none
}

// Loads answers the load of each of several sets of ends; nil where nothing is known of a set.
type Loads func(ctx context.Context, sets [][]*edge.End) ([]*snap.Load, error)

// Sort is an order of rows.
type Sort struct {
	By      Metric
	Cost    bool // by what the payload costs, not by the metric
	Names   bool // by the name of the client or the server, not by the metric
	Server  bool
	Descend bool
}

// Flows is the answer. Columns are those of the metrics.
type Flows struct {
	Origin
	From       int64      `json:"from"`
	To         int64      `json:"to"`
	Seconds    float64    `json:"seconds"`
	Generation uint64     `json:"generation"`
	Clients    []string   `json:"clients"`
	Servers    []string   `json:"servers"`
	Rows       int        `json:"rows"`
	Offset     int        `json:"offset"`
	Kinds      []string   `json:"kinds"`
	Client     [][]string `json:"client"`
	Server     [][]string `json:"server"`
	ClientKind []int      `json:"client_kind"`
	ServerKind []int      `json:"server_kind"`
	ClientName []string   `json:"client_name"`
	ServerName []string   `json:"server_name"`
	Flags      []int      `json:"flags"`
	Count      []int      `json:"count"`
	First      []int64    `json:"first"`
	Last       []int64    `json:"last"`
	FailuresBy Outcomes   `json:"failures_by"`
	BreaksBy   Outcomes   `json:"breaks_by"`
	LookupsBy  Outcomes   `json:"lookups_by"`
	Cost       Numbers    `json:"cost,omitempty"` // null: no price is known
	TotalCost  *Number    `json:"total_cost,omitempty"`
	Spark      *Spark     `json:"spark,omitempty"`

	ClientLoad []*snap.Load `json:"client_load,omitempty"` // null: nothing is known
	ServerLoad []*snap.Load `json:"server_load,omitempty"`

	Totals       Totals       `json:"totals"`
	Folded       FoldedLoops  `json:"folded"`
	Unattributed Unattributed `json:"unattributed"`

	columns []Numbers
}

// FoldedLoops are the hops within a row's two ends.
type FoldedLoops struct {
	Loops Volume `json:"loops"`
}

// Spark is a metric of each row, step by step.
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

// A rowKey is what a row stands for: the requested tags, and the name of an end that has none of them.
type rowKey struct {
	client, server         [MaxTags]edge.Value
	clientName, serverName edge.Value
	clientKind, serverKind edge.Kind
}

// NewFlows makes a table of a snapshot.
func NewFlows(ctx context.Context, snapshot *snap.Snapshot, q FlowsQuery) (*Flows, error) {
	snapshot = q.through(snapshot, q.Clients...)
	g, err := group(ctx, snapshot, &q.Query, func(e *snap.Edge) (rowKey, bool) {
		return q.key(e), withinPod(e) && q.loop(e)
	})
	if err != nil {
		return nil, err
	}
	order := q.order(g, snapshot.Kinds)
	answer := &Flows{
		Origin: originOf(snapshot),
		From:   snapshot.From, To: snapshot.To, Seconds: snapshot.Seconds, Generation: snapshot.Generation,
		Clients: tagNames(q.Clients), Servers: tagNames(q.Servers), Rows: len(order), Offset: q.Offset, Kinds: kinds(),
		Client: [][]string{}, Server: [][]string{}, ClientKind: []int{}, ServerKind: []int{},
		ClientName: []string{}, ServerName: []string{},
		Flags: []int{}, Count: []int{}, First: []int64{}, Last: []int64{}, FailuresBy: Outcomes{}, BreaksBy: Outcomes{},
		LookupsBy: Outcomes{},
		Totals:    totals(g.edges, &g.total, snapshot.Kinds), Folded: FoldedLoops{g.loops},
		Unattributed: Unattributed{g.unattributed}, columns: emptyColumns(len(columns)),
	}
	if q.Prices != nil {
		total := Number(g.cost.value())
		answer.TotalCost = &total
	}
	order = order[min(q.Offset, len(order)):]
	order = order[:min(q.Limit, len(order))]
	rows := make([][]int, len(order))
	for i, row := range order {
		answer.row(i, &q, snapshot, g.keys[row], &g.rows[row])
		rows[i] = g.rows[row].edges
	}
	if q.Load != nil {
		if err := answer.load(ctx, snapshot, rows, q.Load); err != nil {
			return nil, err
		}
	}
	if q.Spark == nil {
		return answer, nil
	}
	answer.Spark, err = newSpark(ctx, snapshot, rows, *q.Spark)
	return answer, answer.lacks(err)
}

// load adds what the ends of each row use.
func (f *Flows) load(ctx context.Context, snapshot *snap.Snapshot, rows [][]int, loads Loads) (err error) {
	clients, servers := make([][]*edge.End, len(rows)), make([][]*edge.End, len(rows))
	for i, edges := range rows {
		for _, j := range edges {
			clients[i] = append(clients[i], snapshot.Edges[j].Client)
			servers[i] = append(servers[i], snapshot.Edges[j].Server)
		}
	}
	if f.ClientLoad, err = loads(ctx, clients); err != nil {
		return err
	}
	f.ServerLoad, err = loads(ctx, servers)
	return err
}

func newSpark(ctx context.Context, snapshot *snap.Snapshot, rows [][]int, m Metric) (*Spark, error) {
	s := &Spark{Metric: m.name, Step: snapshot.Step, Values: make([]Numbers, len(rows))}
	for i := range s.Values {
		s.Values[i] = make(Numbers, snapshot.Len())
	}
	err := snapshot.History.Read(ctx, rows, m.what(), func(row int, step snap.Step) {
		s.Values[row][snapshot.Index(step.At)] = m.value(&step.Figures, snapshot.Kinds)
	})
	return s, err
}

func tagNames(by []By) []string {
	all := make([]string, len(by))
	for i, b := range by {
		all[i] = b.String()
	}
	return all
}

func (q *FlowsQuery) key(e *snap.Edge) rowKey {
	k := rowKey{clientKind: e.Client.Kind(), serverKind: e.Server.Kind()}
	named := false
	for i, b := range q.Clients {
		k.client[i] = b.value(e.Client, &e.Link, false)
		named = named || k.client[i] != edge.Value{}
	}
	if !named {
		k.clientName = nameOf(e.Client)
	}
	named = false
	for i, b := range q.Servers {
		k.server[i] = b.value(e.Server, &e.Link, true)
		named = named || !b.ofEdge && k.server[i] != edge.Value{}
	}
	if !named {
		k.serverName = nameOf(e.Server)
	}
	return k
}

// loop reports whether both ends are the same in all requested tags.
func (q *FlowsQuery) loop(e *snap.Edge) bool {
	for _, b := range slices.Concat(q.Clients, q.Servers) {
		if !b.ofEdge && e.Client[b.end] != e.Server[b.end] {
			return false
		}
	}
	return e.Client.Kind() == e.Server.Kind()
}

// order returns the rows in the order in which they are shown.
func (q *FlowsQuery) order(g *grouping[rowKey], kinds []snap.Kind) []int {
	order := make([]int, len(g.rows))
	value := make([]float64, len(g.rows))
	for i := range order {
		order[i] = i
		switch {
		case q.Sort.Cost:
			value[i] = g.rows[i].cost.value()
		case !q.Sort.Names:
			value[i] = q.Sort.By.value(&g.rows[i].Figures, kinds)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &g.keys[a], &g.keys[b]
		if c := q.Sort.compare(x, y, value[a], value[b]); c != 0 {
			return c
		}
		return x.compare(y)
	})
	return order
}

// compare compares two rows by what they are sorted by. Rows without a value are last in either direction.
func (s *Sort) compare(x, y *rowKey, vx, vy float64) int {
	c := 0
	switch {
	case s.Names && s.Server:
		c = cmp.Or(slices.CompareFunc(x.server[:], y.server[:], byText), byText(x.serverName, y.serverName))
	case s.Names:
		c = cmp.Or(slices.CompareFunc(x.client[:], y.client[:], byText), byText(x.clientName, y.clientName))
	case math.IsNaN(vx) || math.IsNaN(vy):
		return cmp.Compare(vy, vx)
	default:
		c = cmp.Compare(vx, vy)
	}
	if s.Descend {
		return -c
	}
	return c
}

// compare makes every order complete.
func (k *rowKey) compare(m *rowKey) int {
	return cmp.Or(
		slices.CompareFunc(k.client[:], m.client[:], byText), slices.CompareFunc(k.server[:], m.server[:], byText),
		byText(k.clientName, m.clientName), byText(k.serverName, m.serverName),
		cmp.Compare(k.clientKind, m.clientKind), cmp.Compare(k.serverKind, m.serverKind),
	)
}

// row appends one row.
func (f *Flows) row(i int, q *FlowsQuery, snapshot *snap.Snapshot, k rowKey, s *sums) {
	f.Client = append(f.Client, texts(k.client[:len(q.Clients)]))
	f.Server = append(f.Server, texts(k.server[:len(q.Servers)]))
	f.ClientKind = append(f.ClientKind, int(k.clientKind))
	f.ServerKind = append(f.ServerKind, int(k.serverKind))
	e := &snapshot.Edges[s.edges[0]]
	f.ClientName = append(f.ClientName, nameOf(e.Client).String())
	f.ServerName = append(f.ServerName, nameOf(e.Server).String())
	f.Flags = append(f.Flags, s.flags)
	f.Count = append(f.Count, len(s.edges))
	f.First = append(f.First, s.first)
	f.Last = append(f.Last, s.last)
	for j, m := range columns {
		f.columns[j] = append(f.columns[j], m.value(&s.Figures, snapshot.Kinds))
	}
	if q.Prices != nil {
		f.Cost = append(f.Cost, s.cost.value())
	}
	f.FailuresBy.add(i, &s.Figures, snapshot.Kinds, snap.Attempts)
	f.BreaksBy.add(i, &s.Figures, snapshot.Kinds, snap.Closed)
	f.LookupsBy.add(i, &s.Figures, snapshot.Kinds, snap.Lookups)
}

func texts(values []edge.Value) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = v.String()
	}
	return all
}
