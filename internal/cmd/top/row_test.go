//go:build linux

package main

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(second int64) time.Time { return time.Unix(second, 0) }

// A rate is the difference between two collections by their times; without a time or an earlier collection there is
// none.
func TestRates(t *testing.T) {
	f := flow{role: "client"}
	for name, c := range map[string]struct {
		before, now        page
		sending, receiving float64
		rated              bool
	}{
		"two collections": {
			page{at: at(10), flows: map[flow]totals{f: {sent: 100, received: 1000}}},
			page{at: at(14), flows: map[flow]totals{f: {sent: 500, received: 1400}}}, 100, 100, true,
		},
		"a new flow": {
			page{at: at(10)}, page{at: at(12), flows: map[flow]totals{f: {sent: 500, received: 20}}}, 250, 10, true,
		},
		"a flow that began anew": {
			page{at: at(10), flows: map[flow]totals{f: {sent: 900, received: 900}}},
			page{at: at(12), flows: map[flow]totals{f: {sent: 500, received: 1000}}}, 250, 500, true,
		},
		"the first collection": {page{}, page{at: at(12), flows: map[flow]totals{f: {sent: 500}}}, 0, 0, false},
		"the same collection": {
			page{at: at(12), flows: map[flow]totals{f: {sent: 500}}}, page{at: at(12), flows: map[flow]totals{f: {sent: 500}}}, 0, 0, false,
		},
		"no times": {page{}, page{flows: map[flow]totals{f: {sent: 500}}}, 0, 0, false},
	} {
		rows := rowsOf(c.before, c.now, "", nil)
		if len(rows) != 1 || rows[0].sending != c.sending || rows[0].receiving != c.receiving || rows[0].rated != c.rated {
			t.Errorf("%s: %+v, want %v and %v, rated %v", name, rows, c.sending, c.receiving, c.rated)
		}
	}
}

// The round-trip time is the mean of the samples since the last collection, or of all if there are none.
func TestRoundTripTime(t *testing.T) {
	for name, c := range map[string]struct {
		before, now totals
		want        time.Duration
	}{
		"new samples":        {totals{rttSum: 1, rttSeen: 10}, totals{rttSum: 1.3, rttSeen: 12}, 150 * time.Millisecond},
		"no new samples":     {totals{rttSum: 1, rttSeen: 10}, totals{rttSum: 1, rttSeen: 10}, 100 * time.Millisecond},
		"never a sample":     {totals{}, totals{}, 0},
		"it has begun anew":  {totals{rttSum: 1, rttSeen: 10}, totals{rttSum: 0.5, rttSeen: 5}, 100 * time.Millisecond},
		"the first ones":     {totals{}, totals{rttSum: 0.5, rttSeen: 1}, 500 * time.Millisecond},
		"fewer bytes, anew":  {totals{sent: 9, rttSum: 1, rttSeen: 2}, totals{sent: 1, rttSum: 0.4, rttSeen: 4}, 100 * time.Millisecond},
		"received less, too": {totals{received: 9, rttSum: 1, rttSeen: 2}, totals{received: 1, rttSum: 0.4, rttSeen: 4}, 100 * time.Millisecond},
	} {
		got := rowOf(flow{}, c.before, c.now, time.Second, true).rtt.Round(time.Microsecond)
		if got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// The fastest row is first, then the largest, then the one with the most sockets, then by name.
func TestOrder(t *testing.T) {
	base := row{flow: flow{owner: owner{executable: "m"}}}
	change := func(f func(*row)) row { r := base; f(&r); return r }
	want := []row{
		change(func(r *row) { r.sending, r.receiving = 2, 2 }),
		change(func(r *row) { r.receiving = 3 }),
		change(func(r *row) { r.sent, r.received = 5, 5 }),
		change(func(r *row) { r.sent = 9 }),
		change(func(r *row) { r.active = 1 }),
		change(func(r *row) { r.owner.executable = "a" }),
		base,
		change(func(r *row) { r.port = "80" }),
		change(func(r *row) { r.scope = "node" }),
		change(func(r *row) { r.peerType = "pod" }),
		change(func(r *row) { r.peerName = "db" }),
		change(func(r *row) { r.role = "client" }),
		change(func(r *row) { r.owner.unit = "b" }),
		change(func(r *row) { r.owner.container = "c1" }),
		change(func(r *row) { r.owner.executable = "z" }),
	}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, compareRows)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{}, flow{}, owner{}, totals{}, way{})); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

// The flows of the page itself are hidden, by the port of the server; without a port nothing is.
func TestHidden(t *testing.T) {
	p := page{flows: map[flow]totals{{port: "19464"}: {}, {port: "80"}: {}, {}: {}}}
	for hidden, want := range map[string]int{"19464": 2, "80": 2, "": 3, "1": 3} {
		if got := len(rowsOf(page{}, p, hidden, nil)); got != want {
			t.Errorf("hidden %q: %d rows, want %d", hidden, got, want)
		}
	}
}

func TestNames(t *testing.T) {
	owners := map[string]owner{
		"app":                {executable: "app"},
		"unknown":            {},
		"app [0123456789ab]": {executable: "app", container: "0123456789abcdef", unit: "docker.service"},
		"app [c1]":           {executable: "app", container: "c1"},
		"app [web]":          {executable: "app", unit: "web.service"},
		"sshd":               {executable: "sshd", unit: "sshd.service"},
		"app [user.slice]":   {executable: "app", unit: "user.slice"},
	}
	for want, o := range owners {
		if got := o.String(); got != want {
			t.Errorf("%+v is %q, want %q", o, got, want)
		}
	}
	peers := map[string]row{
		"(beyond the limits)": {flow: flow{overflow: true, peerName: "db"}},
		"db":                  {flow: flow{peerName: "db", peerType: "private"}},
		"private address":     {flow: flow{peerType: "private"}},
		"public address":      {flow: flow{peerType: "public"}},
		"unknown":             {flow: flow{peerType: "pod"}},
	}
	for want, r := range peers {
		if got := peer(r); got != want {
			t.Errorf("%+v is %q, want %q", r.flow, got, want)
		}
	}
	ways := map[string]way{
		"": {nat: "none", name: "services", port: "80"}, "snat": {nat: "snat"}, "dnat services:80": {nat: "dnat", name: "services", port: "80"},
	}
	for want, w := range ways {
		if got := w.String(); got != want {
			t.Errorf("%+v is %q, want %q", w, got, want)
		}
	}
	for role, want := range map[string]string{"client": "->", "server": "<-", "unknown": "--", "": "--"} {
		if got := arrow(role); got != want {
			t.Errorf("%q is %q, want %q", role, got, want)
		}
	}
}
