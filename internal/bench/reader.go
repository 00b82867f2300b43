//go:build linux

package main

import (
	"runtime"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/ends"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/peer"
	"github.com/netconn/netconn/internal/pipeline"
)

// A reader is the receiver's pipeline in this process, up to the points, so that its steps can be timed one by one.
type reader struct {
	sockets *kernel.Sockets
	owners  *owner.Resolver
	ends    *ends.Index
	peers   *peer.Resolver
	flows   *flow.Table
	seen    int // reports of live connections in the last pass
}

func newReader() (*reader, error) {
	owners, err := owner.New("/")
	if err != nil {
		return nil, err
	}
	s, err := kernel.Open(kernel.Options{})
	if err != nil {
		return nil, err
	}
	return &reader{
		sockets: s, owners: owners, peers: peer.New(nil),
		ends:  ends.New(ends.Config{Patience: pipeline.Patience, Now: time.Now}, time.Now()),
		flows: flow.New(flow.Config{Patience: pipeline.Patience}, time.Now()),
	}, nil
}

// snapshot times one pass, with all that the receiver does with each report, or with nothing but counting them.
func (r *reader) snapshot(all, fold bool) (time.Duration, error) {
	now := time.Now()
	r.seen = 0
	err := r.sockets.Snapshot(all, kernel.Handler{
		Cgroup: r.owners.Learn,
		Conn: func(c conn.Conn) {
			if c.Phase == conn.Open {
				r.seen++
			}
			if !fold {
				return
			}
			c.Owner = r.owners.Resolve(c.Process)
			r.ends.Add(&c, now)
			r.flows.Apply(c, now)
		},
	})
	return time.Since(now), err
}

// collect times the crediting of what the passes brought.
func (r *reader) collect() time.Duration {
	now := time.Now()
	r.flows.Collect(now, r.identify)
	r.ends.Expire(now)
	return time.Since(now)
}

// identify tells flows apart by the attributes that are on by default.
func (r *reader) identify(c conn.Conn) (flow.Key, bool) {
	var end *conn.End
	v := r.ends.View(c.Sequence, c.ID)
	if v.Found {
		end = &v.Other
	}
	peer := r.peers.Describe(c, end, c.Tuple.Destination.Addr())
	k := flow.Key{Owner: c.Owner, Role: c.Role, ServerPort: c.ServerPort(), Peer: peer}
	k.Peer[names.PeerContainerID] = ""
	return k, v.Found
}

// liveHeap returns the bytes of the Go heap that are in use.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
