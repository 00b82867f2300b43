// Package pipeline leads from the kernel's reports to flows and events. It joins the packages that know one thing each,
// and is the only one that imports more than one of them.
//
// In: reports of sockets (internal/kernel), with the owners of their processes (internal/owner), the translations that
// connection tracking knows (internal/conntrack), and the names that a cluster has for addresses (internal/kubernetes).
// Out: at Collect every flow, at Events the connections that have ended, as plain Go values. Time comes in with each
// call. Whatever takes long, the kernel's rings are read meanwhile.
//
// Call Drain more often than the kernel's ring of ended connections fills up (DrainInterval), and Collect once an
// interval. A failed read is returned beside what could be read. Nothing is counted twice when the next one succeeds,
// because reports are absolute. A Pipeline is not safe for concurrent use.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/dns"
	"github.com/netconn/netconn/internal/ends"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/peer"
)

// Patience is how long a flow, an event and the cluster's answer wait for a better identity of the other end.
const Patience = 2 * time.Second

// StartPatience is how long the first collection waits for what all resources have, from Open on. It does not depend on
// the interval of collections: the API of a busy machine may take longer than a short one.
const StartPatience = 10 * time.Second

// ContainerPatience is how long the flows of a pod's container wait until the cluster's API knows the container. It is
// longer than an API server takes to start again.
const ContainerPatience = 5 * time.Minute

// DrainInterval is short enough for the ring of ended connections not to fill up at ten thousand a second.
const DrainInterval = 100 * time.Millisecond

// Options are what a pipeline reads, and what it tells apart.
type Options struct {
	Root       string                    // of the host: where its /proc and /sys/fs/cgroup are
	Networks   map[string][]netip.Prefix // names for ranges of addresses
	Services   []netip.Prefix            // ranges of service addresses, which no socket has
	Kubernetes ClusterConfig
	DNS        DNSMode
	// PeerDomains is how many names of peers outside one resource has, from the answers of DNS. 0: none.
	PeerDomains int
	// RequireKubeconfig makes Open fail if a kubeconfig is configured and cannot be used. Open does not wait for the
	// API.
	RequireKubeconfig bool
	Flows             flow.Config
	Events            EventOptions
	UDP               UDP
	Drops             DropsMode
	Mask              func(flow.Key) flow.Key // leaves out what is not to tell flows apart
}

// Defaults are the options of a configuration that names none.
func Defaults() Options {
	return Options{Root: "/", DNS: dns.Servers, PeerDomains: 100,
		Kubernetes: kubernetes.Defaults(), Flows: flow.Defaults(),
		Events: EventOptions{MaxPerSecond: 100, OpenInterval: 5 * time.Minute}}
}

// ClusterConfig is how the API of a cluster is reached. Without an API the rest of a pipeline works.
type ClusterConfig = kubernetes.Config

// DNSMode is which DNS exchanges are followed: off, servers or all.
type DNSMode = dns.Mode

// DNSStats are the counters of the reader of DNS.
type DNSStats = dns.Stats

// A Pipeline is made by Open.
type Pipeline struct {
	sockets      Sockets
	udp          Datagrams
	udpErr       error
	udpRefused   growth    // of cgroups
	udpRead      time.Time // the last snapshot of UDP
	udpWanted    bool      // a client has ended with a server that is not known
	drops        dropping
	owners       *owner.Resolver
	waiter       *waiter
	ahead        ahead
	pairs        *pairs
	briefs       briefs
	ends         *ends.Index
	datagramEnds *ends.Datagrams
	tables       Tables
	peers        *peer.Resolver
	lookups      lookups
	domains      domains
	sources      Sources
	known        map[introduction]names.Proxy // containers of this machine that the sources are certain of
	believed     believed
	listed       bool // the cluster's API had answered before this collection
	flows        *flow.Table
	listening    listening
	programs     *programs
	overflow     overflow
	refusals     refusals
	events       *events
	mask         func(flow.Key) flow.Key
	host         Host
	capacity     Capacity
	degraded     []error // what is missing, each with what it costs
	final        bool    // identities are taken as they are
}

// Open opens the sockets first: another operating system must be named as such, and not by the paths that it lacks.
func Open(o Options, m Machine) (*Pipeline, error) {
	s, err := m.Open()
	if err != nil {
		return nil, err
	}
	owners, err := owner.New(o.Root)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	id, name, hostErr := m.Host(o.Root)
	now := m.Now()
	t, tablesErr := m.Ask(o.Root, now)
	o.Kubernetes.Patience, o.Flows.Patience = Patience, Patience
	o.Kubernetes.Boot = owner.Boot(o.Root)
	capacity := m.capacity(o.Flows.MaxConnections)
	o.Flows.MaxConnections, o.Events.MaxConnections = capacity.Connections, capacity.Connections
	sources, missing := m.Join(o, m.Now)
	if err := errors.Join(missing...); o.RequireKubeconfig && errors.Is(err, kubernetes.ErrKubeconfig) {
		sources.close()
		return nil, errors.Join(err, t.close(), s.Close())
	}
	p := &Pipeline{
		sockets: s,
		owners:  owners,
		ends: ends.New(ends.Config{
			Limit: o.Flows.MaxConnections, Patience: Patience, Lookup: t.lookup(),
		}, now),
		datagramEnds: ends.NewDatagrams(ends.Config{Limit: o.Flows.MaxConnections, Patience: Patience}),
		tables:       t,
		peers:        peer.New(o.Networks, o.Services...),
		sources:      sources,
		known:        make(map[introduction]names.Proxy),
		believed:     believed{refused: make(map[conn.Owner]conn.Owner)},
		pairs:        newPairs(o.Mask),
		briefs:       newBriefs(o.Mask),
		programs:     newPrograms(o.Root),
		listening:    newListening(),
		domains:      newDomains(o),
		events:       newEvents(o.Events),
		mask:         o.Mask,
		host:         Host{ID: id, Name: name},
		capacity:     capacity,
	}
	o.Flows.Withhold = p.withhold
	p.flows = flow.New(o.Flows, now)
	dnsErr, udpErr, dropsErr := p.lookups.open(o, m), p.openDatagrams(o, m), p.drops.open(o, m, now)
	found := []error{hostErr, tablesErr, dnsErr, udpErr, dropsErr, p.openWaiter(), s.limit(capacity.Sockets)}
	p.degraded = p.missing(append(found, missing...))
	return p, nil
}

// missing returns what the pipeline has to do without.
func (p *Pipeline) missing(found []error) []error {
	errs := slices.DeleteFunc(found, func(err error) bool { return err == nil })
	for _, w := range slices.Concat(p.owners.Warnings(), p.tables.warnings(), p.sources.warnings()) {
		errs = append(errs, errors.New(w))
	}
	stats, err := p.sockets.Stats()
	if err != nil {
		errs = append(errs, err)
	}
	if !p.sockets.complete() {
		errs = append(errs, errIncomplete)
	}
	for _, program := range stats.Programs {
		if program.Err != nil {
			errs = append(errs, fmt.Errorf("attach %s: %w", program.Name, program.Err))
		}
	}
	return errs
}

// Adopt finds the connections that are older than the pipeline, until ctx ends. It takes long where there are many, and
// is the one method that may run beside all others but Close. A connection counts from when it was found.
func (p *Pipeline) Adopt(ctx context.Context) error {
	if p.sockets.Adopt == nil {
		return nil
	}
	if err := p.sockets.Adopt(ctx); err != nil {
		return fmt.Errorf("find the open connections: %w", err)
	}
	return nil
}

// Host returns what is known of the host since Open.
func (p *Pipeline) Host() Host { return p.host }

// Capacity returns how many connections are followed since Open.
func (p *Pipeline) Capacity() Capacity { return p.capacity }

// Degraded returns what the pipeline has had to do without since Open, each with what it costs.
func (p *Pipeline) Degraded() []error { return p.degraded }

// Faults returns what does not work now, and may work again: the way to the Kubernetes API, room for flows, or for the
// kernel's records.
func (p *Pipeline) Faults() []conn.Fault {
	return slices.Concat(p.sources.faults(), p.overflow.faults(), p.refusals.faults(), p.datagramFaults())
}

// WantEvents begins to keep events, or ends it and forgets the events that no receiver will take.
func (p *Pipeline) WantEvents(wanted bool) { p.events.want(wanted) }

// Collect makes one collection and returns all flows, which are valid until the next call of any method. With an error
// they are those of what could be read.
func (p *Pipeline) Collect(now time.Time) ([]flow.Resource, error) {
	p.listed = p.sources.listed()
	flows, err := p.read(now)
	p.beside(func() { p.expire(now) })
	p.overflow.note(p.flows.Stats(), now)
	p.noteDatagrams(now)
	p.wakeToLookUp()
	if sockets, err := p.sockets.Stats(); err == nil { // or Health returns it
		p.overflow.noteSockets(sockets)
		p.refusals.note(&sockets, now)
	}
	return flows, err
}

// read brings the flows up to date. Events look for their other ends before those may expire.
func (p *Pipeline) read(now time.Time) (flows []flow.Resource, err error) {
	snapshotErr := p.snapshot(now)
	drainErr := p.confirm(now)
	p.creditLookups(now)
	lossErr := errors.Join(p.lose(now), p.readDrops(now))
	p.beside(func() {
		p.events.settle(now, p.resolver(now))
		p.collectBriefs(now)
		flows = p.flows.Collect(now, func(c conn.Conn) (flow.Key, bool) { return p.identify(c, now) })
	})
	return flows, errors.Join(snapshotErr, drainErr, lossErr)
}

// resolver returns how to resolve the identities of events at a time.
func (p *Pipeline) resolver(now time.Time) func(*Event) Identity {
	return func(e *Event) Identity { return p.resolveEvent(e, now) }
}

func (p *Pipeline) expire(now time.Time) {
	for _, gone := range slices.Concat(p.owners.Expire(now), p.programs.ended(now)) {
		delete(p.known, introductionOf(gone))
		gone = p.believed.gone(gone)
		delete(p.lookups.questions, gone)
		delete(p.domains.shown, gone)
		if p.mask(flow.Key{Owner: gone}).Owner == gone { // or living containers share the resource
			p.flows.Gone(gone)
		}
	}
	p.ends.Expire(now)
}

// Events returns the events since the last call, as far as their other ends are known or not worth waiting for.
func (p *Pipeline) Events(now time.Time) []Event {
	p.events.settle(now, p.resolver(now))
	return p.events.take()
}

// TakeAsFinal has Collect and Events return everything that was read, with the other ends as they are known, or ends
// that. It is for the last collection, which no later report follows.
func (p *Pipeline) TakeAsFinal(final bool) { p.final = final }

// PutBack takes events that could not be emitted. The next call of Events returns them first.
func (p *Pipeline) PutBack(refused []Event) { p.events.putBack(refused) }

// snapshot reads the live connections. What a pass did not see that broke off, or that does not see all connections, is
// not absent, so it reconciles nothing.
func (p *Pipeline) snapshot(now time.Time) error {
	all := p.events.live.begin(now, p.events.wanted) || p.flows.NeedsPass()
	h := p.handler(now)
	err := errors.Join(p.ahead.handOver(h), p.sockets.Snapshot(all, h), p.snapshotDatagrams(all, now))
	complete := all && err == nil && p.sockets.complete()
	p.events.live.end(complete)
	if err != nil {
		return fmt.Errorf("read the live connections: %w", err)
	}
	if complete {
		p.flows.Reconcile(now)
	}
	return nil
}

func (p *Pipeline) lose(now time.Time) error {
	losses, err := p.losses()
	if err != nil {
		return err
	}
	p.flows.Lose(losses, now)
	return nil
}

// confirm finds the routes of what was reported. What connection tracking was asked for is confirmed by what ended
// meanwhile.
func (p *Pipeline) confirm(now time.Time) error {
	err := p.readCut(now)
	if !p.ask(now) {
		return err
	}
	return errors.Join(err, p.Drain(now))
}

// ask finds routes beside the reading of the rings, because connection tracking may take long to answer. More: there
// are answers to confirm after another reading.
func (p *Pipeline) ask(now time.Time) (more bool) {
	if p.ends.Waiting() > 0 {
		p.beside(func() { more = p.ends.Settle(now) })
	}
	return more
}

// Drain reads the reports of ended connections, so that their ring does not fill up between two collections, finds
// their routes before connection tracking forgets them, and lets go of those that are certain.
func (p *Pipeline) Drain(now time.Time) error {
	defer p.settle(now)
	return errors.Join(p.drainLookups(now), p.drainDatagrams(now), p.readEnded(now), p.readCut(now))
}

func (p *Pipeline) readEnded(now time.Time) error {
	defer p.keepHeld(now)
	h := p.handler(now)
	h.Conn = func(c conn.Conn) {
		c.Owner = p.owners.Resolve(c.Process)
		p.take(&c, now)
	}
	if err := errors.Join(p.ahead.handOver(h), p.sockets.Drain(h)); err != nil {
		return fmt.Errorf("read the ended connections: %w", err)
	}
	return nil
}

// readCut reads again if the last reading had one end of a connection, and the other end may have closed a moment
// later: to ask about one end is in vain.
func (p *Pipeline) readCut(now time.Time) error {
	if !p.ends.Cut() {
		return nil
	}
	return p.readEnded(now)
}

// settle comes after each reading. Flows and events look for other ends before those may expire.
func (p *Pipeline) settle(now time.Time) {
	p.ask(now)
	p.settleBriefs(now)
	p.flows.Settle(now, func(c conn.Conn) (flow.Key, bool) {
		key, settled := p.identify(c, now)
		if settled {
			p.ends.Done(c.Sequence, c.ID)
		}
		return key, settled
	})
	p.events.settle(now, p.resolver(now))
	p.ends.Expire(now)
	p.datagramEnds.Expire(now)
}

func (p *Pipeline) handler(now time.Time) kernel.Handler {
	return kernel.Handler{
		Cgroup: p.owners.Learn,
		Conn: func(c conn.Conn) {
			c.Owner = p.owners.Resolve(c.Process)
			p.keep(&c, now)
			p.events.add(c, now)
		},
		Listener: func(l conn.Listener) {
			p.listening.note(&l)
			owner, _ := p.believe(p.owners.Resolve(l.Process), now)
			k := p.mask(flow.Key{Owner: owner, ServerPort: l.Local.Port()})
			l.Owner, l.Local = k.Owner, netip.AddrPortFrom(l.Local.Addr(), k.ServerPort)
			p.flows.Listener(l, now)
		},
	}
}

// Close leaves nothing in the kernel.
func (p *Pipeline) Close() error {
	err := errors.Join(p.waiter.close(), p.sockets.Close(), p.tables.close(), p.lookups.close(), p.udp.close(),
		p.drops.close())
	p.sources.close()
	return err
}
