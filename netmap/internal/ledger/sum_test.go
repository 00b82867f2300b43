package ledger

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/feedtest"
)

// Whatever agents do, what went out of the ledger is what went in: with restarts, repeated messages, both
// temporalities, names that change, edges beyond the limit, and flushes in between.
func TestNothingIsLostOrDoubled(t *testing.T) {
	for seed := range uint64(20) {
		dice := rand.New(rand.NewPCG(seed, 7))
		w := newWorld(t, func(c *Config) { c.MaxEdges = 3 + dice.IntN(10) })
		type agent struct {
			flow        feedtest.Flow
			temporality feedtest.Temporality
		}
		agents := make([]agent, 12)
		for i := range agents {
			agents[i] = agent{
				flow:        feedtest.Flow{Resource: pod("web", i), Point: sees("client", "db", 1+i%4), Start: w.now},
				temporality: []feedtest.Temporality{cumulative, delta}[i%2],
			}
		}
		truth := map[string]int64{}
		for range 60 {
			a := &agents[dice.IntN(len(agents))]
			f, n := &a.flow, dice.Int64N(1000)
			switch {
			case a.temporality == delta:
				f.Tx = n
			case dice.IntN(5) == 0: // it starts anew
				f.Start, f.Tx = w.now.Add(time.Second), n
			default:
				f.Tx += n
			}
			if dice.IntN(6) == 0 {
				f.Resource = f.Resource.With(feedtest.Attributes{"container.image.tags": []string{strconv.Itoa(dice.IntN(9))}})
			}
			truth["transmit"] += n
			w.collect(a.temporality, *f)
			if dice.IntN(3) == 0 {
				f.At = w.now
				w.Add(feedtest.Metrics(a.temporality, *f)) // the same again
			}
			if dice.IntN(10) == 0 {
				w.Flush()
			}
		}
		_, totals := w.Flush()
		got := map[string]int64{}
		for _, m := range totals.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			if m.Name() != names.EdgeIO {
				continue
			}
			for _, p := range m.Sum().DataPoints().All() {
				direction, _ := p.Attributes().Get(names.Direction)
				got[direction.Str()] += p.IntValue()
			}
		}
		if diff := gocmp.Diff(truth, got); diff != "" {
			t.Errorf("seed %d: bytes (-want +got):\n%s", seed, diff)
		}
	}
}

// An edge has all that identifies it among its attributes, and the tags that were chosen.
func TestAttributesOfAnEdge(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Tags = []names.Tag{names.TagZone, names.TagNode} })
	w.collect(cumulative, feedtest.Flow{
		Resource: pod("web", 1).With(feedtest.Attributes{"cloud.availability_zone": "a"}), Tx: 1,
		Point: sees("client", "db", 5432).With(feedtest.Attributes{"netconn.peer.zone": "b", "network.transport": "udp"}),
	})
	_, totals := w.Flush()
	got := totals.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().At(0).Attributes().AsRaw()
	if diff := gocmp.Diff(map[string]any{
		"netconn.reporter": "client", "netconn.scope": "remote", "network.transport": "udp", "server.port": int64(5432),
		"client.type": "pod", "client.namespace": "shop", "client.name": "web", "client.zone": "a", "client.node": "node",
		"server.type": "pod", "server.namespace": "shop", "server.name": "db", "server.zone": "b",
		"network.io.direction": "transmit",
	}, got); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

// An application and its own sidecar are two ends of one workload, which their containers tell apart.
func TestAHopInAPod(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Tags = nil })
	w.collect(cumulative, feedtest.Flow{
		Resource: pod("web", 1), Tx: 1,
		Point: sees("client", "web", 15001).With(feedtest.Attributes{
			"netconn.peer.scope": "pod", "netconn.peer.container.name": "istio-proxy",
		}),
	})
	if _, got := w.flush(); got["io web:app -> web:istio-proxy port 15001 by client, transmit in one pod"] != "1" {
		t.Errorf("%v", got)
	}
}

// A point without a direction, as a processor may leave it, is what the end has sent.
func TestAPointWithoutADirection(t *testing.T) {
	w := newWorld(t, nil)
	f := feedtest.Flow{Resource: pod("web", 1), Point: sees("client", "db", 5432), Start: w.now, At: w.now.Add(1), Tx: 7}
	m := feedtest.Metrics(cumulative, f)
	for _, metric := range m.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
		if metric.Name() == names.IO {
			metric.Sum().DataPoints().At(0).Attributes().RemoveIf(func(k string, _ pcommon.Value) bool { return k == names.Direction })
		}
	}
	w.Add(m)
	if _, got := w.flush(); got["io web:v1 -> db:v1 port 5432 by client, transmit"] != "7" {
		t.Errorf("%v", got)
	}
}

// Agents report at once, while totals are sent.
func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, nil)
	var all sync.WaitGroup
	for i := range 4 {
		f := feedtest.Flow{Resource: pod("web", i), Point: sees("client", "db", 5432), Start: w.now, At: w.now.Add(time.Second), Tx: 10}
		all.Go(func() {
			for range 50 {
				w.Add(feedtest.Metrics(delta, f))
				f.At = f.At.Add(time.Second)
				w.Flush()
				w.Stats()
			}
		})
	}
	all.Wait()
	if _, got := w.flush(); got["io web:v1 -> db:v1 port 5432 by client, transmit"] != "2000" {
		t.Errorf("%v", got)
	}
}

// The overflow edge of each role is apart from the other.
func TestOverflowOfBothRoles(t *testing.T) {
	k := key{byServer: true, scope: edge.ScopeRemote}
	if o := k.other(); !o.byServer || o.client != edge.Overflow() || o.scope != edge.ScopeUnknown || o == (&key{}).other() {
		t.Errorf("%+v", o)
	}
}
