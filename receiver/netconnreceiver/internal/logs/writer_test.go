package logs

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/filter"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/resources"
)

func newWriter(change func(*metadata.ResourceAttributesConfig)) *Writer {
	c := metadata.DefaultResourceAttributesConfig()
	change(&c)
	return &Writer{Version: "test", Resources: resources.New(c)}
}

// late is how long after the end of a connection its report is read.
const late = 150 * time.Millisecond

// ended is the event of a connection of an owner.
func ended(owner string, read time.Time) pipeline.Event {
	return pipeline.Event{
		Conn: conn.Conn{
			Timing: conn.Timing{Opened: read.Add(-late)},
			Socket: conn.Socket{
				Tuple: conn.Tuple{
					Source:      netip.MustParseAddrPort("10.0.0.1:40000"),
					Destination: netip.MustParseAddrPort("10.96.1.3:80"),
				},
				Role: conn.RoleClient, Phase: conn.Closed,
			},
			Counts: conn.Counts{
				conn.Sent: 1, conn.Received: 2, conn.SegmentsSent: 3, conn.SegmentsReceived: 4, conn.Retransmits: 5,
			},
			Owner: conn.Owner{Executable: owner},
		},
		Read: read,
	}
}

func TestWriteRecord(t *testing.T) {
	read := time.Unix(1_700_000_000, 5)
	closed := ended("app", read)
	closed.Conn.Timing = conn.Timing{
		Handshake: time.Millisecond, Age: 2 * time.Second, Opened: read.Add(-late - 2*time.Second), RTT: 3 * time.Millisecond,
	}
	closed.Server, closed.Port = netip.MustParseAddrPort("10.244.2.13:15006"), 9080
	closed.Client = netip.MustParseAddrPort("10.0.0.1:40000")
	closed.Peer[names.PeerName] = "reviews"
	failed := ended("app", read)
	failed.Conn.Phase, failed.Conn.Error, failed.Conn.Counts[conn.Timeouts] = conn.Failed, conn.TimedOut, 6
	open := closed
	open.Conn.Phase, open.Trigger, open.Server, open.Port = conn.Open, pipeline.Resent, netip.AddrPort{}, 0
	open.Client, open.Peer = netip.AddrPort{}, conn.Peer{}
	open.Conn.Counts[conn.LimitedByReceiver], open.Conn.Counts[conn.LimitedByBuffer] = 1500, 20
	for name, tt := range map[string]struct {
		event pipeline.Event
		name  string
		want  map[string]any
	}{
		"closed": {closed, "netconn.connection.closed", map[string]any{
			"netconn.connection.io.transmit": int64(1), "netconn.connection.io.receive": int64(2), "netconn.connection.packets.transmit": int64(3),
			"netconn.connection.packets.receive": int64(4), "netconn.connection.retransmits": int64(5), "netconn.connection.duration": 2.0,
			"netconn.connection.rtt": 0.003, "netconn.connection.handshake.duration": 0.001, "netconn.peer.name": "reviews",
			"server.address": "10.244.2.13", "server.port": int64(9080), "client.address": "10.0.0.1",
			"client.port": int64(40000),
		}},
		"open, and worse": {open, "netconn.connection.open", map[string]any{
			"netconn.connection.io.transmit": int64(1), "netconn.connection.io.receive": int64(2),
			"netconn.connection.packets.transmit": int64(3), "netconn.connection.packets.receive": int64(4),
			"netconn.connection.retransmits": int64(5), "netconn.connection.duration": 2.0,
			"netconn.connection.rtt": 0.003, "netconn.connection.handshake.duration": 0.001,
			"netconn.connection.trigger":          "retransmits",
			"netconn.connection.limited.receiver": 1.5, "netconn.connection.limited.send_buffer": 0.02,
		}},
		"failed, and nothing is known": {failed, "netconn.connection.failed", map[string]any{
			"error.type": "timed_out", "netconn.connection.packets.transmit": int64(3), "netconn.connection.packets.receive": int64(4),
			"netconn.connection.retransmits": int64(5), "netconn.connection.timeouts": int64(6),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for key, v := range map[string]any{
				"netconn.role": "client", "network.transport": "tcp", "netconn.nat": "unresolved",
				"network.local.address": "10.0.0.1", "network.local.port": int64(40000),
				"network.peer.address": "10.96.1.3", "network.peer.port": int64(80),
			} {
				tt.want[key] = v
			}
			lr := plog.NewLogRecord()
			write(&tt.event, lr)
			if diff := cmp.Diff(tt.want, lr.Attributes().AsRaw()); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if lr.EventName() != tt.name {
				t.Errorf("got the event %s, want %s", lr.EventName(), tt.name)
			}
			wantTimes(t, lr, read.Add(-late), read)
		})
	}
}

func wantTimes(t *testing.T, lr plog.LogRecord, ended, observed time.Time) {
	t.Helper()
	if got := lr.Timestamp().AsTime(); !got.Equal(ended) {
		t.Errorf("ended at %v, want %v", got, ended)
	}
	if got := lr.ObservedTimestamp().AsTime(); !got.Equal(observed) {
		t.Errorf("observed at %v, want %v", got, observed)
	}
}

// A connection that ends while the reports are read was not observed before its end.
func TestEndAfterReading(t *testing.T) {
	read := time.Unix(1_700_000_000, 0)
	e, lr := ended("app", read), plog.NewLogRecord()
	e.Conn.Opened = read.Add(time.Millisecond)
	write(&e, lr)
	wantTimes(t, lr, e.Conn.Opened, e.Conn.Opened)
}

// Records are by resource, in the order of the first event of each.
func TestWriteByResource(t *testing.T) {
	w := newWriter(func(*metadata.ResourceAttributesConfig) {})
	at := time.Unix(0, 0)
	logs := w.Write([]pipeline.Event{ended("b", at), ended("a", at.Add(1)), ended("b", at.Add(2))})
	got := map[string]int{}
	var order []string
	for _, rl := range logs.ResourceLogs().All() {
		v, _ := rl.Resource().Attributes().Get(names.Executable)
		order = append(order, v.Str())
		sl := rl.ScopeLogs().At(0)
		got[v.Str()] = sl.LogRecords().Len()
		if sl.Scope().Name() != metadata.ScopeName || sl.Scope().Version() != "test" || rl.SchemaUrl() == "" {
			t.Errorf("scope %s %s, schema %q", sl.Scope().Name(), sl.Scope().Version(), rl.SchemaUrl())
		}
	}
	if diff := cmp.Diff([]string{"b", "a"}, order); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 2}, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// A disabled attribute makes owners one resource, and an excluded resource has no events.
func TestWriteSelects(t *testing.T) {
	events := []pipeline.Event{ended("a", time.Unix(0, 0)), ended("b", time.Unix(0, 0))}
	one := newWriter(func(c *metadata.ResourceAttributesConfig) { c.ProcessExecutableName.Enabled = false })
	if got := one.Write(events); got.ResourceLogs().Len() != 1 || got.LogRecordCount() != 2 {
		t.Errorf("without executables: %d records on %d resources", got.LogRecordCount(), got.ResourceLogs().Len())
	}
	without := newWriter(func(c *metadata.ResourceAttributesConfig) {
		c.ProcessExecutableName.EventsExclude = []filter.Config{{Strict: "a"}}
		c.ProcessExecutableName.MetricsExclude = []filter.Config{{Strict: "b"}}
	})
	if got := without.Write(events); got.ResourceLogs().Len() != 1 || got.LogRecordCount() != 1 {
		t.Errorf("without a: %d records on %d resources", got.LogRecordCount(), got.ResourceLogs().Len())
	}
}
