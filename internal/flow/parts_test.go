package flow

import (
	"math/bits"
	"slices"
	"testing"

	"github.com/netconn/netconn/internal/conn"
)

// Each part is a bit of its own, and all of them fit.
func TestPartsAreDistinct(t *testing.T) {
	all := []Parts{Established, Drops, Unanswered, Discards}
	for c := range conn.Counters {
		all = append(all, Counted(c))
	}
	for o := range DatagramErrors {
		for e := range conn.Errors {
			all = append(all, Errored(o, e))
		}
	}
	for _, e := range datagramReasons {
		all = append(all, Errored(DatagramErrors, e))
	}
	for m := range Measures {
		all = append(all, Sampled(m))
	}
	for r := range conn.Rcodes {
		all = append(all, Answered(r))
	}
	for e := range conn.Errors {
		if p := Errored(DatagramErrors, e); !slices.Contains(datagramReasons[:], e) && p != Errored(DatagramErrors, conn.Other) {
			t.Errorf("the part of %v is %b, want that of others", e, p)
		}
	}
	var seen Parts
	for i, p := range all {
		if bits.OnesCount64(uint64(p)) != 1 || seen&p != 0 {
			t.Errorf("part %d is %b, and %b are taken", i, p, seen)
		}
		seen |= p
	}
}

func TestParts(t *testing.T) {
	f := Flow{ListenDrops: 1}
	f.Outcomes[Ends][conn.Reset] = 2
	f.Histograms[Duration].Count = 3
	if want := Established | Drops | Errored(Ends, conn.Reset) | Sampled(Duration); f.Parts() != want {
		t.Errorf("got %b, want %b", f.Parts(), want)
	}
	if f = (Flow{}); f.Parts() != 0 {
		t.Errorf("an empty flow has the parts %b", f.Parts())
	}
}

// Attempts that failed, and the segments that they sent again, are no connection.
func TestEstablished(t *testing.T) {
	failed := Flow{}
	failed.Outcomes[Attempts][conn.TimedOut], failed.Counts[conn.Retransmits], failed.Counts[conn.SegmentsSent] = 1, 6, 7
	if failed.Established() || failed.Parts()&Established != 0 {
		t.Error("failed attempts were established")
	}
	if want := Counted(conn.Retransmits) | Counted(conn.SegmentsSent) | Errored(Attempts, conn.TimedOut); failed.Parts() != want {
		t.Errorf("the parts are %b, want %b", failed.Parts(), want)
	}
	for what, count := range map[string]func(f *Flow){
		"opened":                        func(f *Flow) { f.Outcomes[Attempts][conn.NoError]++ },
		"open since before the program": func(f *Flow) { f.Active++ },
		"ended":                         func(f *Flow) { f.Outcomes[Ends][conn.NoError]++ },
		"reset":                         func(f *Flow) { f.Outcomes[Ends][conn.Reset]++ },
		"sent":                          func(f *Flow) { f.Counts[conn.Sent]++ },
		"received":                      func(f *Flow) { f.Counts[conn.Received]++ },
	} {
		f := failed
		if count(&f); !f.Established() || f.Parts()&Established == 0 {
			t.Errorf("%s: not established", what)
		}
	}
}

// A flow says at each collection what the collections before have shown, also if it was counted in between.
func TestShownParts(t *testing.T) {
	table := newTable(Config{}, at(0))
	shown := func(now float64) Parts {
		t.Helper()
		got := table.Collect(at(now), byPort)
		if len(got) != 1 || len(got[0].Flows) != 1 {
			t.Fatalf("got %+v, want one flow", got)
		}
		return got[0].Flows[0].Shown
	}
	first, second := dial(1, 80), dial(2, 80)
	table.Apply(first, at(1))
	if got := shown(10); got != 0 {
		t.Errorf("at the first collection: %b", got)
	}
	second.Phase, second.Error = conn.Failed, conn.Refused
	table.Apply(second, at(11))
	table.Settle(at(12), byPort)
	table.Settle(at(13), byPort)
	opened := Established | Errored(Attempts, conn.NoError)
	if got := shown(20); got != opened {
		t.Errorf("with the first refusal: %b, want %b", got, opened)
	}
	if got, want := shown(30), opened|Errored(Attempts, conn.Refused); got != want {
		t.Errorf("after the first refusal: %b, want %b", got, want)
	}
}
