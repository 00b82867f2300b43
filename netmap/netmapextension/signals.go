package netmapextension

import (
	"context"
	"net/http"

	"github.com/netconn/netconn/netmap/internal/signals"
	"github.com/netconn/netconn/netmap/internal/snap"
	"github.com/netconn/netconn/netmap/internal/view"
)

// SignalsConfig is what is kept of other signals than netconn's metrics.
type SignalsConfig struct {
	// MaxMemoryMiB is how much memory is used for it, beside what max_memory_mib allows for the edges.
	MaxMemoryMiB int `mapstructure:"max_memory_mib"`
}

const defaultSignalsMiB = 64

// signals answers what else is known about both ends of the edges that a query selects.
func (a *api) signals(p *parameters, _ *http.Request) question {
	span, q := p.span(a.source), p.query(a.source)
	q.Level = p.level()
	sides := signals.Sides{Client: true, Server: true}
	switch of := p.text("of", "both"); of {
	case "both":
	case "client", "server":
		sides = signals.Sides{Client: of == "client", Server: of == "server"}
	default:
		p.fail("of", "must be client, server or both")
	}
	asked := a.on(span, func(ctx context.Context, s *snap.Snapshot) (any, error) {
		edges, err := view.Select(ctx, s, q)
		if err != nil {
			return nil, err
		}
		return a.kept.Read(ctx, edges, span, sides, a.sole())
	})
	asked.version = a.kept.Generation()
	return asked
}

// sole reports whether all edges are of one host, so that a process that does not name its host is of that one.
func (a *api) sole() bool { return len(a.source.Status().Hosts) == 1 }

// signalsStatus has the fields of signals.Status.
type signalsStatus struct {
	Points       uint64 `json:"points"`
	Spans        uint64 `json:"spans"`
	Logs         uint64 `json:"logs"`
	Events       uint64 `json:"events"`
	Sources      int    `json:"sources"`
	MaxSources   int    `json:"max_sources"`
	Bytes        int    `json:"bytes"`
	MaxBytes     int    `json:"max_bytes"`
	Late         uint64 `json:"late"`
	Unidentified uint64 `json:"unidentified"`
	Refused      uint64 `json:"refused"`
	Evicted      uint64 `json:"evicted"`
}

func newSignalsStatus(s signals.Status) signalsStatus {
	return signalsStatus{
		Points: s.Points, Spans: s.Spans, Logs: s.Logs, Events: s.Events, Sources: s.Held, MaxSources: s.MaxHeld,
		Bytes: s.Bytes, MaxBytes: s.MaxBytes, Late: s.Late, Unidentified: s.Unidentified, Refused: s.Sources,
		Evicted: s.Evicted,
	}
}
