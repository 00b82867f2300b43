package ledger

import (
	"slices"
	"time"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/series"
)

// A key is an edge, and who reports it. Comparable.
type key struct {
	client, server edge.End
	port           uint16
	scope          edge.Scope
	transport      edge.Value
	byServer       bool
	known          bool // an end saw the connection open
}

// once reports whether what one flow of the edge receives another flow of it has sent: both ends are one workload, and
// no role tells their flows apart.
func (k *key) once() bool { return !k.known && k.client == k.server }

// other is the key of all edges beyond the limit that one role reports.
func (k *key) other() key {
	return key{client: edge.Overflow(), server: edge.Overflow(), byServer: k.byServer, known: true}
}

// key returns the edge of a point. Swapped: the end that reports is the server.
func (b *batch) key(point edge.Attributes) (k key, swapped bool) {
	peer, link := edge.ReadPeer(point), edge.ReadLink(point)
	own, other := link.Parties(&b.local, &peer)
	swapped = link.Role == edge.Server || link.Role == edge.Unknown && other.Before(&own)
	for _, t := range b.ledger.config.Tags {
		own[t], other[t] = b.local[t], peer[t]
	}
	k = key{
		client: own, server: other, port: link.Port, scope: link.Scope, transport: link.Transport,
		byServer: swapped, known: link.Role != edge.Unknown,
	}
	if swapped {
		k.client, k.server = other, own
	}
	return k, swapped
}

// An account is the totals of one edge.
type account struct {
	sent, received, retransmits total // bytes by the client, by the server; segments
	attempts, closed            outcomes
	rtt                         distribution
	open                        int64 // connections
	flows                       int
	began                       time.Time
	changed                     time.Time
}

// A total is what was counted since it began: since the flush before it counted something.
type total struct {
	value uint64
	began time.Time
	shown bool
}

func (t *total) add(n uint64, flushed time.Time) {
	if t.value == 0 {
		t.began = flushed
	}
	t.value += n
}

// outcomes are how often something ended in one way. The error of those that ended well is empty.
type outcomes []*outcome

type outcome struct {
	total
	error string
}

// maxErrors bounds the ways in which the connections of one edge end. The other ones are one.
const maxErrors = 32

// of returns the total of an error.
func (o *outcomes) of(err string) *total {
	if i := slices.IndexFunc(*o, func(k *outcome) bool { return k.error == err }); i >= 0 {
		return &(*o)[i].total
	}
	if len(*o) >= maxErrors && err != names.OtherError {
		return o.of(names.OtherError)
	}
	k := &outcome{error: err}
	*o = append(*o, k)
	return &k.total
}

// account returns that of an edge, and opens it. Beyond the limit it is that of all other edges.
func (l *Ledger) account(k key) *account {
	a := l.accounts[k]
	if a == nil && len(l.accounts) >= l.config.MaxEdges {
		l.stats.Overflow++
		k = k.other()
		a = l.accounts[k]
	}
	if a == nil {
		a = &account{began: l.flushed}
		l.accounts[k] = a
	}
	a.flows++
	return a
}

// A distribution is a histogram of round-trip times.
type distribution struct {
	total   // the samples
	sum     float64
	buckets []uint64 // one for each bound, and one beyond them
}

// count counts samples that are not higher than a bound.
func (r *distribution) count(l *Ledger, upper float64, n uint64) {
	if r.buckets == nil {
		r.buckets = make([]uint64, len(l.config.Bounds)+1)
	}
	i, _ := slices.BinarySearch(l.config.Bounds, upper)
	r.buckets[i] += n
	r.add(n, l.flushed)
}

// A flow is the series of one resource for one set of attributes, and the edge that they are counted for.
type flow struct {
	of       *account
	swapped  bool // the server reports
	once     bool // what it receives is not counted
	resource uint64
	seen     time.Time
	// a series that began before begins with a baseline, Unix nanoseconds
	baselineBefore int64

	sent, received, retransmits series.Counter // as the end that reports has them
	attempts, closed            []counted
	active                      series.Clock
	open                        int64
	rtt                         *series.Histogram
}

// A counted is a series with one error.
type counted struct {
	error string
	*series.Counter
}

// outcome returns the series of a point's error, and its total.
func (f *flow) outcome(of *[]counted, to *outcomes, p series.Point) (*series.Counter, *total) {
	err := ""
	if v, ok := p.Attributes.Get(names.ErrorType); ok {
		err = edge.Text(v.AsString()).String()
	}
	i := slices.IndexFunc(*of, func(c counted) bool { return c.error == err })
	if i < 0 {
		i = len(*of)
		*of = append(*of, counted{err, new(series.Counter)})
	}
	return (*of)[i].Counter, to.of(err)
}

// set notes how many connections are open.
func (f *flow) set(open int64) {
	f.of.open += open - f.open
	f.open = open
}

// close takes the flow out of its edge.
func (f *flow) close() {
	f.set(0)
	f.of.flows--
}
