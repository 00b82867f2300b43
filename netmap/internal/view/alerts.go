package view

import (
	"maps"
	"slices"

	"github.com/netconn/netconn/netmap/internal/alerts"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// maxSeriesAlerts is how many alerts the details of edges have, the firing ones first.
const maxSeriesAlerts = 50

// Alert is an alert about an end of the edges of an answer.
type Alert struct {
	*alerts.Alert
	Client bool `json:"client"` // it is about a client
	Server bool `json:"server"`
}

// alertsAbout returns the alerts about the ends of edges.
func (q *Query) alertsAbout(snapshot *snap.Snapshot, edges []int) []Alert {
	found := make(map[int]Alert)
	for _, i := range edges {
		e := &snapshot.Edges[i]
		for _, a := range q.alertsOf(e.Client) {
			found[a] = Alert{&q.Alerts.Alerts[a], true, found[a].Server}
		}
		for _, a := range q.alertsOf(e.Server) {
			found[a] = Alert{&q.Alerts.Alerts[a], found[a].Client, true}
		}
	}
	all := make([]Alert, 0, len(found))
	for _, a := range slices.Sorted(maps.Keys(found)) { // by index: the firing ones first
		all = append(all, found[a])
	}
	return all[:min(len(all), maxSeriesAlerts)]
}

// AlertList is the answer with all alerts.
type AlertList struct {
	State   string         `json:"state"`
	Kind    alerts.Kind    `json:"kind"`
	Reason  string         `json:"reason"`
	At      float64        `json:"at"`
	Firing  int            `json:"firing"`
	Pending int            `json:"pending"`
	LeftOut int            `json:"left_out"`
	Alerts  []alerts.Alert `json:"alerts,omitempty"`
}

// NewAlertList describes the source of alerts, with at most limit of its alerts.
func NewAlertList(s *alerts.Set, limit int) *AlertList {
	if s == nil {
		return &AlertList{State: "off"}
	}
	answer := &AlertList{
		State: s.Status.State, Kind: s.Status.Kind, Reason: s.Status.Reason, At: s.Status.At,
		LeftOut: s.Status.LeftOut, Alerts: s.Alerts[:min(limit, len(s.Alerts))],
	}
	answer.Firing, answer.Pending = s.Count()
	return answer
}
