package netmapconnector

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/connector/connectortest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/netmapconnector/internal/metadata"
	"github.com/netconn/netconn/netmap/netmapconnector/internal/metadatatest"
)

func settings() connector.Settings { return connectortest.NewNopSettings(metadata.Type) }

// begin returns a connector that was started, with an interval that no test waits for unless it is changed.
func begin(t *testing.T, set connector.Settings, next consumer.Metrics, change func(*Config)) connector.Metrics {
	t.Helper()
	c := createDefaultConfig().(*Config)
	if change != nil {
		change(c)
	}
	edges, err := create(t.Context(), set, c, next)
	if err == nil {
		err = edges.Start(t.Context(), componenttest.NewNopHost())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = edges.Shutdown(context.Background()) })
	return edges
}

// traffic is that of a pod, which has sent so many bytes since it began a second ago.
func traffic(sent int64) pmetric.Metrics {
	now := time.Now()
	return feedtest.Metrics(feedtest.Delta, feedtest.Flow{
		Resource: feedtest.Attributes{
			"host.id": "h", "container.id": "c", "k8s.namespace.name": "shop", "k8s.deployment.name": "web",
			"k8s.pod.name": "web-1", "k8s.pod.uid": "u",
		},
		Point: feedtest.Attributes{
			"netconn.role": "client", "netconn.peer.scope": "remote", "netconn.peer.type": "public", "server.port": 443,
		},
		Start: now.Add(-time.Second), At: now, Tx: sent,
	})
}

// sent returns the bytes that a message has for the one edge of the tests; 0: none.
func sent(m pmetric.Metrics) int64 {
	for _, rm := range m.ResourceMetrics().All() {
		for _, metric := range rm.ScopeMetrics().At(0).Metrics().All() {
			if metric.Name() == names.EdgeIO {
				return metric.Sum().DataPoints().At(0).IntValue()
			}
		}
	}
	return 0
}

// At shutdown the totals go out, with the collector's resource, the zeros before them.
func TestTotalsGoOutAtShutdown(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	set := settings()
	set.Resource.Attributes().PutStr("service.instance.id", "gateway-1")
	set.BuildInfo.Version = "1.2.3"
	edges := begin(t, set, sink, nil)
	for range 2 {
		if err := edges.ConsumeMetrics(t.Context(), traffic(100)); err != nil {
			t.Fatal(err)
		}
	}
	if err := edges.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := edges.Shutdown(t.Context()); err != nil || len(sink.AllMetrics()) != 2 {
		t.Fatalf("%d messages, want the zeros and the totals: %v", len(sink.AllMetrics()), err)
	}
	zeros, totals := sink.AllMetrics()[0], sink.AllMetrics()[1]
	if sent(zeros) != 0 || sent(totals) != 200 {
		t.Errorf("%d bytes, then %d; want 0, then 200", sent(zeros), sent(totals))
	}
	rm := totals.ResourceMetrics().At(0)
	if id, _ := rm.Resource().Attributes().Get("service.instance.id"); id.AsString() != "gateway-1" {
		t.Errorf("the resource is %v", rm.Resource().Attributes().AsRaw())
	}
	if s := rm.ScopeMetrics().At(0).Scope(); s.Name() != scope || s.Version() != "1.2.3" {
		t.Errorf("the scope is %s %s", s.Name(), s.Version())
	}
}

// What is refused is in the totals of the next interval.
func TestWhatIsRefusedIsSentAgain(t *testing.T) {
	var calls, last atomic.Int64
	next, err := consumer.NewMetrics(func(_ context.Context, m pmetric.Metrics) error {
		if calls.Add(1) <= 2 {
			return errors.New("the store is full")
		}
		last.Store(sent(m))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	edges := begin(t, settings(), next, func(c *Config) { c.Interval = 5 * time.Millisecond })
	if err := edges.ConsumeMetrics(t.Context(), traffic(100)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); last.Load() != 100; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %d calls %d bytes came, want 100", calls.Load(), last.Load())
		}
	}
}

// With nothing to say, nothing is sent.
func TestNothingIsSentOfNothing(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	edges := begin(t, settings(), sink, nil)
	if err := edges.Shutdown(t.Context()); err != nil || len(sink.AllMetrics()) != 0 {
		t.Errorf("%d messages, %v", len(sink.AllMetrics()), err)
	}
}

// The collector's own metrics say what is held and what was dropped, by the connector's ID.
func TestTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	set := settings()
	set.TelemetrySettings = tel.NewTelemetrySettings()
	edges := begin(t, set, new(consumertest.MetricsSink), nil)
	for range 2 {
		m := traffic(100)
		if err := edges.ConsumeMetrics(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if err := edges.ConsumeMetrics(t.Context(), m); err != nil { // the same again is out of order
			t.Fatal(err)
		}
	}
	id := attribute.String("netmap.connector.id", set.ID.String())
	point := func(value int64, more ...attribute.KeyValue) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: value, Attributes: attribute.NewSet(append(more, id)...)}
	}
	one := []metricdata.DataPoint[int64]{point(1)}
	metadatatest.AssertEqualNetmapConnectorEdges(t, tel, one, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualNetmapConnectorFlows(t, tel, one, metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualNetmapConnectorOverflowedFlows(t, tel, []metricdata.DataPoint[int64]{point(0)},
		metricdatatest.IgnoreTimestamp())
	why := func(reason string) attribute.KeyValue { return attribute.String("netmap.connector.reason", reason) }
	metadatatest.AssertEqualNetmapConnectorPointsDropped(t, tel, []metricdata.DataPoint[int64]{
		point(8, why("out_of_order")), point(0, why("flows")), point(0, why("values")), point(0, why("points")),
	}, metricdatatest.IgnoreTimestamp())
}

// Each interval has the totals since the start; the zeros come once.
func TestEveryInterval(t *testing.T) {
	sink := new(consumertest.MetricsSink)
	edges := begin(t, settings(), sink, func(c *Config) { c.Interval = 5 * time.Millisecond })
	has := func(want int64) bool {
		all := sink.AllMetrics()
		return len(all) > 0 && sent(all[len(all)-1]) == want
	}
	for i := range int64(3) {
		if err := edges.ConsumeMetrics(t.Context(), traffic(100)); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); !has(100 * (i + 1)); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("after %d messages the totals do not have %d bytes", len(sink.AllMetrics()), 100*(i+1))
			}
		}
	}
	zeros, last := 0, int64(0)
	for _, m := range sink.AllMetrics() {
		n := sent(m)
		if n == 0 {
			zeros++
			continue
		}
		if n < last {
			t.Errorf("%d bytes after %d", n, last)
		}
		last = n
	}
	if zeros != 1 {
		t.Errorf("%d messages of zeros, want one", zeros)
	}
}

// What comes in belongs to other pipelines too: it is only read.
func TestWhatComesInIsNotChanged(t *testing.T) {
	edges := begin(t, settings(), new(consumertest.MetricsSink), nil)
	m, before := traffic(100), pmetric.NewMetrics()
	m.CopyTo(before)
	if err := edges.ConsumeMetrics(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text(t, before), text(t, m)); diff != "" || edges.Capabilities().MutatesData {
		t.Errorf("the metrics that came in were changed (-before +after):\n%s", diff)
	}
}

func text(t *testing.T, m pmetric.Metrics) string {
	t.Helper()
	all, err := new(pmetric.JSONMarshaler).MarshalMetrics(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}
