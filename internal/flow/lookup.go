package flow

import "github.com/netconn/netconn/internal/conn"

// Lookup counts a report on a DNS exchange in the flow of a key. It is credited at once: no later report is about the
// same exchange. Queries without a response take no other flow's place, as failed attempts do not.
func (t *Table) Lookup(k Key, l *conn.Lookup) {
	u := failed
	if l.Answered {
		u = established
	}
	f := t.place(&k, nil, u)
	f.coverFrom(l.At)
	f.Lookups, f.touched = true, true
	f.Timeouts += l.Timeouts
	if !l.Answered {
		return
	}
	f.Responses[l.Rcode.Known()]++
	if l.Latency > 0 {
		f.Histograms[LookupDuration].observe(t.config.Bounds[LookupDuration], l.Latency)
	}
}
