package signals

import (
	"net/netip"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// The event may come before its span or after it. With two connections that fit, the span has none.
func TestSpanOfConnection(t *testing.T) {
	const port = 40001
	span := call{name: "GET", at: noon.Add(time.Second), took: 400 * time.Millisecond,
		attrs: attributes{"network.peer.address": "10.0.0.7", "network.peer.port": port}}
	event := func(end time.Duration, took float64, more attributes) record {
		attrs := attributes{
			"netconn.role": "server", "server.port": 9080, "netconn.peer.name": "frontend",
			"network.peer.address": "10.0.0.7", "network.peer.port": port, "netconn.connection.duration": took,
		}
		for k, v := range more {
			attrs[k] = v
		}
		return record{at: noon.Add(end), event: "netconn.connection.closed", body: "frontend -> reviews:9080", attrs: attrs}
	}
	fits := event(1010*time.Millisecond, .45, nil)
	for name, c := range map[string]struct {
		events []record
		want   bool
	}{
		"its own":                {[]record{fits}, true},
		"another port":           {[]record{event(time.Second, .45, attributes{"network.peer.port": port + 1})}, false},
		"another address":        {[]record{event(time.Second, .45, attributes{"network.peer.address": "10.0.0.8"})}, false},
		"of a client":            {[]record{event(time.Second, .45, attributes{"netconn.role": "client"})}, false},
		"opened after its begin": {[]record{event(time.Second, .1, nil)}, false},
		"closed before its end":  {[]record{event(800*time.Millisecond, .4, nil)}, false},
		"open, then closed":      {[]record{event(1010*time.Millisecond, .5, nil), event(2*time.Second, 1.49, nil)}, true},
		"two that fit":           {[]record{fits, event(5*time.Second, 10, nil)}, false},
	} {
		for _, eventFirst := range []bool{true, false} {
			r := newRig(t, 0)
			r.now = noon.Add(10 * time.Second)
			if !eventFirst {
				r.spans(reviews, span)
			}
			r.records(reviews, c.events...)
			if eventFirst {
				r.spans(reviews, span)
			}
			if got := r.server(reviews).Served.Slowest[0].Connection; (got != nil) != c.want {
				t.Errorf("%s, the event first: %t: the connection is %+v", name, eventFirst, got)
			}
		}
	}
}

// A later event of the same connection replaces the earlier one: a closed connection has the final figures.
func TestLastEventOfConnection(t *testing.T) {
	attrs := func(took float64, tx int) attributes {
		return attributes{
			"netconn.role": "server", "network.peer.address": "10.0.0.7", "network.peer.port": 40001,
			"netconn.connection.duration": took, "netconn.connection.io.transmit": tx,
		}
	}
	r := newRig(t, 0)
	r.now = noon.Add(20 * time.Second)
	r.spans(reviews, call{at: noon.Add(5 * time.Second), took: time.Second,
		attrs: attributes{"network.peer.address": "10.0.0.7", "network.peer.port": 40001}})
	r.records(reviews, record{at: noon.Add(20 * time.Second), event: "netconn.connection.closed", attrs: attrs(20, 200)},
		record{at: noon.Add(10 * time.Second), event: "netconn.connection.long", attrs: attrs(10, 100)})
	if c := r.server(reviews).Served.Slowest[0].Connection; c == nil || c.Tx != 200 {
		t.Errorf("the connection is %+v", c)
	}
	if r.bytes != r.held() {
		t.Errorf("%d bytes are counted, %d are held", r.bytes, r.held())
	}
}

// The event is of the sidecar, which holds the connection; the span is of the application in the same pod.
func TestConnectionOfSidecar(t *testing.T) {
	for name, c := range map[string]struct {
		pod  string
		want bool
	}{"the pod": {"u-reviews", true}, "another pod": {"u-2", false}} {
		for _, eventFirst := range []bool{true, false} {
			r := newRig(t, 0)
			sidecar := attributes{"container.id": "c-proxy", "k8s.pod.uid": c.pod}
			peer := attributes{"network.peer.address": "10.0.0.7", "network.peer.port": 40001, "netconn.role": "server",
				"netconn.connection.duration": 2.0}
			send := []func(){
				func() {
					r.records(sidecar, record{at: noon.Add(time.Second), event: "netconn.connection.closed", attrs: peer})
				},
				func() { r.spans(reviews, call{at: noon, took: time.Second / 2, attrs: peer}) },
			}
			if !eventFirst {
				send[0], send[1] = send[1], send[0]
			}
			send[0]()
			send[1]()
			if got := r.server(reviews).Served.Slowest[0].Connection != nil; got != c.want {
				t.Errorf("%s, event first: %t: has a connection: %t", name, eventFirst, got)
			}
		}
	}
}

// A call that a client made has no connection: its own address is that of the server.
func TestSpanOfClientHasNoConnection(t *testing.T) {
	r := newRig(t, 0)
	peer := attributes{"network.peer.address": "10.0.0.7", "network.peer.port": 9080, "netconn.role": "server",
		"netconn.connection.duration": 2.0}
	r.records(reviews, record{at: noon, event: "netconn.connection.closed", attrs: peer})
	r.spans(reviews, call{at: noon, took: time.Second, attrs: peer, kind: ptrace.SpanKindClient})
	if c := r.server(reviews).Made.Slowest[0].Connection; c != nil {
		t.Errorf("the connection is %+v", c)
	}
}

// Without a duration, an event says only that the connection ended after the span.
func TestCarries(t *testing.T) {
	peer := netip.MustParseAddrPort("10.0.0.7:40001")
	at := func(d time.Duration) int64 { return noon.Add(d).UnixNano() }
	for name, c := range map[string]struct {
		event event
		span  span
		want  bool
	}{
		"within":                    {event{at: at(0), duration: 10, peer: peer}, span{at: at(-time.Second), duration: 1e9, peer: peer}, true},
		"without a peer":            {event{at: at(0), duration: 10}, span{at: at(-time.Second), duration: 1e9}, false},
		"a little after":            {event{at: at(0), duration: 10, peer: peer}, span{at: at(time.Duration(clockSlack)), peer: peer}, true},
		"after":                     {event{at: at(0), duration: 10, peer: peer}, span{at: at(time.Duration(clockSlack) + 1), peer: peer}, false},
		"a little before":           {event{at: at(0), duration: 1, peer: peer}, span{at: at(-time.Second - time.Duration(clockSlack)), peer: peer}, true},
		"before":                    {event{at: at(0), duration: 1, peer: peer}, span{at: at(-time.Second - time.Duration(clockSlack) - 1), peer: peer}, false},
		"no duration":               {event{at: at(0), peer: peer}, span{at: at(-30 * time.Second), peer: peer}, true},
		"no duration, long before":  {event{at: at(0), peer: peer}, span{at: at(-time.Minute), peer: peer}, false},
		"no duration, a long span":  {event{at: at(0), peer: peer}, span{at: at(0), duration: int64(time.Minute), peer: peer}, false},
		"another port of the peer":  {event{at: at(0), duration: 1, peer: netip.AddrPortFrom(peer.Addr(), 1)}, span{at: at(0), peer: peer}, false},
		"a span longer than it all": {event{at: at(0), duration: 1, peer: peer}, span{at: at(0), duration: 2e9, peer: peer}, false},
	} {
		if got := c.event.carries(&c.span); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
