package netconnreceiver

import (
	"errors"
	"fmt"
	"slices"
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
	routes   *routes
	peers    *peer.Resolver
	cluster  cluster
	flows    *flow.Table
	record   *record
	events   *events
	journal  *journal
	degraded []error // what is missing, each with what it costs
}

// newPipeline opens the sockets first: another operating system must be named as such, and not by the paths that it lacks.
func newPipeline(c *Config, m machine, version string) (*pipeline, error) {
	s, err := m.open()
	if err != nil {
		return nil, err
	}
	owners, err := owner.New(c.RootPath)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	id, name, hostErr := m.host(c.RootPath)
	now := m.now()
	t, tablesErr := m.ask(c.RootPath, now)
	k, clusterErr := m.join(c, m.now)
	p := &pipeline{
		sockets: s,
		owners:  owners,
		pairs:   pair.New(),
		peers:   peer.New(c.Networks),
		cluster: k,
		flows:   newFlows(c, now),
		record:  newRecord(c, host{id: id, name: name, node: c.NodeName}, version, now),
		events:  newEvents(c),
	}
	p.pairs.Limit = c.MaxConnections
	p.routes = newRoutes(t, p.pairs, m.now)
	p.journal = &journal{version: version, resources: p.record.resources}
	p.degraded = p.missing(hostErr, tablesErr, clusterErr)
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
func (p *pipeline) missing(found ...error) []error {
	errs := slices.DeleteFunc(found, func(err error) bool { return err == nil })
	for _, w := range slices.Concat(p.owners.Warnings(), p.routes.warnings()) {
		errs = append(errs, errors.New(w))
	}
	if p.cluster.there() && p.record.resources.host.node == "" {
		errs = append(errs, errors.New("tell peers on this node from others by their addresses, and local zones: node_name is not set"))
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
	drainErr := p.confirm(now)
	lossErr := p.lose(now)
	p.events.settle(now, p.meeting(now))
	identify := func(c conn.Conn) (flow.Key, bool) { return p.identify(c, now) }
	return p.flows.Collect(now, identify), errors.Join(snapshotErr, drainErr, lossErr)
}

// meeting returns how to meet other ends at a time.
func (p *pipeline) meeting(now time.Time) func(conn.Conn) acquaintance {
	return func(c conn.Conn) acquaintance { return p.meet(c, now) }
}

func (p *pipeline) expire(now time.Time) {
	for _, gone := range p.owners.Expire(now) {
		if p.record.resources.mask(gone) == gone { // or living containers share the resource
			p.flows.Gone(gone)
		}
	}
	p.pairs.Expire(now)
	p.routes.expire(now)
}

// tell returns the events since the last call, as far as their other ends are known or not worth waiting for.
func (p *pipeline) tell(now time.Time) plog.Logs {
	p.events.settle(now, p.meeting(now))
	logs := p.journal.write(p.events.take())
	p.events.stats.Emitted += uint64(logs.LogRecordCount())
	return logs
}

// snapshot reads the live connections. What a pass that broke off did not see is not absent, so it reconciles nothing.
func (p *pipeline) snapshot(now time.Time) error {
	all := p.flows.NeedsPass()
	p.routes.read(now)
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

// confirm finds the routes of what was reported. What connection tracking was asked for is confirmed by what ended meanwhile.
func (p *pipeline) confirm(now time.Time) error {
	if !p.routes.settle(now) {
		return nil
	}
	return p.drain(now)
}

// drain reads the reports of ended connections, so that their ring does not fill up between two collections, finds their routes before
// connection tracking forgets them, and lets go of those that are certain.
func (p *pipeline) drain(now time.Time) error {
	defer p.settle(now)
	p.routes.read(now)
	if err := p.sockets.drain(p.handler(now)); err != nil {
		return fmt.Errorf("read the ended connections: %w", err)
	}
	return nil
}

// settle comes after each reading. Flows and events look for other ends before those may expire.
func (p *pipeline) settle(now time.Time) {
	p.routes.settle(now)
	p.flows.Settle(now, func(c conn.Conn) (flow.Key, bool) {
		key, settled := p.identify(c, now)
		if settled {
			p.pairs.Done(c.Sequence, c.ID)
		}
		return key, settled
	})
	p.events.settle(now, p.meeting(now))
	p.pairs.Expire(now)
}

func (p *pipeline) handler(now time.Time) kernel.Handler {
	return kernel.Handler{
		Cgroup: p.owners.Learn,
		Conn: func(c conn.Conn) {
			c.Owner, c.Moment = p.owners.Resolve(c.Process), now.Add(-c.Age)
			p.routes.note(c, p.pairs.Add(c, now), now)
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
		unpaired: p.pairs.Refused, routes: p.routes.stats, conntrack: p.routes.tables.health(),
		cluster: p.cluster.counters(),
	}, nil
}

// close leaves nothing in the kernel.
func (p *pipeline) close() error {
	err := p.sockets.close()
	if p.routes.tables.close != nil {
		err = errors.Join(err, p.routes.tables.close())
	}
	if p.cluster.there() {
		p.cluster.close()
	}
	return err
}
