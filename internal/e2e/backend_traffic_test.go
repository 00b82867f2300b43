//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// A cohort is containers that have the same program, and what they did.
type cohort struct {
	name, program            string
	life                     time.Duration // how long its containers live; 0: they stay
	bytes, attempts, refused int
	drivers                  []*driver
}

func (k *cohort) labels() string {
	return fmt.Sprintf(`process_executable_name="%s",netconn_role="client"`, k.program)
}

// Kinds of traffic.
const (
	kept      = "long-lived"
	returning = "expired and back"
	moment    = "a moment"
	seconds   = "three seconds"
)

var everything = []string{kept, returning, moment, seconds}

// known is traffic whose bytes, attempts and failures are known.
type known struct {
	t               *testing.T
	in              *netns.Namespace
	client          string // the program of all kinds; empty: they differ
	base            *driver
	kinds           []*cohort
	long, returning *cohort // two of them
	dials           int
}

// newKnown returns traffic to a program from others of one name; empty: each kind has a name of its own.
func newKnown(t *testing.T, server, client string) *known {
	t.Helper()
	from, to := testnet.New(t), testnet.New(t)
	testnet.Link(from, to, "nc0", "10.78.0.1/24", "10.78.0.2/24")
	k := &known{t: t, in: from.Namespace, client: client, base: startIn(t, server, cgroup.Docker(cgroup.NewID()), to.Namespace)}
	k.base.do("listen %s", baseAddress)
	k.long, k.returning = k.add(kept, 0), k.add(returning, 0)
	k.add(moment, time.Nanosecond)
	k.add(seconds, 3*time.Second)
	for i, d := range k.long.drivers {
		connect(fmt.Sprint("kept", i), d, k.base, baseAddress)
		k.long.attempts++
	}
	return k
}

// add makes a kind, and the containers of it that stay.
func (k *known) add(name string, life time.Duration) *cohort {
	k.t.Helper()
	of := &cohort{name: name, life: life, program: cmp.Or(k.client, fmt.Sprintf("job%x", randomBytes(4)))}
	if life == 0 {
		k.populate(of)
	}
	k.kinds = append(k.kinds, of)
	return of
}

func (k *known) populate(of *cohort) {
	k.t.Helper()
	of.drivers = nil
	for range 3 {
		of.drivers = append(of.drivers, startIn(k.t, of.program, cgroup.Docker(cgroup.NewID()), k.in))
	}
}

// act is some seconds of all kinds. All send on connections that they open; the long-lived ones also on one that they
// keep. All fail at their end: a series of errors begins later than the others.
func (k *known) act() {
	k.t.Helper()
	began := time.Now()
	for _, of := range k.kinds {
		if of.life > 0 {
			k.populate(of)
		}
		k.send(of, 1000)
	}
	for _, of := range k.kinds {
		time.Sleep(time.Until(began.Add(of.life)))
		k.send(of, 300)
		for _, d := range of.drivers {
			d.fail("refused", "dial x 10.78.0.2:5433")
			of.refused++
			if of.life > 0 {
				d.end()
			}
		}
	}
}

// send has each container of a kind send bytes over a new connection, and over the one that it keeps.
func (k *known) send(of *cohort, bytes int) {
	k.t.Helper()
	for i, d := range of.drivers {
		k.dials++
		name := fmt.Sprint("new", k.dials)
		connect(name, d, k.base, baseAddress)
		transfer(name, d, k.base, bytes)
		finish(name, d, k.base)
		of.attempts, of.bytes = of.attempts+1, of.bytes+bytes
		if of == k.long {
			transfer(fmt.Sprint("kept", i), d, k.base, bytes)
			of.bytes += bytes
		}
	}
}
