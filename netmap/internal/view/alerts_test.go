package view

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/alerts"
	"github.com/netconn/netconn/netmap/internal/filter"
)

// alertsOf makes a set of alerts, each a state and a label: "firing pod=web-1".
func alertsOf(t *testing.T, all ...string) *alerts.Set {
	t.Helper()
	rules, err := alerts.NewRules(nil)
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	for i, text := range all {
		state, label, _ := strings.Cut(text, " ")
		name, value, _ := strings.Cut(label, "=")
		sent = append(sent, fmt.Sprintf(`{"state":%q,"labels":{"alertname":"a%d",%q:%q}}`, state, i, name, value))
	}
	answer := `{"status":"success","data":{"alerts":[` + strings.Join(sent, ",") + `]}}`
	read, err := alerts.Read(alerts.Prometheus, strings.NewReader(answer), rules, "")
	if err != nil {
		t.Fatal(err)
	}
	return alerts.NewSet(alerts.Status{State: "ok", Kind: alerts.Prometheus, At: 7}, read)
}

// A node has the alerts of all of its ends, each once, also if it stands for what is beyond a limit.
func TestNodesHaveTheAlertsOfTheirEnds(t *testing.T) {
	web1 := ofTags(t, "type", "pod", "name", "web", "workload", "web", "pod", "web-1", "node", "n1")
	web2 := ofTags(t, "type", "pod", "name", "web", "workload", "web", "pod", "web-2", "node", "n1")
	db := ofTags(t, "type", "pod", "name", "db", "workload", "db", "pod", "db-0", "node", "n2")
	s := snapshotOf(calls(web1, db, 1, 30), calls(web2, db, 2, 20), calls(web1, web2, 3, 10))
	set := alertsOf(t, "firing pod=web-1", "pending pod=web-2", "firing node=n1", "firing pod=other", "pending deployment=db")
	count := func(q GraphQuery) map[string][2]int {
		got := make(map[string][2]int)
		g := graphOf(t, s, q)
		for i, name := range g.Nodes.Name {
			got[name] = [2]int{g.Nodes.Firing[i], g.Nodes.Pending[i]}
		}
		return got
	}
	q := GraphQuery{By: by(t, "workload"), Group: None, Rank: metric(t, "volume"), Nodes: 9, Edges: 9}
	q.Query = Query{Filter: new(filter.Filter), Alerts: set}
	if diff := cmp.Diff(map[string][2]int{"web": {2, 1}, "db": {0, 1}}, count(q)); diff != "" {
		t.Errorf("by workload (-want +got):\n%s", diff)
	}
	q.By, q.Nodes = by(t, "pod"), 2
	q.Query = Query{Filter: new(filter.Filter), Alerts: set}
	if diff := cmp.Diff(map[string][2]int{"db-0": {0, 1}, "": {2, 1}}, count(q)); diff != "" {
		t.Errorf("folded (-want +got):\n%s", diff)
	}
	q.Query = Query{Filter: new(filter.Filter)}
	if diff := cmp.Diff(map[string][2]int{"db-0": {}, "": {}}, count(q)); diff != "" {
		t.Errorf("without alerts (-want +got):\n%s", diff)
	}
}

func TestOnlyEdgesWithAlerts(t *testing.T) {
	a, b, c := ofTags(t, "name", "a", "pod", "a"), ofTags(t, "name", "b", "pod", "b"), ofTags(t, "name", "c", "pod", "c")
	s := snapshotOf(calls(a, b, 1, 1), calls(b, c, 2, 1), calls(c, a, 3, 1), calls(b, b, 4, 1))
	only, ok := ParseFlag("alerts")
	if !ok || only != 64 {
		t.Fatalf("the flag is %d (%v)", only, ok)
	}
	q := Query{Filter: new(filter.Filter), Only: only, Alerts: alertsOf(t, "pending pod=a")}
	series, err := NewSeries(t.Context(), s, q, 9)
	if err != nil || series.Count != 2 || series.Edges[0].Flags&only == 0 || series.Edges[0].Edge["port"] == "2" {
		t.Errorf("%d edges: %+v (%v)", series.Count, series.Edges, err)
	}
	q.Alerts = nil
	if series, err = NewSeries(t.Context(), s, q, 9); err != nil || series.Count != 0 || len(series.Alerts) != 0 {
		t.Errorf("%d edges have alerts that there are none of (%v)", series.Count, err)
	}
}

// A flag says at which end an alert is, and how far it has come.
func TestFlagsOfAlertsByEndAndState(t *testing.T) {
	a, b, c := ofTags(t, "name", "a", "pod", "a"), ofTags(t, "name", "b", "pod", "b"), ofTags(t, "name", "c", "pod", "c")
	s := snapshotOf(calls(a, b, 1, 1), calls(b, c, 2, 1), calls(c, a, 3, 1), calls(c, c, 4, 1))
	q := Query{Filter: new(filter.Filter), Alerts: alertsOf(t, "pending pod=a", "firing pod=b", "pending name=b", "pending pod=b")}
	const alert, clientFiring, clientPending, serverFiring, serverPending = 64, 512, 1024, 2048, 4096
	want := []int{
		alert | clientPending | serverFiring | serverPending, alert | clientFiring | clientPending, alert | serverPending, 0,
	}
	var got []int
	for i := range s.Edges {
		got = append(got, q.flags(s, &s.Edges[i])&^flagUnresolved)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
}

// The details name the side that an alert is about, and the firing alerts first.
func TestTheAlertsOfEdges(t *testing.T) {
	a, b := ofTags(t, "name", "a", "pod", "a", "node", "n"), ofTags(t, "name", "b", "pod", "b", "node", "n")
	q := Query{Filter: new(filter.Filter), Alerts: alertsOf(t, "pending pod=a", "firing pod=b", "firing node=n", "firing pod=c")}
	series, err := NewSeries(t.Context(), snapshotOf(calls(a, b, 1, 1)), q, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, alert := range series.Alerts {
		got = append(got, fmt.Sprintf("%s %s client=%v server=%v", alert.State, alert.About.Value, alert.Client, alert.Server))
	}
	if diff := cmp.Diff([]string{
		"firing b client=false server=true", "firing n client=true server=true", "pending a client=true server=false",
	}, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
}

func TestTheListOfAlerts(t *testing.T) {
	list := NewAlertList(alertsOf(t, "pending pod=a", "firing pod=b", "firing node=n"), 2)
	if list.Firing != 2 || list.Pending != 1 || len(list.Alerts) != 2 || list.Alerts[1].Name != "a2" || list.At != 7 {
		t.Errorf("%+v", list)
	}
	text, err := json.Marshal(list)
	if err != nil || !strings.Contains(string(text), `"state":"firing","severity":""`) {
		t.Errorf("%s (%v)", text, err)
	}
	if off := NewAlertList(nil, 2); off.State != "off" || off.Alerts != nil {
		t.Errorf("%+v", off)
	}
}
