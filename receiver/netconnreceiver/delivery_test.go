package netconnreceiver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// A picky consumer refuses all messages until it is told otherwise, and counts what it accepts.
type picky struct {
	t *testing.T

	mu       sync.Mutex
	refusing bool
	refused  int
	attempts int64
	events   int
}

func (p *picky) take(count func()) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refusing {
		p.refused++
		return errors.New("the queue is full")
	}
	count()
	return nil
}

func (p *picky) metrics() consumer.Metrics {
	c, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		return p.take(func() { p.attempts += totalsOf(md).Attempts })
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// logs changes what it is given, as a processor may.
func (p *picky) logs() consumer.Logs {
	c, err := consumer.NewLogs(func(_ context.Context, ld plog.Logs) error {
		n := ld.LogRecordCount()
		ld.ResourceLogs().RemoveIf(func(plog.ResourceLogs) bool { return true })
		return p.take(func() { p.events += n })
	}, consumer.WithCapabilities(consumer.Capabilities{MutatesData: true}))
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *picky) refuse(refusing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = refusing
}

func (p *picky) refusals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// await waits until the consumer has this much, or fails.
func (p *picky) await(what string, done func() bool) {
	p.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		p.mu.Lock()
		ok := done()
		p.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("waited in vain for %s: %d attempts, %d events, %d refused", what, p.attempts, p.events, p.refused)
		}
	}
}

// failing are the reports of attempts that failed, n at each call.
func failing(r *factoryRig, n int) func() {
	var mu sync.Mutex
	var reports []conn.Conn
	cookie := uint64(0)
	drain := func(h kernel.Handler) error {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range reports {
			h.Conn(c)
		}
		reports = nil
		return nil
	}
	r.sockets.Drain = drain
	r.sockets.Snapshot = func(_ bool, h kernel.Handler) error { return drain(h) }
	return func() {
		mu.Lock()
		defer mu.Unlock()
		for range n {
			cookie++
			reports = append(reports, conn.Conn{Socket: conn.Socket{
				ID: conn.ID{Cookie: cookie}, Role: conn.RoleClient, Phase: conn.Failed, SeenOpening: true,
			}})
		}
	}
}

// What the next component refuses arrives when it accepts again: once.
func TestRefusedMessagesArriveLater(t *testing.T) {
	r := newFactoryRig(t)
	fail := failing(r, 5)
	c := r.config()
	c.Temporality = TemporalityDelta
	p := &picky{t: t, refusing: true}
	metrics, logs := r.metrics(c, p.metrics()), r.logs(c, p.logs())
	r.begin(metrics, logs)
	for range 3 {
		fail()
		refused := p.refusals()
		p.await("refusals", func() bool { return p.refused > refused+4 })
	}
	p.refuse(false)
	p.await("all of them", func() bool { return p.attempts >= 15 && p.events >= 15 })
	r.end(metrics, logs)
	if p.attempts != 15 || p.events != 15 {
		t.Errorf("%d attempts, %d events; want 15 of each", p.attempts, p.events)
	}
}

// What was read after the last collection arrives at the shutdown, although its other ends could still be found.
func TestLastCollection(t *testing.T) {
	for _, temporality := range []Temporality{TemporalityCumulative, TemporalityDelta} {
		r := newFactoryRig(t)
		fail := failing(r, 5)
		c := r.config()
		c.Temporality, c.CollectionInterval, c.ExpireAfter, c.InitialDelay = temporality, time.Hour, 2*time.Hour, time.Hour
		p := &picky{t: t}
		metrics, logs := r.metrics(c, p.metrics()), r.logs(c, p.logs())
		r.begin(metrics, logs)
		fail()
		r.end(metrics, logs)
		if p.attempts != 5 || p.events != 5 {
			t.Errorf("%s: %d attempts, %d events; want 5 of each", temporality, p.attempts, p.events)
		}
	}
}

// A destination that does not answer does not keep the collector from stopping.
func TestLastCollectionDoesNotWait(t *testing.T) {
	r := newFactoryRig(t)
	c := r.config()
	c.CollectionInterval, c.ExpireAfter, c.InitialDelay = time.Hour, 2*time.Hour, time.Hour
	stuck, err := consumer.NewMetrics(func(ctx context.Context, _ pmetric.Metrics) error {
		<-ctx.Done()
		return ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	metrics := r.metrics(c, stuck)
	r.begin(metrics)
	began := time.Now()
	if err := metrics.Shutdown(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}

// The start does not wait for the connections that are open already, and the shutdown ends the search for them.
func TestStartAdoptsInTheBackground(t *testing.T) {
	r := newFactoryRig(t)
	searching, ended := make(chan struct{}), false
	r.sockets.Adopt = func(ctx context.Context) error {
		close(searching)
		<-ctx.Done()
		ended = true
		return nil
	}
	metrics := r.metrics(r.config(), consumertest.NewNop())
	r.begin(metrics)
	<-searching
	r.end(metrics)
	if !ended {
		t.Error("the search goes on after the shutdown")
	}
}

// A failed search costs the open connections, and is reported.
func TestAdoptFails(t *testing.T) {
	r := newRig(t)
	failed := errors.New("read iterator: no progress")
	r.sockets.Adopt = func(context.Context) error { return failed }
	r.start(t)
	if err := r.scraper.shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := r.told()
	if len(told) == 0 || !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, failed.Error()) }) {
		t.Errorf("told %q", told)
	}
}

// The feature gate alone decides whether metrics have the proposed names too.
func TestProposedConventions(t *testing.T) {
	gate := metadata.ReceiverNetconnProposedConventionsFeatureGate
	for _, enabled := range []bool{false, true} {
		if err := featuregate.GlobalRegistry().Set(gate.ID(), enabled); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = featuregate.GlobalRegistry().Set(gate.ID(), false) })
		var sink consumertest.MetricsSink
		next, err := new(netconnScraper).metricsTo(&sink)
		if err != nil {
			t.Fatal(err)
		}
		if err := next.ConsumeMetrics(t.Context(), metricsNamed(names.Retransmits)); err != nil {
			t.Fatal(err)
		}
		if _, proposed := totalsByName(sink.AllMetrics())["system.network.tcp.retransmits"]; proposed != enabled {
			t.Errorf("with the gate %v there are %v", enabled, totalsByName(sink.AllMetrics()))
		}
	}
}

// metricsNamed is a message with one point.
func metricsNamed(name string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	m.SetEmptySum().DataPoints().AppendEmpty().SetIntValue(3)
	return md
}

func totalsByName(messages []pmetric.Metrics) map[string]int64 {
	totals := map[string]int64{}
	for _, md := range messages {
		for _, m := range md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().All() {
			totals[m.Name()] += m.Sum().DataPoints().At(0).IntValue()
		}
	}
	return totals
}
