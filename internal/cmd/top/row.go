//go:build linux

package main

import (
	"cmp"
	"slices"
	"time"
)

// A row is one line of the table.
type row struct {
	flow
	totals
	sending, receiving float64 // bytes a second; meaningful if rated
	rated              bool    // there was an earlier collection to compare with
	rtt                time.Duration
}

// rowsOf returns the flows of a page, the fastest first, with what changed since an earlier page. The flows of the
// server port hidden are left out: they are the reading of the page itself. Where only some executables are asked
// for, so are the flows of others.
func rowsOf(before, now page, hidden string, only []string) []row {
	var rows []row
	for f, t := range now.flows {
		if f.port == hidden && hidden != "" || len(only) > 0 && !slices.Contains(only, f.owner.executable) {
			continue
		}
		rows = append(rows, rowOf(f, before.flows[f], t, now.at.Sub(before.at), !before.at.IsZero()))
	}
	slices.SortFunc(rows, compareRows)
	return rows
}

// rowOf compares a flow with what it was a while ago. A flow that was not there has come since: all of it is new.
func rowOf(f flow, before, now totals, elapsed time.Duration, compared bool) row {
	r := row{flow: f, totals: now, rated: compared && elapsed > 0}
	if now.rttSeen < before.rttSeen || now.sent < before.sent || now.received < before.received {
		before = totals{} // the flow had expired and has begun anew
	}
	if r.rated {
		r.sending = (now.sent - before.sent) / elapsed.Seconds()
		r.receiving = (now.received - before.received) / elapsed.Seconds()
	}
	// The latest samples are shown; a flow without new samples keeps the mean of what it had.
	sum, seen := now.rttSum-before.rttSum, now.rttSeen-before.rttSeen
	if seen == 0 {
		sum, seen = now.rttSum, now.rttSeen
	}
	if seen > 0 {
		r.rtt = time.Duration(sum / seen * float64(time.Second))
	}
	return r
}

func compareRows(a, b row) int {
	return cmp.Or(
		cmp.Compare(b.sending+b.receiving, a.sending+a.receiving),
		cmp.Compare(b.sent+b.received, a.sent+a.received),
		cmp.Compare(b.active, a.active),
		cmp.Compare(a.owner.executable, b.owner.executable),
		cmp.Compare(a.owner.container, b.owner.container),
		cmp.Compare(a.owner.unit, b.owner.unit),
		cmp.Compare(a.role, b.role),
		cmp.Compare(a.peerName, b.peerName),
		cmp.Compare(a.peerType, b.peerType),
		cmp.Compare(a.scope, b.scope),
		cmp.Compare(a.port, b.port),
		cmp.Compare(a.way.String(), b.way.String()),
	)
}
