package kubernetes

import (
	"net/netip"
	"slices"
	"time"
)

// lag is how long the API may take to tell that an address has gone to another pod. What a connection younger than that has
// at its other end may still turn out to be another pod. It is as long as a connection waits for its identity.
const lag = 2 * time.Second

// holding is the time in which a pod had an address.
type holding struct {
	pod   *pod
	since time.Time // when it was seen to have it; in truth it had it somewhat earlier
	until time.Time // when it was seen not to have it any more, or another pod was seen to; zero: it has it
}

// hold takes note that a pod has an address. Of two that have it, as the API may tell for a while, the one that came later has it.
func (s *Store) hold(a netip.Addr, p *pod, now time.Time) {
	mine := slices.IndexFunc(s.holders[a], func(h *holding) bool { return h.pod == p && h.until.IsZero() })
	if mine >= 0 {
		return
	}
	h := &holding{pod: p, since: now}
	for _, other := range s.holders[a] {
		switch {
		case !other.until.IsZero():
		case p.earliest().Before(other.pod.earliest()):
			h.until = now
		default:
			other.until = now
		}
	}
	s.holders[a] = append(s.holders[a], h)
}

func (s *Store) release(a netip.Addr, p *pod, now time.Time) {
	for _, h := range s.holders[a] {
		if h.pod == p && h.until.IsZero() {
			h.until = now
		}
	}
}

// earliest is when a pod can have had its addresses at the earliest.
func (p *pod) earliest() time.Time {
	if p.ready.IsZero() {
		return p.began
	}
	return p.ready
}

// holderAt returns the holding in which a moment lies, or nil: there is none, or there are two.
func (s *Store) holderAt(a netip.Addr, at time.Time) (h *holding, ambiguous bool) {
	h, n := only(s.holders[a], at, (*pod).earliest)
	if n == 0 { // before there was a sign of its network: not another pod's, if it had been taken by its node
		h, n = only(s.holders[a], at, func(p *pod) time.Time { return p.began })
	}
	return h, n > 1
}

// only returns the last of the holdings in which a moment lies, and how many pods there are that it may be. A pod may have two, if an old
// list did not have it.
func only(holdings []*holding, at time.Time, from func(*pod) time.Time) (found *holding, n int) {
	for _, h := range holdings {
		if at.Before(from(h.pod)) || !h.until.IsZero() && at.After(h.until) {
			continue
		}
		if found == nil || found.pod.uid != h.pod.uid {
			n++
		}
		found = h
	}
	return found, n
}

// answer tells whether what is known of a holding by now will stay: the API must have had the time to tell of another holder.
func (h *holding) answer(at, now time.Time) Answer {
	switch {
	case now.Sub(at) < lag:
		return Provisional
	case h.pod.leaving && h.until.IsZero():
		return Provisional
	}
	return Final
}
