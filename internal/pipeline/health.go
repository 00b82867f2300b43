package pipeline

import (
	"fmt"
	"iter"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/ends"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/udp"
)

// Health is what a pipeline holds now, and what it has counted since Open.
type Health struct {
	Kernel    kernel.Stats
	UDP       udp.Stats // zero: it is not counted
	Losses    conn.Losses
	Flows     flow.Stats
	Owners    owner.Stats
	Events    EventStats
	Ends      ends.Stats
	Conntrack conntrack.Stats // zero: connection tracking cannot be asked
	DNS       DNSStats        // zero: it is not followed
	Drops     DropStats       // zero: drops are not counted
	Domains   DomainStats
	Cluster   kubernetes.Health // zero: there is no cluster

	Contradicted uint64 // owners of pods that the cluster's API does not have here
}

// Health reads the counters of all parts.
func (p *Pipeline) Health() (Health, error) {
	stats, err := p.sockets.Stats()
	if err != nil {
		return Health{}, fmt.Errorf("read the kernel side's counters: %w", err)
	}
	losses, err := p.losses()
	if err != nil {
		return Health{}, err
	}
	datagrams, err := p.udpHealth()
	if err != nil {
		return Health{}, err
	}
	lookups, err := p.lookups.stats()
	if err != nil {
		return Health{}, fmt.Errorf("read the counters of DNS: %w", err)
	}
	dropped, err := p.drops.stats()
	if err != nil {
		return Health{}, fmt.Errorf("read the counters of dropped packets: %w", err)
	}
	return Health{
		DNS: lookups, Drops: dropped, Domains: p.domains.stats(),
		UDP:    datagrams,
		Kernel: stats, Losses: losses, Flows: p.flows.Stats(), Owners: p.owners.Stats(), Events: p.events.stats,
		Ends: p.ends.Stats(), Conntrack: p.tables.health(), Cluster: p.sources.cluster(),
		Contradicted: p.believed.count,
	}, nil
}

// losses returns what the kernel could not report, of TCP and UDP.
func (p *Pipeline) losses() (conn.Losses, error) {
	l, err := p.sockets.Losses()
	if err != nil {
		return l, fmt.Errorf("read what was lost: %w", err)
	}
	datagrams, err := p.udpHealth()
	if err != nil {
		return l, err
	}
	l[conn.LostSent] += datagrams.LostSent
	l[conn.LostReceived] += datagrams.LostReceived
	return l, nil
}

// Routes yields how many ends had a route of each kind, by the value of netconn.nat.
func (h *Health) Routes() iter.Seq2[string, uint64] {
	return named(0, h.Ends.Routes[:], func(i int) string { return conn.NAT(i).String() })
}

// OwnersUnresolved yields how many processes could not be placed, by the value of netconn.reason.
func (h *Health) OwnersUnresolved() iter.Seq2[string, uint64] {
	return named(int(owner.NoCgroup), h.Owners.Unresolved[:], func(i int) string { return owner.Reason(i).String() })
}

// ConntrackAnswers yields the answers of connection tracking, by the value of netconn.result.
func (h *Health) ConntrackAnswers() iter.Seq2[string, uint64] {
	return named(0, h.Conntrack.Answers[:], func(i int) string { return conntrack.Result(i).String() })
}

// ClusterAnswers yields the answers of the cluster, by the value of netconn.answer.
func (h *Health) ClusterAnswers() iter.Seq2[string, uint64] {
	return named(0, h.Cluster.Store.Answers[:], func(i int) string { return conn.Answer(i).String() })
}

// DropsExcluded yields the dropped packets that are no loss, by the value of netconn.drop.reason; no zeros.
func (h *Health) DropsExcluded() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i, n := range h.Drops.Excluded {
			if n > 0 && !yield(names.ExcludedDrop(i), n) {
				return
			}
		}
	}
}

// named yields counts from an index on, with their names.
func named(from int, counts []uint64, name func(int) string) iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for i, n := range counts[from:] {
			if !yield(name(from+i), n) {
				return
			}
		}
	}
}
