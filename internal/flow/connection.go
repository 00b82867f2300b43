package flow

import (
	"slices"
	"time"
	"unique"

	"github.com/netconn/netconn/internal/conn"
)

// connection is what is kept of a connection between its reports. There may be hundreds of thousands, so the report
// itself is kept only in a visit, as long as there is something to do with it.
type connection struct {
	flow     *flow                     // that it is credited to; nil: not yet
	owner    unique.Handle[conn.Owner] // as last reported: if the kernel corrects it, the identity is looked up again
	credited conn.Totals               // the totals that flows have been given
	first    time.Duration             // of the first report, since the table's start
	round    uint32                    // of collections, at the last report
	visit    int32                     // index in the table's visits, -1: nothing to do
	missed   uint8                     // full passes in a row that it was absent from

	settled    bool // the identity is final
	began      bool // its attempt is counted
	handshaken bool // its handshake is counted
	active     bool // it is counted in Active
	ended      bool // its end is counted
	over       bool // the kernel reported its end: any report after that is late
	lost       bool // it was absent from three full passes
	sample     bool // there is a report with gauges that are not sampled yet
	datagrams  bool // it is of UDP, which has no attempts and no ends
}

// credit gives f, the connection's flow, what is not credited yet.
func (k *connection) credit(f *flow, v *visit, bounds *Bounds) {
	f.Connections = true
	k.begin(f, v)
	grown := v.totals.Since(&k.credited)
	f.count(grown)
	if n := grown[conn.DatagramErrors]; k.datagrams && n > 0 {
		f.Outcomes[DatagramErrors][errorOf(v)] += n
	}
	k.credited = v.totals
	k.observe(f, v, bounds)
	switch {
	case k.ended:
	case k.over:
		k.end(f, reason(v))
		if v.SeenOpening && v.Age > 0 {
			f.Histograms[Duration].observe(bounds[Duration], v.Age)
		}
	case k.lost:
		// No duration: the age of the last report is not that of the end.
		k.end(f, conn.Lost)
	}
}

// begin counts the attempt, once, and makes the connection active unless it failed.
func (k *connection) begin(f *flow, v *visit) {
	if k.began {
		return
	}
	k.began, f.touched, k.datagrams = true, true, v.Protocol == conn.UDP
	failed := v.Phase == conn.Failed
	switch {
	case v.SeenOpening && failed:
		f.Outcomes[Attempts][reason(v)]++
	case v.SeenOpening:
		f.Outcomes[Attempts][conn.NoError]++
	}
	if failed {
		k.ended = true
		return
	}
	k.active = true
	f.Active++
}

// end counts the end of an active connection.
func (k *connection) end(f *flow, e conn.Error) {
	k.ended, k.active, f.touched = true, false, true
	f.Active--
	if !k.datagrams {
		f.Outcomes[Ends][e]++
	}
}

// observe samples the gauges, and the handshake once. A duration of zero is no sample.
func (k *connection) observe(f *flow, v *visit, bounds *Bounds) {
	if k.sample && v.RTT > 0 {
		f.Histograms[RTT].observe(bounds[RTT], v.RTT)
	}
	if k.sample && v.RTTVariation > 0 {
		f.Histograms[Jitter].observe(bounds[Jitter], v.RTTVariation)
	}
	k.sample = false
	if !k.handshaken && v.Handshake > 0 {
		f.Histograms[Handshake].observe(bounds[Handshake], v.Handshake)
		k.handshaken = true
	}
}

// move makes f the connection's flow. Only Active moves with it.
func (k *connection) move(f *flow) {
	if k.flow == f {
		return
	}
	if k.active {
		k.flow.Active--
		k.flow.touched = true
		f.Active++
		f.Connections, f.touched = true, true
	}
	k.release()
	f.users++
	k.flow = f
}

// release drops the connection's reference to its flow.
func (k *connection) release() {
	if k.flow != nil {
		k.flow.users--
		k.flow = nil
	}
}

// errorOf returns the last error of a UDP socket, as one of those that UDP has.
func errorOf(v *visit) conn.Error {
	if !slices.Contains(datagramReasons[:], v.Error) {
		return conn.Other
	}
	return v.Error
}

// reason returns the outcome of a failed attempt or the reason of an end, as a valid index. A failure without a
// reason must not count as a success.
func reason(v *visit) conn.Error {
	if v.Error >= conn.Errors || v.Phase == conn.Failed && v.Error == conn.NoError {
		return conn.Other
	}
	return v.Error
}
