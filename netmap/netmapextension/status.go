package netmapextension

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/netconn/netconn/netmap/internal/store"
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
	Reporters     []reporter      `json:"reporters"`
	Store         storeStatus     `json:"store"`
	Unresolved    view.Unresolved `json:"unresolved"`
	Dropped       dropped         `json:"dropped"`
	Ahead         uint64          `json:"ahead"`
	Resets        uint64          `json:"resets"`
	Links         []link          `json:"links"`
	Limits        map[string]int  `json:"limits"`
}

type step struct {
	Seconds int `json:"seconds"`
	Held    int `json:"held"`
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

type storeStatus struct {
	Edges      int    `json:"edges"`
	MaxEdges   int    `json:"max_edges"`
	Ends       int    `json:"ends"`
	Streams    int    `json:"streams"`
	MaxStreams int    `json:"max_streams"`
	Bytes      int    `json:"bytes"`
	Folded     uint64 `json:"folded"`
	Expired    uint64 `json:"expired"`
}

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

func (a *api) status(_ *parameters, _ *http.Request) (*store.Range, func() any) {
	return nil, func() any {
		s := a.store.Status()
		answer := status{
			API: 1, Now: float64(time.Now().UnixMilli()) / 1000, Started: s.Opened, LearningUntil: s.Learning,
			Steps:      []step{{store.FineStep, store.FineSpan}, {store.CoarseStep, store.CoarseSpan}},
			Reporters:  reporters(s.Hosts),
			Unresolved: view.NewUnresolved(a.store.Snapshot(a.store.Range(store.FineSpan, 0))),
			Store: storeStatus{
				Edges: s.Edges, MaxEdges: s.MaxEdges, Ends: s.Ends, Streams: s.Streams, MaxStreams: s.MaxStreams, Bytes: s.Bytes,
				Folded: s.Folded, Expired: s.Expired,
			},
			Dropped: dropped{Late: s.Late, OutOfOrder: s.Disorder, Streams: s.Homeless, Values: s.Values, Points: s.Points},
			Ahead:   s.Ahead, Resets: s.Resets,
			Links:  a.links(),
			Limits: map[string]int{"nodes": maxNodes, "edges": maxEdges, "rows": maxRows},
		}
		answer.State, answer.Reason = state(&s)
		return answer
	}
}

// state says in a sentence what to look at where there is nothing to see.
func state(s *store.Status) (name, reason string) {
	if len(s.Hosts) == 0 {
		if s.Late+s.Disorder+s.Homeless+s.Values+s.Points > 0 {
			return "empty", "Metrics arrive, but none could be counted; see what was dropped."
		}
		return "empty", "No metrics of netconn have arrived yet. The first come with the first collection of the receiver netconn; " +
			"its pipeline needs the exporter netmap."
	}
	for _, h := range s.Hosts {
		if !h.Stale {
			return "ok", ""
		}
	}
	return "stale", "No host has reported for three of its intervals. Is the collector with the receiver netconn still running?"
}

func reporters(hosts []store.Host) []reporter {
	all := []reporter{}
	for _, h := range hosts {
		state := "ok"
		if h.Stale {
			state = "stale"
		}
		all = append(all, reporter{
			Host: h.Name, HostID: h.ID, Node: h.Node, Last: h.Last, Age: h.Age, Interval: h.Interval, State: state,
			Points: h.Points, Edges: h.Edges,
		})
	}
	slices.SortFunc(all, func(a, b reporter) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.HostID, b.HostID)) })
	return all
}

func (a *api) links() []link {
	all := []link{}
	for _, l := range a.config.Links {
		all = append(all, link{Name: l.Name, Kind: l.Kind, URL: l.URL, Needs: l.needs()})
	}
	return all
}
