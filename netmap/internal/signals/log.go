package signals

import (
	"cmp"
	"net/netip"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// A line is a log record of an error.
type line struct {
	at       int64 // Unix nanoseconds
	severity int
	body     string
	trace    pcommon.TraceID
	span     pcommon.SpanID
}

func (l *line) bytes() int { return lineBytes + len(l.body) }

// An event is what netconn reports of one connection.
type event struct {
	at           int64 // Unix nanoseconds
	name         string
	body         string
	failed       bool    // severity warn or worse
	role         string  // of the end that reports
	duration     float64 // seconds; 0: not known
	port         uint16  // that the server listens on
	peerName     string
	peer, local  netip.AddrPort
	tx, rx       uint64
	rtt          float64
	retransmits  uint64
	error        string
	ownContainer string // name
}

func (e *event) bytes() int {
	return eventBytes + len(e.name) + len(e.body) + len(e.role) + len(e.peerName) + len(e.error) + len(e.ownContainer)
}

// eventPrefix is that of the names of netconn's events.
const eventPrefix = "netconn.connection."

// AddLogs takes in log records. It keeps no reference to them.
func (s *Store) AddLogs(logs plog.Logs) {
	b := s.begin()
	defer b.end()
	for _, rl := range logs.ResourceLogs().All() {
		b.source = b.enter(rl.Resource().Attributes())
		for _, sl := range rl.ScopeLogs().All() {
			if b.source == nil {
				b.lost(sl.LogRecords().Len())
				continue
			}
			for _, r := range sl.LogRecords().All() {
				b.addRecord(r)
			}
		}
		b.settle()
	}
}

func (b *batch) addRecord(r plog.LogRecord) {
	at, ok := b.at(cmp.Or(r.Timestamp(), r.ObservedTimestamp()))
	if !ok {
		return
	}
	b.generation++
	if name := eventName(r); strings.HasPrefix(name, eventPrefix) {
		b.counts.Events++
		b.addEvent(r, name, at)
		return
	}
	b.counts.Logs++
	class := severity(int32(r.SeverityNumber()))
	b.each(b.source, at, func(k *bucket) {
		if k.logs == nil {
			k.logs = new([severities]uint32)
			b.grow(b.source, size[[severities]uint32]())
		}
		k.logs[class]++
	})
	if class >= severityError {
		m := b.minute(b.source, at)
		b.grow(b.source, push(&m.errors, &line{
			at: at, severity: class, body: bodyOf(r), trace: r.TraceID(), span: r.SpanID(),
		}))
	}
}

// eventName returns the name of an event. Before OTLP had a field for it, it was an attribute.
func eventName(r plog.LogRecord) string {
	if r.EventName() != "" {
		return r.EventName()
	}
	if v, ok := r.Attributes().Get("event.name"); ok {
		return v.AsString()
	}
	return ""
}

// bodyOf returns the text of a record. Only what can be part of the line is read of a structured body.
func bodyOf(r plog.LogRecord) string {
	if r.Body().Type() == pcommon.ValueTypeMap {
		for _, key := range [...]string{"message", "msg", "body"} {
			if v, ok := r.Body().Map().Get(key); ok {
				return cut(v.AsString(), maxLine)
			}
		}
	}
	return cut(r.Body().AsString(), maxLine)
}

func (b *batch) addEvent(r plog.LogRecord, name string, at int64) {
	e := readEvent(r, name, at, b.source)
	if e.role == names.RoleServer {
		b.findSpans(b.source, e)
	}
	m := b.minute(b.source, at)
	grown := push(&m.recent, e)
	more, _ := insert(&m.longer, e, func(a, b *event) int { return cmp.Compare(a.duration, b.duration) })
	b.grow(b.source, grown+more)
}

func readEvent(r plog.LogRecord, name string, at int64, of *source) *event {
	attrs := r.Attributes()
	get := edge.Attributes(func(key string) (string, bool) {
		v, ok := attrs.Get(key)
		if !ok {
			return "", false
		}
		return v.AsString(), true
	})
	number := func(key string) float64 {
		v, ok := attrs.Get(eventPrefix + key)
		switch {
		case ok && v.Type() == pcommon.ValueTypeDouble:
			return v.Double()
		case ok && v.Type() == pcommon.ValueTypeInt:
			return float64(v.Int())
		}
		return 0
	}
	text := func(key string, n int) string { s, _ := get(key); return cut(s, n) }
	link := edge.ReadLink(get)
	return &event{
		at: at, name: cut(name, maxName), body: cut(r.Body().AsString(), maxLine),
		failed: r.SeverityNumber() >= plog.SeverityNumberWarn, role: link.Role.String(), port: link.Port,
		duration: number("duration"), rtt: number("rtt"),
		tx: uint64(max(0, number("io.transmit"))), rx: uint64(max(0, number("io.receive"))),
		retransmits: uint64(max(0, number("retransmits"))), error: text(names.ErrorType, maxCode),
		peerName:     text(names.PeerName.Key(), maxName),
		peer:         addrPort(attrs, names.PeerAddress.Key(), names.PeerPort.Key()),
		local:        addrPort(attrs, names.LocalAddress.Key(), "network.local.port"),
		ownContainer: of.id.containerName,
	}
}
