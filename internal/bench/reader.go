//go:build linux

package main

import (
	"net/netip"
	"runtime"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/pipeline"
)

// A reader is the receiver's pipeline in this process, so that the steps of a collection can be timed one by one.
type reader struct {
	*pipeline.Pipeline
	sockets *kernel.Sockets // that it reads
	whole   bool            // the next snapshot reports each socket, as one does after a loss
	seen    int             // reports of live connections in the last snapshot
	took    time.Duration   // the last snapshot, with all that the pipeline does with each report
}

func newReader() (*reader, error) {
	r := &reader{}
	m := pipeline.ThisMachine()
	m.Open = func() (s pipeline.Sockets, err error) {
		if r.sockets, err = kernel.Open(kernel.Options{}); err != nil {
			return s, err
		}
		return pipeline.Sockets{
			Drain: r.sockets.Drain, Snapshot: r.timed, Losses: r.sockets.Losses, Stats: r.sockets.Stats,
			Close: r.sockets.Close,
		}, nil
	}
	o := pipeline.Defaults()
	o.Mask = withoutAddresses
	var err error
	r.Pipeline, err = pipeline.Open(o, m)
	return r, err
}

// withoutAddresses leaves out the attributes that are off by default.
func withoutAddresses(k flow.Key) flow.Key {
	k.Local, k.Remote = netip.AddrPort{}, netip.AddrPort{}
	k.Server, k.Client, k.Original.Address = netip.Addr{}, netip.Addr{}, netip.Addr{}
	k.Peer[names.PeerContainerID], k.Peer[names.PeerPod], k.Peer[names.PeerNode] = "", "", ""
	k.Peer[names.PeerZone], k.Peer[names.PeerRegion] = "", ""
	return k
}

// timed takes a snapshot for the pipeline.
func (r *reader) timed(all bool, h kernel.Handler) error {
	start := time.Now()
	err := r.sockets.Snapshot(all || r.whole, r.counting(h))
	r.took = time.Since(start)
	return err
}

// counting counts the live connections before a handler takes them.
func (r *reader) counting(h kernel.Handler) kernel.Handler {
	r.seen = 0
	take := h.Conn
	h.Conn = func(c conn.Conn) {
		if c.Phase == conn.Open {
			r.seen++
		}
		take(c)
	}
	return h
}

// read times a snapshot, and keeps nothing of it.
func (r *reader) read() (time.Duration, error) {
	start := time.Now()
	err := r.sockets.Snapshot(false, r.counting(kernel.Handler{Conn: func(conn.Conn) {}}))
	return time.Since(start), err
}

// collect times the snapshot of a collection, and the rest of it.
func (r *reader) collect() (snapshot, rest time.Duration, err error) {
	start := time.Now()
	_, err = r.Collect(start)
	return r.took, time.Since(start) - r.took, err
}

// liveHeap returns the bytes of the Go heap that are in use.
func liveHeap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
