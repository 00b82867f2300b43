package ledger

import (
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/series"
)

// Config is what a ledger keeps.
type Config struct {
	Tags     []names.Tag // of both ends, besides those that identify them
	Bounds   []float64   // of the histogram of round-trip times, seconds, ascending
	MaxEdges int
	MaxFlows int
	Expiry   time.Duration // of what is silent
	Now      func() time.Time
}

// Stats are what is held, and what was not counted since New.
type Stats struct {
	Edges, Flows int
	Refused      series.Refused
	OutOfOrder   uint64 // points that are not newer than the point before
	Beyond       uint64 // points of new flows beyond MaxFlows
	Overflow     uint64 // flows whose edge is beyond MaxEdges
}

// A Ledger holds the totals of edges.
type Ledger struct {
	config Config
	hash   series.Hash

	mu       sync.Mutex
	accounts map[key]*account
	flows    map[uint64]*flow
	ends     map[uint64]edge.End // that report themselves, by the hash of the resource's attributes
	stats    Stats
	flushed  time.Time // the last flush, or when the ledger was made
	// a flow that began before may have been counted by a ledger before, or by a flow that is forgotten; Unix
	// nanoseconds
	baselineBefore int64
}

// New returns an empty ledger.
func New(c Config) *Ledger {
	if c.Now == nil {
		c.Now = time.Now
	}
	now := c.Now()
	return &Ledger{
		config: c, hash: series.NewHash(), flushed: now, baselineBefore: now.UnixNano(),
		accounts: make(map[key]*account), flows: make(map[uint64]*flow), ends: make(map[uint64]edge.End),
	}
}

// Stats returns the counts so far.
func (l *Ledger) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Edges, s.Flows = len(l.accounts), len(l.flows)
	return s
}

// Add takes in metrics, and ignores those that are not netconn's. It keeps no reference to them.
func (l *Ledger) Add(metrics pmetric.Metrics) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.config.Now()
	for _, rm := range metrics.ResourceMetrics().All() {
		b := batch{ledger: l, now: now, attrs: rm.Resource().Attributes()}
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				refused := b.take(m)
				l.stats.Refused.Points += refused.Points
				l.stats.Refused.Values += refused.Values
			}
		}
	}
}

// A batch is the metrics of one resource.
type batch struct {
	ledger *Ledger
	now    time.Time
	attrs  pcommon.Map

	read     bool   // the resource's attributes
	hash, id uint64 // of all of them, and of those that identify it
	local    edge.End
}

// take counts the points of a metric that is one of ours.
func (b *batch) take(m pmetric.Metric) series.Refused {
	switch m.Name() {
	case names.IO:
		return series.Sums(m, false, b.io)
	case names.Retransmits:
		return series.Sums(m, false, b.counter(func(f *flow, _ series.Point) (*series.Counter, *total) {
			return &f.retransmits, &f.of.retransmits
		}))
	case names.Attempts:
		return series.Sums(m, false, b.counter(func(f *flow, p series.Point) (*series.Counter, *total) {
			return f.outcome(&f.attempts, &f.of.attempts, p)
		}))
	case names.Closed:
		return series.Sums(m, false, b.counter(func(f *flow, p series.Point) (*series.Counter, *total) {
			return f.outcome(&f.closed, &f.of.closed, p)
		}))
	case names.Active:
		return series.Sums(m, true, b.active)
	case names.RTT:
		return series.Histograms(m, b.rtt)
	}
	return series.Refused{}
}

// resource reads the resource, once.
func (b *batch) resource() {
	if b.read {
		return
	}
	l := b.ledger
	b.read = true
	b.hash = l.hash.Attributes(b.attrs)
	b.id = l.hash.Resource(b.attrs, b.hash)
	local, known := l.ends[b.hash]
	if !known {
		local = edge.ReadLocal(series.Read(b.attrs))
		if len(l.ends) >= l.config.MaxFlows {
			clear(l.ends) // they are read again
		}
		l.ends[b.hash] = local
	}
	b.local = local
}

// open finds the flow of a point; nil if it cannot be counted.
func (b *batch) open(p *series.Point) *flow {
	b.resource()
	l := b.ledger
	id := series.Flow(b.id, l.hash.Attributes(p.Attributes))
	f := l.flows[id]
	switch {
	case f == nil && len(l.flows) < l.config.MaxFlows:
		f = b.begin(p)
		l.flows[id] = f
	case f == nil && p.Delta && !p.State:
		f = b.begin(p) // it has nothing to remember
		f.of.flows--
	case f == nil:
		l.stats.Beyond++
		return nil
	case f.resource != b.hash:
		b.move(f, p)
	}
	f.seen = b.now
	f.of.changed = b.now
	return f
}

// begin makes the flow of a point.
func (b *batch) begin(p *series.Point) *flow {
	f := &flow{resource: b.hash, baselineBefore: b.ledger.baselineBefore}
	b.place(f, p)
	return f
}

// move gives a flow whose resource has other attributes now the edge of these. What was counted stays where it is.
func (b *batch) move(f *flow, p *series.Point) {
	open := f.open
	f.close()
	f.resource = b.hash
	b.place(f, p)
	f.set(open)
}

// place finds the edge of a flow.
func (b *batch) place(f *flow, p *series.Point) {
	k, swapped := b.key(series.Read(p.Attributes))
	f.of, f.swapped, f.once = b.ledger.account(k), swapped, k.once()
}

// apply notes what a point does to its series, and reports whether it adds something.
func (b *batch) apply(e series.Effect) bool {
	if e == series.OutOfOrder {
		b.ledger.stats.OutOfOrder++
	}
	return e == series.Increase || e == series.Reset
}

// counter returns a function that counts the points of a counter. of returns the series of a point, and its total.
func (b *batch) counter(of func(*flow, series.Point) (*series.Counter, *total)) func(series.Point, int64) {
	return func(p series.Point, value int64) {
		f := b.open(&p)
		if f == nil {
			return
		}
		c, to := of(f, p)
		if n, e := c.Next(p, value, f.baselineBefore); b.apply(e) {
			to.add(n, b.ledger.flushed)
		}
	}
}

// io counts bytes in the direction of the edge.
func (b *batch) io(p series.Point, value int64) {
	direction, known := p.Attributes.Get(names.Direction)
	received := known && direction.AsString() == names.Receive
	b.counter(func(f *flow, _ series.Point) (*series.Counter, *total) {
		c := &f.sent
		if received {
			c = &f.received
		}
		switch {
		case received && f.once:
			return c, new(total) // the flow of the other end has sent it
		case received == f.swapped:
			return c, &f.of.sent
		}
		return c, &f.of.received
	})(p, value)
}

// active notes how many connections are open: a present value.
func (b *batch) active(p series.Point, value int64) {
	f := b.open(&p)
	if f == nil || !b.apply(f.active.Delta(p.At)) {
		return
	}
	if p.Delta {
		value += f.open
	}
	f.set(max(0, value))
}

// rtt counts the samples of round-trip times, each in the bucket that has the upper bound of its own. Samples of which
// no bucket is known are beyond all bounds.
func (b *batch) rtt(p series.Point, d pmetric.HistogramDataPoint) {
	f := b.open(&p)
	if f == nil {
		return
	}
	if f.rtt == nil {
		f.rtt = &series.Histogram{Ranked: true}
	}
	r, l := &f.of.rtt, b.ledger
	before := r.value
	s, e := f.rtt.Next(p, d, f.baselineBefore, func(upper float64, n uint64) { r.count(l, upper, n) })
	if b.apply(e) && s.Count > 0 {
		r.count(l, math.Inf(1), s.Count-min(s.Count, r.value-before))
		r.sum += s.Sum
	}
}

// expire forgets what was silent for too long.
func (l *Ledger) expire(now time.Time) {
	for id, f := range l.flows {
		if now.Sub(f.seen) < l.config.Expiry {
			continue
		}
		f.close()
		l.baselineBefore = max(l.baselineBefore, f.seen.UnixNano())
		delete(l.flows, id)
	}
	for k, a := range l.accounts {
		if a.flows == 0 && now.Sub(a.changed) >= l.config.Expiry {
			delete(l.accounts, k)
		}
	}
	clear(l.ends)
}
