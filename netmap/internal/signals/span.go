package signals

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/netconn/netconn/internal/names"
)

// A span is a call that was slow or failed.
type span struct {
	name, code, message string // code: of the response, or error.type
	kind                string
	trace               pcommon.TraceID
	id                  pcommon.SpanID
	at, duration        int64 // of its end, Unix nanoseconds; nanoseconds
	failed, sampled     bool
	peer                netip.AddrPort // of the other end of the connection, as the socket has it
	connection          *event         // nil: not known
	ambiguous           bool           // two connections fit, so it has none
}

func (s *span) bytes() int {
	n := spanBytes + len(s.name) + len(s.code) + len(s.message)
	if s.connection != nil {
		n += s.connection.bytes()
	}
	return n
}

// directions are those of the kinds of spans that are calls.
var directions = map[ptrace.SpanKind]int{
	ptrace.SpanKindServer: served, ptrace.SpanKindConsumer: served,
	ptrace.SpanKindClient: made, ptrace.SpanKindProducer: made,
}

// AddTraces takes in spans. It keeps no reference to them.
func (s *Store) AddTraces(traces ptrace.Traces) {
	b := s.begin()
	defer b.end()
	for _, rs := range traces.ResourceSpans().All() {
		b.source = b.enter(rs.Resource().Attributes())
		for _, ss := range rs.ScopeSpans().All() {
			if b.source == nil {
				b.lost(ss.Spans().Len())
				continue
			}
			for _, sp := range ss.Spans().All() {
				if d, isCall := directions[sp.Kind()]; isCall {
					b.addSpan(sp, d)
				}
			}
		}
		b.settle()
	}
}

func (b *batch) addSpan(of ptrace.Span, direction int) {
	at, ok := b.at(of.EndTimestamp())
	if !ok {
		return
	}
	b.counts.Spans++
	b.generation++
	duration := int64(of.EndTimestamp()) - int64(of.StartTimestamp())
	s := span{at: at, duration: max(0, duration), failed: of.Status().Code() == ptrace.StatusCodeError}
	estimated := adjustedCount(of)
	s.sampled = estimated > 1
	b.each(b.source, at, func(k *bucket) {
		to := &k.served
		if direction == made {
			to = &k.made
		}
		if *to == nil {
			*to = &calls{}
			b.grow(b.source, callsBytes)
		}
		(*to).count(&s, estimated)
	})
	m := b.minute(b.source, at)
	slow := m.slow[direction]
	if !s.failed && len(slow) == kept && slow[kept-1].duration >= s.duration {
		return
	}
	b.keep(m, &s, of, direction)
}

// keep reads the rest of a span, and puts it into the lists that it belongs to.
func (b *batch) keep(m *minute, s *span, of ptrace.Span, direction int) {
	s.name, s.kind = cut(of.Name(), maxName), strings.ToLower(of.Kind().String())
	s.message = cut(of.Status().Message(), maxLine)
	s.trace, s.id = of.TraceID(), of.SpanID()
	s.code = codeOf(of.Attributes())
	s.peer = addrPort(of.Attributes(), names.PeerAddress.Key(), names.PeerPort.Key())
	if direction == served {
		b.findConnection(b.source, s)
	}
	grown, _ := insert(&m.slow[direction], s, func(a, b *span) int { return cmp.Compare(a.duration, b.duration) })
	if s.failed {
		grown += push(&m.failed[direction], s)
	}
	b.grow(b.source, grown)
}

// codeOf returns what a span ended with: the code of its response, else the type of its error.
func codeOf(attrs pcommon.Map) string {
	for _, key := range [...]string{
		"http.response.status_code", "rpc.response.status_code", "rpc.grpc.status_code", "http.status_code",
		names.ErrorType,
	} {
		if v, ok := attrs.Get(key); ok {
			return cut(v.AsString(), maxCode)
		}
	}
	return ""
}

// addrPort reads an address and a port; the zero AddrPort if one of them is missing.
func addrPort(attrs pcommon.Map, address, port string) netip.AddrPort {
	a, ok := attrs.Get(address)
	p, both := attrs.Get(port)
	if !ok || !both {
		return netip.AddrPort{}
	}
	n, err := strconv.ParseUint(p.AsString(), 10, 16)
	if err != nil || n == 0 || len(a.AsString()) > maxName {
		return netip.AddrPort{}
	}
	addr, err := netip.ParseAddr(a.AsString())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Unmap().WithZone(""), uint16(n))
}

// adjustedCount returns how many spans this one stands for, as its sampler says; 1 if nothing says so.
func adjustedCount(of ptrace.Span) float64 {
	if n := fromTraceState(of.TraceState().AsRaw()); n > 0 {
		return n
	}
	kind, ok := of.Attributes().Get("sampler.type")
	param, both := of.Attributes().Get("sampler.param")
	if ok && both && kind.AsString() == "probabilistic" {
		p := param.Double()
		if param.Type() != pcommon.ValueTypeDouble {
			p, _ = strconv.ParseFloat(param.AsString(), 64)
		}
		if p > 0 && p < 1 {
			return 1 / p
		}
	}
	return 1
}

// fromTraceState reads the rejection threshold th of OpenTelemetry's part of a W3C trace state: up to 14 hexadecimal
// digits of a fraction, of which that share of the spans was not sampled. 0: there is none.
func fromTraceState(state string) float64 {
	for member := range strings.SplitSeq(state, ",") {
		fields, ok := strings.CutPrefix(strings.TrimSpace(member), "ot=")
		if !ok {
			continue
		}
		for field := range strings.SplitSeq(fields, ";") {
			digits, ok := strings.CutPrefix(field, "th:")
			if !ok || digits == "" || len(digits) > 14 {
				continue
			}
			n, err := strconv.ParseUint(digits+strings.Repeat("0", 14-len(digits)), 16, 64)
			if err != nil {
				return 0
			}
			const all = 1 << 56 // n is less: 14 digits are 56 bits
			return all / float64(all-n)
		}
	}
	return 0
}
