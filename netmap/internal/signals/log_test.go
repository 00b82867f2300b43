package signals

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Events on an edge are those with its port and its other end; errors are of all of the pod.
func TestLogsAndEvents(t *testing.T) {
	r := newRig(t, 0)
	event := func(peer string, port int) record {
		return record{at: noon, event: "netconn.connection.closed", severity: plog.SeverityNumberInfo, body: peer,
			attrs: attributes{"netconn.role": "server", "netconn.peer.name": peer, "server.port": port}}
	}
	r.records(reviews, event("frontend", 9080), event("other", 9080), event("frontend", 80),
		record{at: noon, severity: plog.SeverityNumberInfo, body: "fine"},
		record{at: noon, severity: plog.SeverityNumberError, body: strings.Repeat("é", 200)},
		record{at: noon, severity: plog.SeverityNumberFatal2, body: "bad \xff byte"})
	s := r.server(reviews)
	if len(s.Events) != 1 || s.Events[0].Body != "frontend" || s.LogsSeen != 3 {
		t.Errorf("events %+v of %d records", s.Events, s.LogsSeen)
	}
	if len(s.Errors) != 2 || len(s.Errors[0].Body) > maxLine || !utf8.ValidString(s.Errors[0].Body+s.Errors[1].Body) {
		t.Errorf("errors %+v", s.Errors)
	}
}

func TestSeverities(t *testing.T) {
	r := newRig(t, 0)
	for number := range int32(26) {
		r.records(reviews, record{at: noon, severity: plog.SeverityNumber(number - 1), body: "x"})
	}
	s := r.server(reviews)
	got := map[string]uint32{}
	for name, steps := range s.Logs {
		for _, n := range steps {
			got[name] += n
		}
	}
	want := map[string]uint32{"unspecified": 2, "trace": 4, "debug": 4, "info": 4, "warn": 4, "error": 4, "fatal": 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(s.Errors) != 8 {
		t.Errorf("%d lines, want those of error and fatal", len(s.Errors))
	}
}

// Of many errors in a minute, the last are kept; of many minutes, the last are answered.
func TestLastErrors(t *testing.T) {
	r := newRig(t, 0)
	for minute := range 4 {
		for i := range kept + 4 {
			r.now = noon.Add(time.Duration(minute)*time.Minute + time.Duration(i)*time.Second)
			r.records(reviews, record{at: r.now, severity: plog.SeverityNumberError, body: fmt.Sprint(minute, " ", i)})
		}
	}
	got := r.server(reviews).Errors
	if len(got) != maxList || got[0].Body != "3 11" || got[kept-1].Body != "3 4" || got[kept].Body != "2 11" {
		t.Errorf("%d lines: %+v", len(got), got)
	}
}

// Loggers send the line as a text, or as a map with the line under one of the usual names.
func TestBodies(t *testing.T) {
	for name, c := range map[string]struct {
		body any
		want string
	}{
		"a text":        {"no stock", "no stock"},
		"message":       {map[string]any{"message": "no stock", "level": "error"}, "no stock"},
		"msg":           {map[string]any{"msg": "no stock"}, "no stock"},
		"body":          {map[string]any{"body": "no stock"}, "no stock"},
		"another map":   {map[string]any{"text": "no stock"}, `{"text":"no stock"}`},
		"a list":        {[]any{"no", "stock"}, `["no","stock"]`},
		"a number":      {int64(7), "7"},
		"nothing":       {nil, ""},
		"a nested list": {map[string]any{"message": []any{"no stock"}}, `["no stock"]`},
	} {
		r := newRig(t, 0)
		logs := plog.NewLogs()
		rl := logs.ResourceLogs().AppendEmpty()
		reviews.put(rl.Resource().Attributes())
		lr := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(noon))
		lr.SetSeverityNumber(plog.SeverityNumberError)
		lr.SetTraceID(pcommon.TraceID{1})
		if err := lr.Body().FromRaw(c.body); err != nil {
			t.Fatal(err)
		}
		r.AddLogs(logs)
		want := []Line{{At: float64(noon.Unix()), Severity: "error", Name: "reviews", Body: c.want, Trace: "01" + strings.Repeat("0", 30)}}
		if diff := cmp.Diff(want, r.server(reviews).Errors); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// An event is described with all that netconn reports of the connection.
func TestEventIsDescribed(t *testing.T) {
	attrs := attributes{
		"netconn.role": "server", "server.port": 9080, "netconn.peer.name": "frontend", "error.type": "reset",
		"network.peer.address": "10.0.0.7", "network.peer.port": 40001, "network.local.address": "10.0.0.8",
		"network.local.port": 9080, "netconn.connection.duration": .45, "netconn.connection.rtt": .0001,
		"netconn.connection.io.transmit": 20480, "netconn.connection.io.receive": 192, "netconn.connection.retransmits": 2,
	}
	duration, rtt := .45, .0001
	want := []Event{{
		At: float64(noon.Unix()), Name: "closed", Body: "frontend -> reviews:9080", Warn: true, Role: "server", Container: "reviews",
		Local: "10.0.0.8:9080", Peer: "10.0.0.7:40001", PeerName: "frontend", Port: 9080, Duration: &duration, RTT: &rtt,
		Tx: 20480, Rx: 192, Retransmits: 2, Error: "reset",
	}}
	byField := record{at: noon, event: "netconn.connection.closed", severity: plog.SeverityNumberWarn,
		body: "frontend -> reviews:9080", attrs: attrs}
	byAttribute := byField
	byAttribute.event, byAttribute.attrs = "", maps.Clone(attrs)
	byAttribute.attrs["event.name"] = "netconn.connection.closed"
	for name, sent := range map[string]record{"a field": byField, "an attribute": byAttribute} {
		r := newRig(t, 0)
		r.records(reviews, sent)
		s := r.server(reviews)
		if diff := cmp.Diff(want, s.Events); diff != "" {
			t.Errorf("the name is %s: -want +got:\n%s", name, diff)
		}
		if c := r.Status().Counts; c.Events != 1 || c.Logs != 0 || s.LogsSeen != 0 {
			t.Errorf("the name is %s: an event counts as a log record: %+v", name, c)
		}
	}
}

// Of the connections of a minute, the last ones are kept, and those that were open longest.
func TestLongConnectionIsKeptAmongShortOnes(t *testing.T) {
	r := newRig(t, 0)
	event := func(i int, took float64) record {
		return record{at: noon.Add(time.Duration(i) * time.Second), event: "netconn.connection.closed", body: fmt.Sprint(i),
			attrs: attributes{"netconn.role": "server", "netconn.peer.name": "frontend", "server.port": 9080,
				"netconn.connection.duration": took}}
	}
	r.records(reviews, event(0, 3600))
	for i := 1; i < 30; i++ {
		r.records(reviews, event(i, .001*float64(i%3)))
	}
	r.now = noon.Add(30 * time.Second)
	got := r.server(reviews).Events
	if got[0].Body != "29" || !slices.ContainsFunc(got, func(e Event) bool { return e.Body == "0" }) {
		t.Errorf("%+v", got)
	}
	for i, e := range got {
		if slices.ContainsFunc(got[:i], func(before Event) bool { return before.Body == e.Body }) {
			t.Errorf("event %s twice", e.Body)
		}
	}
}

func TestLogsThatAreLost(t *testing.T) {
	r := newRig(t, 0)
	r.records(attributes{"host.name": "h"}, record{at: noon, body: "x"}, record{at: noon, body: "y"})
	r.records(reviews, record{at: noon.Add(-2 * time.Hour), body: "z"})
	if c := r.Status().Counts; c.Unidentified != 2 || c.Late != 1 || c.Logs != 0 {
		t.Errorf("%+v", c)
	}
}
