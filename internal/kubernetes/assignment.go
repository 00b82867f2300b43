package kubernetes

import (
	"net/netip"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// assignment is the time in which a pod had an address. It began at some time before since, which is when the API
// reported it.
type assignment struct {
	pod   *pod
	since time.Time
	until time.Time // when the API reported its end, or the address at another pod; zero: the pod has it
}

// released is an assignment that has ended, and its address.
type released struct {
	address netip.Addr
	*assignment
}

// assign records that a pod has an address. The API may report two pods that have it at once: then the one that started
// later has it.
func (t *podTable) assign(a netip.Addr, p *pod, now time.Time) {
	for other := range t.byAddress.all(a) {
		if other.pod == p && other.until.IsZero() {
			return
		}
	}
	ours := &assignment{pod: p, since: now}
	for other := range t.byAddress.all(a) {
		switch {
		case !other.until.IsZero():
		case p.earliest().Before(other.pod.earliest()):
			ours.until = now
		default:
			t.finish(a, other, now)
		}
	}
	t.byAddress.add(a, ours)
	if !ours.until.IsZero() {
		t.released = append(t.released, released{a, ours})
	}
}

// release records that a pod no longer has an address.
func (t *podTable) release(a netip.Addr, p *pod, now time.Time) {
	for other := range t.byAddress.all(a) {
		if other.pod == p && other.until.IsZero() {
			t.finish(a, other, now)
		}
	}
}

func (t *podTable) finish(a netip.Addr, ended *assignment, until time.Time) {
	ended.until = until
	t.released = append(t.released, released{a, ended})
}

// earliest returns the earliest time at which a pod can have had its addresses, as far as is known.
func (p *pod) earliest() time.Time {
	if p.ready.IsZero() {
		return p.began
	}
	return p.ready
}

// assignedAt returns the assignment that a moment lies in, or nil if there is none or if it may be one of two pods.
func (t *podTable) assignedAt(a netip.Addr, at time.Time) (found *assignment, ambiguous bool) {
	found, pods := t.assignedFrom(a, at, (*pod).earliest)
	if pods == 0 {
		// The moment is before the first sign of a pod's network. The pod may have had the address all the same, from
		// the time that its node took it.
		found, pods = t.assignedFrom(a, at, func(p *pod) time.Time { return p.began })
	}
	return found, pods > 1
}

// assignedFrom returns the last assignment that a moment lies in, if each began when from says, and how many pods it
// may be. One pod can have two assignments of an address, if an outdated list did not have the pod.
func (t *podTable) assignedFrom(a netip.Addr, at time.Time, from func(*pod) time.Time) (found *assignment, pods int) {
	for h := range t.byAddress.all(a) {
		if at.Before(from(h.pod)) || !h.until.IsZero() && at.After(h.until) {
			continue
		}
		if found == nil || found.pod.uid != h.pod.uid {
			pods++
		}
		found = h
	}
	return found, pods
}

// answer returns how certain the assignment of a moment is: the API has had patience to report another pod at the
// address, or not yet.
func (h *assignment) answer(at, now time.Time, patience time.Duration) conn.Answer {
	switch {
	case now.Sub(at) < patience:
		return conn.Provisional
	case h.pod.leaving && h.until.IsZero():
		return conn.Provisional
	}
	return conn.Final
}
