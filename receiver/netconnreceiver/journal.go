package netconnreceiver

import (
	"net/netip"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// The events of metadata.yaml.
const (
	eventClosed = "netconn.connection.closed"
	eventFailed = "netconn.connection.failed"
)

// A journal writes events as pdata, on the resources that metrics are on.
type journal struct {
	version   string // of the collector, for the scope
	resources *resources
}

// write returns a log record for each event, by resource in the order of their first events.
func (j *journal) write(events []pipeline.Event) plog.Logs {
	logs := plog.NewLogs()
	records := make(map[conn.Owner]plog.LogRecordSlice)
	for i := range events {
		o := j.resources.mask(events[i].Conn.Owner)
		to, there := records[o]
		if !there {
			to = j.open(logs, o)
			records[o] = to
		}
		event(events[i]).write(to.AppendEmpty())
	}
	logs.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool { return !j.resources.events.takes(rl.Resource()) })
	return logs
}

// open returns the log records of a new resource.
func (j *journal) open(logs plog.Logs, o conn.Owner) plog.LogRecordSlice {
	rl := logs.ResourceLogs().AppendEmpty()
	rl.SetSchemaUrl(semconv.SchemaURL)
	j.resources.of(o).MoveTo(rl.Resource())
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName(metadata.ScopeName)
	sl.Scope().SetVersion(j.version)
	return sl.LogRecords()
}

// An event is one that is written.
type event pipeline.Event

func (e event) write(to plog.LogRecord) {
	read := pcommon.NewTimestampFromTime(e.Read)
	to.SetTimestamp(read)
	to.SetObservedTimestamp(read)
	attributes := to.Attributes()
	attributes.EnsureCapacity(40)
	if e.Conn.Error != conn.NoError {
		attributes.PutStr(string(semconv.ErrorTypeKey), e.Conn.Error.String())
	}
	e.putEnds(attributes)
	e.putPeer(attributes)
	e.putCommon(attributes)
	if e.Conn.Phase == conn.Failed {
		to.SetEventName(eventFailed)
		return
	}
	to.SetEventName(eventClosed)
	e.putTransfer(attributes)
}

// putEnds writes both ends: as the socket has them, and who is really there.
func (e event) putEnds(to pcommon.Map) {
	to.PutStr(role.String(), e.Conn.Role.String())
	to.PutStr(transport.String(), semconv.NetworkTransportTCP.Value.AsString())
	putEndpoint(to, string(semconv.NetworkLocalAddressKey), string(semconv.NetworkLocalPortKey), e.Conn.Tuple.Source)
	putEndpoint(to, string(semconv.NetworkPeerAddressKey), string(semconv.NetworkPeerPortKey), e.Conn.Tuple.Destination)
	putEndpoint(to, string(semconv.ServerAddressKey), string(semconv.ServerPortKey), e.server())
	putEndpoint(to, string(semconv.ClientAddressKey), string(semconv.ClientPortKey), e.Client)
}

func (e event) putPeer(to pcommon.Map) {
	all := ^attributeSet(0)
	all.putPeer(to, e.Peer)
	all.putString(to, localZone, e.Zone)
	all.putWay(to, e.NAT, e.Original)
}

// server returns the address of the server with the port by which it is known: a redirect behind it is its own affair.
func (e event) server() netip.AddrPort {
	if !e.Server.IsValid() {
		return e.Server
	}
	return netip.AddrPortFrom(e.Server.Addr(), e.Port)
}

// putCommon writes the counters that a failed attempt has too.
func (e event) putCommon(to pcommon.Map) {
	c := &e.Conn.Counts
	to.PutInt("netconn.packets.transmit", int64(c[conn.SegmentsSent]))
	to.PutInt("netconn.packets.receive", int64(c[conn.SegmentsReceived]))
	to.PutInt("netconn.tcp.retransmits", int64(c[conn.Retransmits]))
	putDuration(to, "netconn.duration", e.Conn.Age)
}

func (e event) putTransfer(to pcommon.Map) {
	c := &e.Conn.Counts
	to.PutInt("netconn.io.transmit", int64(c[conn.Sent]))
	to.PutInt("netconn.io.receive", int64(c[conn.Received]))
	putDuration(to, "netconn.tcp.rtt", e.Conn.RTT)
	putDuration(to, "netconn.tcp.handshake.duration", e.Conn.Handshake)
}

func putEndpoint(to pcommon.Map, address, port string, e netip.AddrPort) {
	if e.Addr().IsValid() {
		to.PutStr(address, e.Addr().String())
		to.PutInt(port, int64(e.Port()))
	}
}

// putDuration writes seconds. Zero is not known.
func putDuration(to pcommon.Map, key string, d time.Duration) {
	if d > 0 {
		to.PutDouble(key, d.Seconds())
	}
}
