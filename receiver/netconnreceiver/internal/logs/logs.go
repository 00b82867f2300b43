// Package logs writes ended and open connections as OTLP log records.
//
// In: the events of the pipeline, in the order in which they settled. Out: pdata logs with a record for each
// event, on the same resources as the metrics, by resource in the order of their first events. Values that are
// not known are left out. A Writer is not safe for concurrent use, and nothing here fails.
package logs

import (
	"net/netip"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/attributes"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/resources"
)

// maxAttributes is how many attributes an event has if everything is known.
const maxAttributes = 40

// described is the set of attributes that an event has in common with flows. Addresses and ports are written
// apart, as an event has all of them.
const described = attributes.All &^ (1<<names.ServerPort | 1<<names.PeerAddress | 1<<names.PeerPort |
	1<<names.LocalAddress | 1<<names.ServerAddress | 1<<names.ClientAddress)

// keyPrefix is that of the figures of one connection. No metric has it: a backend with one namespace for names could
// not hold a metric and an attribute of one name.
const keyPrefix = "netconn.connection."

// Writer writes events as log records.
type Writer struct {
	Version   string // of the collector, for the scope
	Resources *resources.Resources
}

// Write returns the log records of events.
func (w *Writer) Write(events []pipeline.Event) plog.Logs {
	logs := plog.NewLogs()
	records := make(map[conn.Owner]plog.LogRecordSlice)
	for i := range events {
		o := w.Resources.Mask(events[i].Conn.Owner)
		to, found := records[o]
		if !found {
			to = w.add(logs, o)
			records[o] = to
		}
		write(&events[i], to.AppendEmpty())
	}
	logs.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool { return !w.Resources.HasEvents(rl.Resource()) })
	return logs
}

// add returns the log records of a new resource.
func (w *Writer) add(logs plog.Logs, o conn.Owner) plog.LogRecordSlice {
	rl := logs.ResourceLogs().AppendEmpty()
	rl.SetSchemaUrl(semconv.SchemaURL)
	w.Resources.Of(o).MoveTo(rl.Resource())
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(metadata.ScopeName)
	sl.Scope().SetVersion(w.Version)
	return sl.LogRecords()
}

func write(e *pipeline.Event, to plog.LogRecord) {
	ended := e.Conn.Reported()
	to.SetTimestamp(pcommon.NewTimestampFromTime(ended))
	to.SetObservedTimestamp(pcommon.NewTimestampFromTime(latest(ended, e.Read)))
	to.Body().SetStr(body(e))
	a := to.Attributes()
	a.EnsureCapacity(maxAttributes)
	if e.Conn.Error != conn.NoError {
		a.PutStr(names.ErrorType, e.Conn.Error.String())
	}
	key := flow.Key{Role: e.Conn.Role, Peer: e.Peer, NAT: e.NAT, Original: e.Original}
	described.Put(a, &key)
	putEndpoints(e, a)
	putCommon(&e.Conn, a)
	name, severity := kind(e)
	to.SetEventName(name)
	to.SetSeverityNumber(severity)
	to.SetSeverityText(severity.String())
	if name != names.EventFailed {
		putTransfer(&e.Conn, a)
	}
	if why := triggers[e.Trigger]; why != "" {
		a.PutStr(keyPrefix+"trigger", why)
	}
}

// triggers are the values of the attribute that only open connections have.
var triggers = map[pipeline.Trigger]string{
	pipeline.Periodic: "interval", pipeline.Resent: "retransmits", pipeline.SlowerPath: "rtt",
}

// kind returns the name of an event, and its severity.
func kind(e *pipeline.Event) (string, plog.SeverityNumber) {
	switch {
	case e.Conn.Phase == conn.Failed:
		return names.EventFailed, plog.SeverityNumberWarn
	case e.Conn.Phase == conn.Closed:
		return names.EventClosed, plog.SeverityNumberInfo
	case e.Trigger == pipeline.Periodic:
		return names.EventOpen, plog.SeverityNumberInfo
	}
	return names.EventOpen, plog.SeverityNumberWarn
}

// latest returns the later of two times. A connection may end while the kernel's reports are read, which is after the
// time at which the reading began.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// putEndpoints writes both ends: as the socket has them, and the actual ones.
func putEndpoints(e *pipeline.Event, to pcommon.Map) {
	putEndpoint(to, names.LocalAddress, string(semconv.NetworkLocalPortKey), e.Conn.Tuple.Source)
	putEndpoint(to, names.PeerAddress, names.PeerPort.Key(), e.Conn.Tuple.Destination)
	putEndpoint(to, names.ServerAddress, names.ServerPort.Key(), server(e))
	putEndpoint(to, names.ClientAddress, string(semconv.ClientPortKey), e.Client)
}

// server returns the actual address of the server, with the port that packets have when they enter its namespace: it
// does not matter to a client where the server redirects them.
func server(e *pipeline.Event) netip.AddrPort {
	return netip.AddrPortFrom(e.Server.Addr(), e.Port)
}

// putCommon writes the figures that a failed attempt has too.
func putCommon(c *conn.Conn, to pcommon.Map) {
	putCount(to, keyPrefix+"packets.transmit", c, conn.SegmentsSent)
	putCount(to, keyPrefix+"packets.receive", c, conn.SegmentsReceived)
	putCount(to, keyPrefix+"retransmits", c, conn.Retransmits)
	if c.Counts[conn.Timeouts] > 0 {
		putCount(to, keyPrefix+"timeouts", c, conn.Timeouts)
	}
	putDuration(to, keyPrefix+"duration", c.Age)
}

func putTransfer(c *conn.Conn, to pcommon.Map) {
	putCount(to, keyPrefix+"io.transmit", c, conn.Sent)
	putCount(to, keyPrefix+"io.receive", c, conn.Received)
	putDuration(to, keyPrefix+"rtt", c.RTT)
	putDuration(to, keyPrefix+"handshake.duration", c.Handshake)
	putTime(to, keyPrefix+"limited.receiver", c, conn.LimitedByReceiver)
	putTime(to, keyPrefix+"limited.send_buffer", c, conn.LimitedByBuffer)
}

// putTime writes the seconds of a counter in milliseconds, if it has counted any.
func putTime(to pcommon.Map, key string, c *conn.Conn, counter conn.Counter) {
	putDuration(to, key, time.Duration(c.Counts[counter])*time.Millisecond)
}

func putCount(to pcommon.Map, key string, c *conn.Conn, counter conn.Counter) {
	to.PutInt(key, int64(c.Counts[counter]))
}

func putEndpoint(to pcommon.Map, address names.Attribute, port string, e netip.AddrPort) {
	if e.Addr().IsValid() {
		to.PutStr(address.Key(), e.Addr().String())
	}
	if e.Port() != 0 {
		to.PutInt(port, int64(e.Port()))
	}
}

// putDuration writes seconds. Zero is not known.
func putDuration(to pcommon.Map, key string, d time.Duration) {
	if d > 0 {
		to.PutDouble(key, d.Seconds())
	}
}
