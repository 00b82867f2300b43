package netconnreceiver

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/pair"
	"github.com/netconn/netconn/internal/peer"
)

// A pipeline leads from the kernel's reports to points. It is not safe for concurrent use.
type pipeline struct {
	sockets  sockets
	owners   *owner.Resolver
	pairs    *pair.Index
	peers    *peer.Resolver
	flows    *flow.Table
	record   *record
	events   *events
	journal  *journal
	degraded []error // what is missing, each with what it costs
}

// newPipeline opens the sockets last: what it cannot do without must not have been loaded into the kernel for nothing.
func newPipeline(c *Config, m machine, version string) (*pipeline, error) {
	owners, err := owner.New(c.RootPath)
	if err != nil {
		return nil, err
	}
	id, name, hostErr := m.host(c.RootPath)
	s, err := m.open()
	if err != nil {
		return nil, err
	}
	now := m.now()
	p := &pipeline{
		sockets: s,
		owners:  owners,
		pairs:   pair.New(),
		peers:   peer.New(c.Networks),
		flows:   newFlows(c, now),
		record:  newRecord(c, host{id: id, name: name, node: c.NodeName}, version, now),
		events:  newEvents(c),
	}
	p.pairs.Limit = c.MaxConnections
	p.journal = &journal{version: version, resources: p.record.resources}
	p.degraded = p.missing(hostErr)
	return p, nil
}

func newFlows(c *Config, now time.Time) *flow.Table {
	return flow.New(flow.Config{
		LimitPerResource: c.LimitPerResource,
		MaxResources:     c.MaxResources,
		MaxConnections:   c.MaxConnections,
		ExpireAfter:      c.ExpireAfter,
		Buckets:          c.buckets(),
	}, now)
}

// missing returns what the pipeline has to do without.
func (p *pipeline) missing(host error) []error {
	var errs []error
	if host != nil {
		errs = append(errs, host)
	}
	for _, w := range p.owners.Warnings() {
		errs = append(errs, errors.New(w))
	}
	stats, err := p.sockets.stats()
	if err != nil {
		errs = append(errs, err)
	}
	for _, program := range stats.Programs {
		if program.Err != nil {
			errs = append(errs, fmt.Errorf("attach %s: %w", program.Name, program.Err))
		}
	}
	return errs
}

// collect makes the points of one collection. With an error they are those of what could be read.
func (p *pipeline) collect(now time.Time) (pmetric.Metrics, error) {
	flows, err := p.read(now)
	md := p.record.write(flows, now)
	p.expire(now)
	return md, err
}

// collectUnseen is a collection that nobody wants the points of: what is held must settle and expire all the same.
func (p *pipeline) collectUnseen(now time.Time) error {
	_, err := p.read(now)
	p.expire(now)
	return err
}

// read brings the flows up to date. Events look for their other ends before those may expire.
func (p *pipeline) read(now time.Time) ([]flow.Resource, error) {
	snapshotErr := p.snapshot(now)
	lossErr := p.lose(now)
	p.events.settle(now, p.meet)
	return p.flows.Collect(now, p.identify), errors.Join(snapshotErr, lossErr)
}

func (p *pipeline) expire(now time.Time) {
	for _, gone := range p.owners.Expire(now) {
		if p.record.resources.mask(gone) == gone { // or living containers share the resource
			p.flows.Gone(gone)
		}
	}
	p.pairs.Expire(now)
}

// tell returns the events since the last call, as far as their other ends are known or not worth waiting for.
func (p *pipeline) tell(now time.Time) plog.Logs {
	p.events.settle(now, p.meet)
	logs := p.journal.write(p.events.take())
	p.events.stats.Emitted += uint64(logs.LogRecordCount())
	return logs
}

// snapshot reads the live connections. What a pass that broke off did not see is not absent, so it reconciles nothing.
func (p *pipeline) snapshot(now time.Time) error {
	all := p.flows.NeedsPass()
	if err := p.sockets.snapshot(all, p.handler(now)); err != nil {
		return fmt.Errorf("read the live connections: %w", err)
	}
	if all {
		p.flows.Reconcile(now)
	}
	return nil
}

func (p *pipeline) lose(now time.Time) error {
	losses, err := p.sockets.losses()
	if err != nil {
		return fmt.Errorf("read what was lost: %w", err)
	}
	p.flows.Lose(losses, now)
	return nil
}

// drain reads the reports of ended connections, so that their ring does not fill up between two collections.
func (p *pipeline) drain(now time.Time) error {
	if err := p.sockets.drain(p.handler(now)); err != nil {
		return fmt.Errorf("read the ended connections: %w", err)
	}
	return nil
}

func (p *pipeline) handler(now time.Time) kernel.Handler {
	return kernel.Handler{
		Cgroup: p.owners.Learn,
		Conn: func(c conn.Conn) {
			c.Owner = p.owners.Resolve(c.Process)
			p.pairs.Add(c, now)
			p.flows.Apply(c, now)
			p.events.add(c, now)
		},
		Listener: func(l conn.Listener) {
			l.Owner = p.record.resources.mask(p.owners.Resolve(l.Process))
			if !p.record.set.has(serverPort) {
				l.Local = conn.Listener{}.Local
			}
			p.flows.Listener(l, now)
		},
	}
}

// identify tells which flow a connection belongs to. It is settled once the other end was found, or when there can be
// none: the ends are paired by sequence numbers, and a connection that was never established has none. An end whose owner
// is not known may get one yet.
func (p *pipeline) identify(c conn.Conn) (flow.Key, bool) {
	other := p.meet(c)
	k := flow.Key{
		Owner:      p.record.resources.mask(c.Owner),
		Role:       c.Role,
		ServerPort: c.ServerPort(),
		Peer:       other.peer,
		Local:      c.Tuple.Source,
		Remote:     c.Tuple.Destination,
	}
	switch c.Role {
	case conn.RoleClient:
		k.Client, k.Server = c.Tuple.Source.Addr(), c.Tuple.Destination.Addr()
	case conn.RoleServer:
		k.Client, k.Server = c.Tuple.Destination.Addr(), c.Tuple.Source.Addr()
	}
	return p.record.set.mask(k), other.settled
}

// An acquaintance is what is known of the other end of a connection.
type acquaintance struct {
	peer    conn.Peer
	address netip.AddrPort // its own, if it is on this machine; else the one that this end has
	settled bool           // no better answer will come
}

func (p *pipeline) meet(c conn.Conn) acquaintance {
	other, found := p.pairs.Other(c)
	if !found {
		return acquaintance{p.peers.Describe(c, nil), c.Tuple.Destination, c.Sequence == conn.Sequence{}}
	}
	known := other.Owner != conn.Owner{}
	return acquaintance{p.peers.Describe(c, &other), other.Address, known}
}

// health reads how the pipeline is.
func (p *pipeline) health() (*health, error) {
	stats, err := p.sockets.stats()
	if err != nil {
		return nil, fmt.Errorf("read the kernel side's counters: %w", err)
	}
	losses, err := p.sockets.losses()
	if err != nil {
		return nil, fmt.Errorf("read what was lost: %w", err)
	}
	return &health{
		kernel: stats, losses: losses, flows: p.flows.Stats(), owners: p.owners.Stats(), events: p.events.stats,
		unpaired: p.pairs.Refused,
	}, nil
}
