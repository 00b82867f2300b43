package netmapextension

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/netconn/netconn/netmap/internal/snap"
	"github.com/netconn/netconn/netmap/internal/view"
)

// status is the state of the map, as docs/netmap-api.md has it.
type status struct {
	API           int             `json:"api"`
	Now           float64         `json:"now"`
	Started       float64         `json:"started"`
	State         string          `json:"state"`
	Reason        string          `json:"reason"`
	Steps         []step          `json:"steps"`
	LearningUntil float64         `json:"learning_until"`
	Hosts         hosts           `json:"hosts"`
	Reporters     []reporter      `json:"reporters"` // a page of them
	Store         storeStatus     `json:"store"`
	Unresolved    view.Unresolved `json:"unresolved"`
	Dropped       dropped         `json:"dropped"`
	Signals       signalsStatus   `json:"signals"`
	Ahead         uint64          `json:"ahead"`
	Resets        uint64          `json:"resets"`
	Links         []link          `json:"links"`
	Alerts        *view.AlertList `json:"alerts"`  // without the alerts
	History       *historyStatus  `json:"history"` // null: there is no store
	Thresholds    thresholds      `json:"thresholds"`
	Costs         *costs          `json:"costs"` // null: there are no prices
	Limits        map[string]int  `json:"limits"`
}

// step is a snap.Span.
type step struct {
	Seconds int64 `json:"seconds"`
	Held    int64 `json:"held"`
}

// hosts summarises all reporters.
type hosts struct {
	Total int      `json:"total"`
	Stale int      `json:"stale"`
	Age   *float64 `json:"age"` // of the newest report; null: no host has reported
}

type reporter struct {
	Host     string  `json:"host"`
	HostID   string  `json:"host_id"`
	Node     string  `json:"node"`
	Last     float64 `json:"last"`
	Age      float64 `json:"age"`
	Interval float64 `json:"interval"`
	State    string  `json:"state"`
	Points   uint64  `json:"points"`
	Edges    int     `json:"edges"`
}

// storeStatus has the fields of snap.Held.
type storeStatus struct {
	Edges      int    `json:"edges"`
	MaxEdges   int    `json:"max_edges"`
	Ends       int    `json:"ends"`
	Streams    int    `json:"streams"`
	MaxStreams int    `json:"max_streams"`
	Bytes      int    `json:"bytes"`
	MaxBytes   int    `json:"max_bytes"`
	Folded     uint64 `json:"folded"`
	Expired    uint64 `json:"expired"`
}

// dropped has the fields of snap.Dropped.
type dropped struct {
	Late       uint64 `json:"late"`
	OutOfOrder uint64 `json:"out_of_order"`
	Streams    uint64 `json:"streams"`
	Values     uint64 `json:"values"`
	Points     uint64 `json:"points"`
}

type link struct {
	Name  string   `json:"name"`
	Kind  string   `json:"kind"`
	URL   string   `json:"url"`
	Needs []string `json:"needs"`
}

func (a *api) status(p *parameters, _ *http.Request) question {
	limit, offset := int(p.number("hosts", 100, 0, maxHosts)), int(p.number("offset", 0, 0, 1<<31))
	return question{value: func(ctx context.Context) (any, error) {
		spans := a.source.Spans()
		recent := a.recent(ctx, spans[0].Length)
		s := a.source.Status()
		answer := &status{
			API: 1, Now: float64(time.Now().UnixMilli()) / 1000, Started: s.Opened, LearningUntil: s.Learning,
			Hosts: summary(s.Hosts), Reporters: reporters(s.Hosts, limit, offset),
			Unresolved: view.NewUnresolved(recent),
			Store:      storeStatus(s.Held), Dropped: dropped(s.Dropped), Ahead: s.Ahead, Resets: s.Resets,
			Links:  linksOf(a.links),
			Alerts: view.NewAlertList(a.alerts.Set(), 0), Thresholds: a.thresholds.forPage(),
			Costs:   a.costs.forPage(),
			Limits:  map[string]int{"nodes": maxNodes, "edges": maxEdges, "rows": maxRows},
			Signals: newSignalsStatus(a.kept.Status()), History: newHistoryStatus(s.Remote),
		}
		for _, span := range spans {
			answer.Steps = append(answer.Steps, step{span.Step, span.Length})
		}
		answer.State, answer.Reason = state(&s)
		return answer, nil
	}}
}

// statusPatience is how long the state of the map waits for figures. It has none of a store that takes longer.
const statusPatience = time.Second

// recent returns the edges of a window that ends now; none if the source fails.
func (a *api) recent(ctx context.Context, window int64) *snap.Snapshot {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	recent, err := a.source.Snapshot(ctx, a.source.Range(window, 0))
	if err != nil {
		return new(snap.Snapshot)
	}
	return recent
}

// historyStatus is a snap.Remote.
type historyStatus struct {
	State  string  `json:"state"`
	Reason string  `json:"reason"`
	At     float64 `json:"at"`
}

func newHistoryStatus(r snap.Remote) *historyStatus {
	if r.State == "" {
		return nil
	}
	return &historyStatus{r.State, r.Reason, r.At}
}

// remoteState is the state of a map that has everything from a store.
func remoteState(r snap.Remote) (name, reason string) {
	switch r.State {
	case snap.Void:
		return "empty", r.Reason
	case snap.Away:
		return "away", r.Reason
	}
	return "ok", ""
}

// state returns a sentence about what to check if there is nothing to see.
func state(s *snap.Status) (name, reason string) {
	if len(s.Hosts) == 0 {
		if s.Remote.State != "" {
			return remoteState(s.Remote)
		}
		if s.Dropped.Any() {
			return "empty", "Metrics arrive, but none could be counted; see what was dropped."
		}
		return "empty",
			"No metrics of netconn have arrived yet. The first come with the first collection " +
				"of the receiver netconn; " +
				"its pipeline needs the exporter netmap."
	}
	for _, h := range s.Hosts {
		if !h.Stale {
			return "ok", ""
		}
	}
	return "stale",
		"No host has reported for three of its intervals. Is the collector with the receiver netconn still running?"
}

func summary(all []snap.Host) hosts {
	sum := hosts{Total: len(all)}
	for _, h := range all {
		if h.Stale {
			sum.Stale++
		}
		if sum.Age == nil || h.Age < *sum.Age {
			age := h.Age
			sum.Age = &age
		}
	}
	return sum
}

// reporters returns a page of the hosts that report: the stale ones first, then by name.
func reporters(hosts []snap.Host, limit, offset int) []reporter {
	hosts = slices.SortedFunc(slices.Values(hosts), func(a, b snap.Host) int {
		switch {
		case a.Stale != b.Stale && a.Stale:
			return -1
		case a.Stale != b.Stale:
			return 1
		}
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	hosts = hosts[min(offset, len(hosts)):]
	hosts = hosts[:min(limit, len(hosts))]
	all := make([]reporter, len(hosts))
	for i, h := range hosts {
		state := "ok"
		if h.Stale {
			state = "stale"
		}
		all[i] = reporter{
			Host: h.Name, HostID: h.ID, Node: h.Node, Last: h.Last, Age: h.Age, Interval: h.Interval, State: state,
			Points: h.Points, Edges: h.Edges,
		}
	}
	return all
}

func linksOf(configured []LinkConfig) []link {
	all := make([]link, len(configured))
	for i, l := range configured {
		all[i] = link{Name: l.Name, Kind: l.Kind, URL: l.URL, Needs: l.needs()}
	}
	return all
}
