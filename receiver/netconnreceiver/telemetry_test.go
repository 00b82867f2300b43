package netconnreceiver

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	otelattribute "go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadatatest"
)

// TestTelemetry gives each counter a figure of its own, so that none can stand for another.
func TestTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	r := newRigWith(t, metadatatest.NewSettings(tel), nil)
	r.sockets.Stats = func() (kernel.Stats, error) {
		return kernel.Stats{
			Tracked: 1, Adopted: 2, Unowned: 3, StorageRefused: 4, RingRefused: 3, FailedRefused: 2, EndedUntracked: 6, SnapshotAgain: 7, Missed: 8, NoRoom: 9,
			Programs: []kernel.Program{{Name: "life"}},
		}, nil
	}
	r.sockets.Losses = func() (conn.Losses, error) {
		return conn.Losses{
			conn.LostOpenings: 11, conn.LostFailures: 12, conn.LostCloses: 13, conn.LostKnown: 14,
			conn.LostSent: 15, conn.LostReceived: 16,
		}, nil
	}
	r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
		open := conn.Conn{
			Socket: conn.Socket{
				ID: conn.ID{Cookie: 1}, Role: conn.RoleClient, Sequence: conn.Sequence{Local: 1, Remote: 2},
			},
		}
		closed := conn.Conn{Socket: conn.Socket{ID: conn.ID{Cookie: 2}, Role: conn.RoleClient, Phase: conn.Closed}}
		for _, c := range []conn.Conn{open, closed, closed, closed} {
			h.Conn(c)
		}
		h.Listener(conn.Listener{ID: conn.ID{Cookie: 3}, Drops: 1})
		return nil
	}
	r.start(t)
	if _, err := tel.GetMetric("otelcol_netconn_flows"); err == nil {
		t.Error("there are figures before the first collection")
	}
	if _, err := r.scraper.scrape(context.Background()); err != nil {
		t.Fatal(err)
	}
	expectKernel(t, tel)
	expectLosses(t, tel)
	expectFlows(t, tel)
	attached := ofReceiver(otelattribute.String("netconn.program", "life"))
	metadatatest.AssertEqualNetconnProgramAttached(t, tel,
		[]metricdata.DataPoint[int64]{{Value: 1, Attributes: attached}}, metricdatatest.IgnoreTimestamp())
}

func expectKernel(t *testing.T, tel *componenttest.Telemetry) {
	t.Helper()
	expect(t, tel, metadatatest.AssertEqualNetconnSocketsTracked, 1)
	expect(t, tel, metadatatest.AssertEqualNetconnSocketsAdopted, 2)
	expect(t, tel, metadatatest.AssertEqualNetconnSocketsUnowned, 3)
	expect(t, tel, metadatatest.AssertEqualNetconnStorageRefused, 4)
	expect(t, tel, metadatatest.AssertEqualNetconnRingRefused, 5)
	expect(t, tel, metadatatest.AssertEqualNetconnSocketsMissed, 6)
	expect(t, tel, metadatatest.AssertEqualNetconnSnapshotResumed, 7)
	expect(t, tel, metadatatest.AssertEqualNetconnProgramsMissed, 8)
	expect(t, tel, metadatatest.AssertEqualNetconnSocketsNoRoom, 9)
}

func expectLosses(t *testing.T, tel *componenttest.Telemetry) {
	t.Helper()
	expectEach(t, tel, metadatatest.AssertEqualNetconnConnectionsLost, "netconn.end",
		map[string]int64{"opened": 11, "failed": 12, "closed": 13, "known": 14})
	expectEach(t, tel, metadatatest.AssertEqualNetconnBytesLost, "network.io.direction",
		map[string]int64{"transmit": 15, "receive": 16})
	expectEach(t, tel, metadatatest.AssertEqualNetconnOwnersUnresolved, "netconn.reason",
		map[string]int64{"no_cgroup": 5, "gone": 0, "no_mount": 0, "unreadable": 0, "deferred": 0})
}

func expectFlows(t *testing.T, tel *componenttest.Telemetry) {
	t.Helper()
	expect(t, tel, metadatatest.AssertEqualNetconnConnections, 1)
	expect(t, tel, metadatatest.AssertEqualNetconnConnectionsPending, 1)
	expect(t, tel, metadatatest.AssertEqualNetconnConnectionsVanished, 0)
	expect(t, tel, metadatatest.AssertEqualNetconnListeners, 1)
	expect(t, tel, metadatatest.AssertEqualNetconnLateReports, 2)
	expect(t, tel, metadatatest.AssertEqualNetconnResources, 1)
	expect(t, tel, metadatatest.AssertEqualNetconnFlowsOverflow, 1)
	expect(t, tel, metadatatest.AssertEqualNetconnFlows, 3)
}

// TestTelemetryOfLimits has room for one connection, and for eight events, of which there may be two a second.
func TestTelemetryOfLimits(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	r := newRigWith(t, metadatatest.NewSettings(tel), nil)
	c := r.scraper.config
	c.CollectionInterval, c.MaxConnections, c.Events.Enabled, c.Events.MaxPerSecond = 0, 1, true, 2
	now := at(0)
	r.scraper.machine.Now = func() time.Time { return now }
	r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
		live := conn.Conn{
			Socket: conn.Socket{
				ID: conn.ID{Cookie: 1}, Role: conn.RoleClient, Sequence: conn.Sequence{Local: 1, Remote: 2},
			},
		}
		other := conn.Conn{
			Socket: conn.Socket{
				ID: conn.ID{Cookie: 2}, Role: conn.RoleServer, Sequence: conn.Sequence{Local: 3, Remote: 4},
			},
		}
		for range 3 {
			h.Conn(live)
			h.Conn(other)
		}
		for i := range uint64(5) {
			h.Conn(conn.Conn{
				Socket: conn.Socket{ID: conn.ID{Cookie: 3 + i}, Role: conn.RoleClient, Phase: conn.Failed},
			})
		}
		return nil
	}
	start(t, r.scraper)
	if err := r.scraper.health.Register(); err != nil {
		t.Fatal(err)
	}
	r.scraper.run(signalLogs, 1)
	for second := range int64(7) { // two events each, until there is room for none, and after they are taken two
		now = at(second)
		if second == 5 {
			if _, err := r.scraper.scrapeLogs(context.Background()); err != nil {
				t.Fatal(err)
			}
			r.scraper.deliveredLogs(nil)
			continue
		}
		if _, err := r.scraper.scrape(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	expectBeyond(t, tel, map[string]int64{"max_resources": 0, "max_connections": 35, "udp_peers": 0})
	expect(t, tel, metadatatest.AssertEqualNetconnReportsDeferred, 21)
	expect(t, tel, metadatatest.AssertEqualNetconnEndsUnpaired, 21)
	expect(t, tel, metadatatest.AssertEqualNetconnEvents, 8)
	expectEach(t, tel, metadatatest.AssertEqualNetconnEventsDropped, "netconn.limit", map[string]int64{"rate": 12, "buffer": 13})
}

type assertion func(*testing.T, *componenttest.Telemetry, []metricdata.DataPoint[int64], ...metricdatatest.Option)

func expect(t *testing.T, tel *componenttest.Telemetry, equal assertion, value int64) {
	t.Helper()
	equal(t, tel, []metricdata.DataPoint[int64]{{Value: value, Attributes: ofReceiver()}}, metricdatatest.IgnoreTimestamp())
}

// ofReceiver returns attributes with the ID that a rig's receiver has.
func ofReceiver(attributes ...otelattribute.KeyValue) otelattribute.Set {
	return otelattribute.NewSet(append(attributes, otelattribute.String("receiver", "netconn"))...)
}

func expectEach(t *testing.T, tel *componenttest.Telemetry, equal assertion, key string, values map[string]int64) {
	t.Helper()
	var points []metricdata.DataPoint[int64]
	for v, n := range values {
		points = append(points, metricdata.DataPoint[int64]{Value: n, Attributes: ofReceiver(otelattribute.String(key, v))})
	}
	equal(t, tel, points, metricdatatest.IgnoreTimestamp())
}

// expectBeyond wants as many connections beyond each limit.
func expectBeyond(t *testing.T, tel *componenttest.Telemetry, causes map[string]int64) {
	t.Helper()
	var points []metricdata.DataPoint[int64]
	for cause, n := range causes {
		points = append(points, metricdata.DataPoint[int64]{Value: n, Attributes: otelattribute.NewSet(
			otelattribute.String("netconn.cause", cause), otelattribute.String("netconn.resource", ""),
			otelattribute.String("receiver", "netconn"))})
	}
	metadatatest.AssertEqualNetconnConnectionsBeyondLimit(t, tel, points, metricdatatest.IgnoreTimestamp())
}
