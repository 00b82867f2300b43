package flow

import "time"

// Drop counts packets that the kernel dropped since a time, in the flow of a key, which has the reason. They take no
// other flow's place, as failed attempts do not.
func (t *Table) Drop(k Key, packets uint64, since time.Time) {
	f := t.place(&k, nil, failed)
	f.coverFrom(since)
	f.Discards, f.touched = true, true
	f.Discarded += packets
}
