package view

import "github.com/netconn/netconn/netmap/internal/snap"

// Unresolved is the share of the volume with an unknown end.
type Unresolved struct {
	Bytes   uint64  `json:"bytes"`
	Total   uint64  `json:"total"`
	Share   Number  `json:"share"`
	Seconds float64 `json:"seconds"`
}

// NewUnresolved adds up a snapshot.
func NewUnresolved(snapshot *snap.Snapshot) Unresolved {
	u := Unresolved{Seconds: snapshot.Seconds}
	for i := range snapshot.Edges {
		e := &snapshot.Edges[i]
		u.Total += e.Tx + e.Rx
		if unresolved(e) {
			u.Bytes += e.Tx + e.Rx
		}
	}
	if u.Total > 0 {
		u.Share = Number(float64(u.Bytes) / float64(u.Total))
	}
	return u
}
