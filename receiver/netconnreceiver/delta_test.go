package netconnreceiver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// TestDeltasAddUp plays connections that come, go and stay away, beyond every limit, with flows that expire and are
// added up: the sums of all deltas are what was carried, each series has a point at most in each collection, and none
// covers a time twice.
func TestDeltasAddUp(t *testing.T) {
	for seed := range uint64(20) {
		w := newDeltaWorld(t, seed)
		for range 60 {
			w.now = w.now.Add([]time.Duration{10 * time.Second, 10 * time.Second, 2 * time.Minute}[w.random.IntN(3)])
			w.step()
			w.collect()
		}
		w.closeAll()
		for range 3 { // the first reports may have to wait for two seconds
			w.now = w.now.Add(10 * time.Second)
			w.collect()
		}
		w.moved.Active = 0
		wantTotals(t, fmt.Sprintf("seed %d", seed), w.carried, w.moved)
	}
}

// The next component refuses some collections, whatever flows expire meanwhile. The sums of those that it accepts are
// what was carried.
func TestRefusedDeltasAreNotLost(t *testing.T) {
	for seed := range uint64(20) {
		w := newDeltaWorld(t, seed)
		w.refusals = 2
		for range 60 {
			w.now = w.now.Add([]time.Duration{10 * time.Second, 10 * time.Second, 2 * time.Minute}[w.random.IntN(3)])
			w.step()
			w.collect()
		}
		w.closeAll()
		w.refusals = 0
		for range 3 {
			w.now = w.now.Add(10 * time.Second)
			w.collect()
		}
		w.moved.Active = 0
		wantTotals(t, fmt.Sprintf("seed %d", seed), w.carried, w.moved)
		if w.scraper.sent.Metrics == 0 || w.scraper.sent.Metrics != w.refused {
			t.Errorf("%d refused messages are counted, want %d", w.scraper.sent.Metrics, w.refused)
		}
	}
}

// A deltaWorld is a machine, what its connections have carried, and what the deltas say.
type deltaWorld struct {
	t              *testing.T
	random         *rand.Rand
	scraper        *netconnScraper
	now, before    time.Time
	live           []conn.Conn
	reports        []conn.Conn // of the next collection
	opened         uint64
	carried, moved totals
	refusals       int // of three collections
	refused        uint64
}

func newDeltaWorld(t *testing.T, seed uint64) *deltaWorld {
	w := &deltaWorld{t: t, random: rand.New(rand.NewPCG(seed, 0)), now: at(0), before: at(0)}
	r := newRig(t)
	r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
		for id := range uint64(3) {
			h.Cgroup(conn.Cgroup{ID: id + 1, Path: fmt.Sprintf("/system.slice/%c.service", 'a'+rune(id))})
		}
		for _, c := range w.reports {
			h.Conn(c)
		}
		w.reports = nil
		return nil
	}
	c := r.scraper.config
	c.Temporality, c.ExpireAfter = TemporalityDelta, time.Minute
	c.LimitPerResource, c.MaxResources, c.MaxConnections = 1+w.random.IntN(4), 1+w.random.IntN(3), 1+w.random.IntN(12)
	if w.random.IntN(2) == 0 {
		c.Metrics.NetconnIo.EnabledAttributes = []metadata.NetconnIoMetricAttributeKey{"network.io.direction", "netconn.role"}
	}
	r.scraper.machine.Now = func() time.Time { return w.now }
	start(t, r.scraper)
	w.scraper = r.scraper
	return w
}

// step opens some connections, and has some of all carry something, and some end.
func (w *deltaWorld) step() {
	for range w.random.IntN(4) {
		w.opened++
		w.carried.Attempts++
		w.live = append(w.live, conn.Conn{
			Socket: conn.Socket{
				ID: conn.ID{Cookie: w.opened}, Role: conn.RoleClient, SeenOpening: true,
				Tuple: conn.Tuple{
					Source:      netip.MustParseAddrPort("10.0.0.1:40000"),
					Destination: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), uint16(80+w.random.IntN(4))),
				},
			},
			Process: conn.Process{PID: 4_000_000, Cgroup: 1 + w.random.Uint64N(3), Executable: "app"},
		})
	}
	var live []conn.Conn
	for _, c := range w.live {
		sent, received := w.random.Uint64N(1000), w.random.Uint64N(1000)
		c.Counts[conn.Sent] += sent
		c.Counts[conn.Received] += received
		w.carried.Transmitted += int64(sent)
		w.carried.Received += int64(received)
		if w.random.IntN(3) == 0 {
			w.end(c)
			continue
		}
		live = append(live, c)
		w.reports = append(w.reports, c)
	}
	w.live = live
}

func (w *deltaWorld) end(c conn.Conn) {
	c.Phase = conn.Closed
	w.carried.Closed++
	w.reports = append(w.reports, c)
}

func (w *deltaWorld) closeAll() {
	for _, c := range w.live {
		w.end(c)
	}
	w.live = nil
}

func (w *deltaWorld) collect() {
	w.t.Helper()
	md, err := w.scraper.scrape(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	w.checkSeries(md)
	if w.random.IntN(3) < w.refusals {
		w.refused++
		w.scraper.deliveredMetrics(errors.New("refused"))
		return
	}
	w.scraper.deliveredMetrics(nil)
	sum := totalsOf(md)
	w.moved.Transmitted += sum.Transmitted
	w.moved.Received += sum.Received
	w.moved.Attempts += sum.Attempts
	w.moved.Closed += sum.Closed
	w.before = w.now
}

func (w *deltaWorld) checkSeries(md pmetric.Metrics) {
	w.t.Helper()
	seen := make(map[string]bool)
	for _, r := range md.ResourceMetrics().All() {
		for _, m := range r.ScopeMetrics().At(0).Metrics().All() {
			if m.Type() != pmetric.MetricTypeSum || m.Name() == "netconn.active" {
				continue
			}
			for _, p := range m.Sum().DataPoints().All() {
				series := fmt.Sprint(r.Resource().Attributes().AsRaw(), m.Name(), p.Attributes().AsRaw())
				if seen[series] || p.IntValue() == 0 {
					w.t.Fatalf("twice, or nothing: %s %d", series, p.IntValue())
				}
				seen[series] = true
				start := p.StartTimestamp().AsTime()
				// a part that was not refused begins later
				starts := start.Equal(w.before) || w.refused > 0 && start.After(w.before) && start.Before(w.now)
				if !starts || p.Timestamp() != pcommon.NewTimestampFromTime(w.now) {
					w.t.Fatalf("%s covers %v to %v, the collection %v to %v", series, p.StartTimestamp(), p.Timestamp(), w.before, w.now)
				}
			}
		}
	}
}
