package pipeline

import (
	"slices"
	"time"
)

// quietInterval is how long nothing is read while the kernel reports nothing. What ends with time alone ends so much
// later: the memory of both ends of a connection, a DNS query without a response.
const quietInterval = time.Second

// openWaiter has the rings wake a quiet pipeline. Without it, it never is quiet.
func (p *Pipeline) openWaiter() (err error) {
	rings := slices.Concat(p.sockets.Rings, p.lookups.Rings, p.udp.Rings)
	if p.waiter, err = newWaiter(rings); err != nil {
		p.waiter, _ = newWaiter(nil)
	}
	return err
}

// Quiet reports whether another Drain would do nothing unless the kernel reports something: call Wait before it.
func (p *Pipeline) Quiet() bool {
	return p.waiter.waits() && p.ends.Waiting() == 0 && !p.flows.Unsettled() && !p.briefs.unsettled() &&
		len(p.lookups.pending) == 0 && len(p.events.unsettled) == 0 && !p.udpWanted && p.ahead.len() == 0
}

// wakeToLookUp has Drain run soon if a collection has read what waits to be looked up.
func (p *Pipeline) wakeToLookUp() {
	if !p.Quiet() {
		p.Wake()
	}
}

// Wait returns when the kernel has reported something, after Wake, and once in a while. It may run beside all other
// methods but Close.
func (p *Pipeline) Wait() { p.waiter.wait(quietInterval) }

// Wake ends the Wait that runs, or else the next one. It may be called beside all other methods but Close.
func (p *Pipeline) Wake() { p.waiter.poke() }
