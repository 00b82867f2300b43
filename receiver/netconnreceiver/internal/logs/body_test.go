package logs

import (
	"math"
	"net/netip"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/pipeline"
)

// bodies are changes of an event, and what a reader of logs sees of it.
var bodies = map[string]struct {
	change func(*pipeline.Event)
	want   string
}{
	"closed": {func(*pipeline.Event) {}, "productpage -> reviews:9080 closed after 344 ms, 192 B out, 20.5 kB in"},
	"the server's end": {
		func(e *pipeline.Event) { e.Conn.Role, e.Peer[names.PeerName] = conn.RoleServer, "envoy" },
		"envoy -> productpage:9080 closed after 344 ms, 192 B out, 20.5 kB in",
	},
	"failed": {
		func(e *pipeline.Event) {
			e.Conn.Phase, e.Conn.Error, e.Conn.Age = conn.Failed, conn.Refused, 80*time.Microsecond
		},
		"productpage -> reviews:9080 failed after 80 us: refused",
	},
	"closed by a reset": {
		func(e *pipeline.Event) { e.Conn.Error = conn.Reset },
		"productpage -> reviews:9080 closed after 344 ms: reset, 192 B out, 20.5 kB in",
	},
	"open": {
		func(e *pipeline.Event) { e.Conn.Phase, e.Trigger = conn.Open, pipeline.Periodic },
		"productpage -> reviews:9080 open for 344 ms, 192 B out, 20.5 kB in",
	},
	"open, with retransmits": {
		func(e *pipeline.Event) {
			e.Conn.Phase, e.Trigger, e.Conn.Counts[conn.Retransmits] = conn.Open, pipeline.Resent, 12
		},
		"productpage -> reviews:9080 open for 344 ms: 12 retransmits, 192 B out, 20.5 kB in",
	},
	"open, and slower": {
		func(e *pipeline.Event) {
			e.Conn.Phase, e.Trigger, e.Conn.RTT = conn.Open, pipeline.SlowerPath, 80*time.Millisecond
		},
		"productpage -> reviews:9080 open for 344 ms: round-trip time rose to 80 ms, 192 B out, 20.5 kB in",
	},
	"older than netconn, and nothing is known": {
		func(e *pipeline.Event) {
			e.Conn.Owner, e.Peer, e.Port, e.Conn.Age = conn.Owner{}, conn.Peer{}, 0, 0
		},
		"10.0.0.1 -> 10.96.1.3:80 closed, 192 B out, 20.5 kB in",
	},
	"IPv6, and no role": {
		func(e *pipeline.Event) {
			e.Conn.Role, e.Port, e.Peer = conn.RoleUnknown, 0, conn.Peer{}
			e.Conn.Tuple.Destination = netip.MustParseAddrPort("[2001:db8::1]:80")
		},
		"productpage -> [2001:db8::1] closed after 344 ms, 192 B out, 20.5 kB in",
	},
	"no addresses": {
		func(e *pipeline.Event) {
			e.Conn.Owner, e.Peer, e.Port, e.Conn.Tuple = conn.Owner{}, conn.Peer{}, 0, conn.Tuple{}
		},
		"unknown -> unknown closed after 344 ms, 192 B out, 20.5 kB in",
	},
}

func TestBody(t *testing.T) {
	for name, c := range bodies {
		t.Run(name, func(t *testing.T) {
			e := ended("productpage", time.Unix(0, 0))
			e.Peer[names.PeerName], e.Port, e.Conn.Age = "reviews", 9080, 344*time.Millisecond
			e.Conn.Counts[conn.Sent], e.Conn.Counts[conn.Received] = 192, 20_480
			c.change(&e)
			if got := body(&e); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestSeverity lets a reader of logs keep what went wrong.
func TestSeverity(t *testing.T) {
	for _, c := range []struct {
		phase   conn.Phase
		trigger pipeline.Trigger
		name    string
		want    plog.SeverityNumber
	}{
		{conn.Closed, pipeline.NoTrigger, "netconn.connection.closed", plog.SeverityNumberInfo},
		{conn.Failed, pipeline.NoTrigger, "netconn.connection.failed", plog.SeverityNumberWarn},
		{conn.Open, pipeline.Periodic, "netconn.connection.open", plog.SeverityNumberInfo},
		{conn.Open, pipeline.Resent, "netconn.connection.open", plog.SeverityNumberWarn},
		{conn.Open, pipeline.SlowerPath, "netconn.connection.open", plog.SeverityNumberWarn},
	} {
		e, lr := ended("shop", time.Unix(0, 0)), plog.NewLogRecord()
		e.Conn.Phase, e.Trigger = c.phase, c.trigger
		write(&e, lr)
		if lr.SeverityNumber() != c.want || lr.SeverityText() != c.want.String() || lr.Body().Str() != body(&e) {
			t.Errorf("%+v: %v %q %q", c, lr.SeverityNumber(), lr.SeverityText(), lr.Body().Str())
		}
		if lr.EventName() != c.name {
			t.Errorf("%+v: %s", c, lr.EventName())
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1: "0 us", 1500: "1.5 us", 999_600: "1 ms", 12_345_678: "12.3 ms", 999_600_000: "1 s", time.Second: "1 s",
		90 * time.Second: "90 s", 2 * time.Hour: "7200 s",
	} {
		if got := duration(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}

func TestVolume(t *testing.T) {
	for bytes, want := range map[uint64]string{
		0: "0 B", 10: "10 B", 100: "100 B", 999: "999 B", 1000: "1 kB", 1234: "1.23 kB", 99_949: "99.9 kB", 99_951: "100 kB",
		999_499: "999 kB", 999_500: "1 MB", 12_000_000: "12 MB", 5_000_000_000_000_000: "5000 TB", math.MaxUint64: "18446744 TB",
	} {
		if got := volume(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}
