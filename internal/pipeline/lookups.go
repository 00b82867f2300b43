package pipeline

import (
	"fmt"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/dns"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/peer"
)

const (
	maxPendingLookups = 10_000 // that wait for the identity of the other end
	maxQuestions      = 100    // domains of one resource, in dns.question.name
)

// lookups are the DNS exchanges that no flow was credited with yet.
type lookups struct {
	Exchanges
	pending   []conn.Lookup
	questions map[conn.Owner]map[string]bool
	read      time.Time // what was answered before is known
}

// open begins to follow DNS. The error says what is missing; the rest of a pipeline works without.
func (l *lookups) open(o Options, m Machine) (err error) {
	l.questions = make(map[conn.Owner]map[string]bool)
	if m.Resolve == nil || o.DNS == dns.Off || o.DNS == "" {
		return nil
	}
	if l.Exchanges, err = m.Resolve(dns.Options{Mode: o.DNS, Root: o.Root}); err != nil {
		return fmt.Errorf("count DNS look-ups (dns): %w", err)
	}
	return nil
}

func (l *lookups) stats() (dns.Stats, error) {
	if l.Stats == nil {
		return dns.Stats{}, nil
	}
	return l.Stats()
}

func (l *lookups) close() error {
	if l.Close == nil {
		return nil
	}
	return l.Close()
}

// drainLookups reads the exchanges since the last call, and credits those with a settled identity.
func (p *Pipeline) drainLookups(now time.Time) error {
	if p.lookups.Drain == nil {
		return nil
	}
	err := p.lookups.Drain(now, func(l conn.Lookup, addresses []dns.Address) {
		l.Owner = p.owners.Resolve(l.Process)
		p.programs.note(l.Owner, l.Process.PID)
		p.domains.learn(&l, addresses)
		p.lookups.pending = append(p.lookups.pending, l)
	})
	p.lookups.read = now
	p.creditLookups(now)
	if err != nil {
		return fmt.Errorf("read the DNS exchanges: %w", err)
	}
	return nil
}

// creditLookups credits the exchanges whose other end is known, or not worth waiting for.
func (p *Pipeline) creditLookups(now time.Time) {
	full := len(p.lookups.pending) > maxPendingLookups
	kept := p.lookups.pending[:0]
	for i := range p.lookups.pending {
		l := &p.lookups.pending[i]
		key, settled := p.identifyLookup(l, now)
		if !settled && !full && !p.final && now.Sub(l.At) < Patience {
			kept = append(kept, *l)
			continue
		}
		p.flows.Lookup(key, l)
	}
	p.lookups.pending = kept
}

// identifyLookup returns the flow of an exchange. The other end is the resolver that the client asked for, or the
// client that the server saw. Translations are not known, so there is an actual address of this end only.
func (p *Pipeline) identifyLookup(l *conn.Lookup, now time.Time) (k flow.Key, settled bool) {
	remote := l.Tuple.Destination
	q := conn.Query{Namespace: l.Namespace, Address: remote.Addr(), At: l.At, Now: now}
	if l.Role == conn.RoleClient {
		q.Port, q.Protocol = remote.Port(), l.Protocol
	}
	owner, believed := p.believe(l.Owner, now)
	var named conn.Peer
	settled = true
	if !remote.Addr().IsLoopback() {
		named, settled = p.sources.peer(q)
	}
	c := conn.Conn{Socket: conn.Socket{Tuple: l.Tuple, Role: l.Role}, Owner: owner}
	k = flow.Key{
		Owner:      owner,
		Role:       l.Role,
		ServerPort: c.ServerPort(),
		Peer:       peer.Enrich(p.peers.Describe(c, nil, remote.Addr()), named),
		Local:      l.Tuple.Source,
		Remote:     remote,
		Protocol:   l.Protocol,
	}
	if l.Role == conn.RoleServer {
		k.Server = l.Tuple.Source.Addr()
	} else {
		k.Client = l.Tuple.Source.Addr()
	}
	if l.Question != "" {
		k.Question = dns.Domain(l.Question)
	}
	if k = p.mask(k); k.Question != "" {
		k.Question = p.lookups.bounded(k.Owner, k.Question)
	}
	return k, settled && believed && p.introduced(owner)
}

// bounded returns a domain, or the name of all others beyond maxQuestions: a client chooses what it asks for.
func (l *lookups) bounded(o conn.Owner, domain string) string {
	known := l.questions[o]
	switch {
	case known == nil:
		known = make(map[string]bool)
		l.questions[o] = known
	case !known[domain] && len(known) >= maxQuestions:
		return names.OtherError
	}
	known[domain] = true
	return domain
}
