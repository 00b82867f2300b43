package view

import (
	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/store"
)

// Unresolved is the share of volume of which one end is not known.
type Unresolved struct {
	Bytes   uint64  `json:"bytes"`
	Total   uint64  `json:"total"`
	Share   Number  `json:"share"`
	Seconds float64 `json:"seconds"`
}

// NewUnresolved adds up a snapshot.
func NewUnresolved(snap *store.Snapshot) Unresolved {
	u := Unresolved{Seconds: snap.Seconds}
	for i := range snap.Edges {
		e := &snap.Edges[i]
		u.Total += e.Tx + e.Rx
		if e.Client.Kind() == edge.Unresolved || e.Server.Kind() == edge.Unresolved {
			u.Bytes += e.Tx + e.Rx
		}
	}
	if u.Total > 0 {
		u.Share = Number(float64(u.Bytes) / float64(u.Total))
	}
	return u
}
