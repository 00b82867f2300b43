//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// The schema that docs/scale.md has for ClickHouse stores each event that the exporter writes, and its queries return
// what the connections with an address did. The day in the server's time zone is another one than that of UTC.
func TestBackendClickHouse(t *testing.T) {
	statements := documentedSQL(t, "scale.md", 5)
	c := newClickHouse(t, anotherDay(time.Now()))
	for _, create := range statements[:2] {
		c.run(create)
	}
	sink := newEventRows(t)
	launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + fmt.Sprintf(eventsOnly, sink.address)}, "env:NETCONN_TEST_CONFIGURATION")
	sink.await(t)
	visitServer(t)
	until(t, "all events", func() bool { return len(ofVisits(sink.all())) >= 2*len(visited)+len(refusals) })
	events := sink.all()
	stored := append(events, unusual(events)...)
	c.insert(append(stored, logRow{Timestamp: events[0].Timestamp, Body: "no event", EventName: "device.app.lifecycle"}))

	ask := func(query, address string) string { return askAbout(t, query, address, ofVisits(events)) }
	t.Run("all events", func(t *testing.T) { wantStored(t, c, len(stored)) })
	t.Run("who had connections", func(t *testing.T) {
		for _, address := range []string{visitedAddress, visitedAddress6, visitorAddress} {
			got := rowsOf[transferRow](c, ask(statements[2], address))
			if diff := gocmp.Diff(transfersWith(address), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", address, diff)
			}
		}
	})
	t.Run("each of them", func(t *testing.T) {
		for _, address := range []string{visitedAddress, visitorAddress} {
			wantEach(t, rowsOf[visitRow](c, ask(statements[3], address)))
		}
	})
	t.Run("who failed", func(t *testing.T) {
		wantRefused(t, rowsOf[refusedRow](c, ask(statements[4], visitedAddress)), ofVisits(events))
	})
}

// Addresses of the server and of its clients.
const (
	visitedAddress, visitedAddress6 = "10.78.0.2", "fd00:78::2"
	visitorAddress, visitorAddress6 = "10.78.0.1", "fd00:78::1"
)

// visited are the connections of the test, whose server is reviews.
var visited = []struct {
	client, address string
	sent, received  int // by the client
}{
	{"productpage", visitedAddress + ":9080", 1000, 30_000},
	{"productpage", visitedAddress + ":9080", 2000, 40_000},
	{"productpage", visitedAddress + ":9081", 500, 0},
	{"ratings", visitedAddress + ":9080", 700, 100},
	{"productpage", "[" + visitedAddress6 + "]:9080", 11, 13},
}

// refusals are the clients that are refused, in their order.
var refusals = []string{"productpage", "ratings", "productpage"}

func visitServer(t *testing.T) {
	t.Helper()
	from, to := testnet.New(t), testnet.New(t)
	testnet.Link(from, to, "nc0", visitorAddress+"/24", visitedAddress+"/24")
	testnet.Link(from, to, "nc1", visitorAddress6+"/64", visitedAddress6+"/64")
	server := startIn(t, "reviews", cgroup.Docker(cgroup.NewID()), to.Namespace)
	clients := make(map[string]*driver)
	for _, name := range refusals {
		if clients[name] == nil {
			clients[name] = startIn(t, name, cgroup.Docker(cgroup.NewID()), from.Namespace)
		}
		clients[name].fail("refused", "dial x %s:5433", visitedAddress)
	}
	listening := make(map[string]bool)
	for i, v := range visited {
		if !listening[v.address] {
			server.do("listen %s", v.address)
			listening[v.address] = true
		}
		name, client := fmt.Sprint("visit", i), clients[v.client]
		connect(name, client, server, v.address)
		transfer(name, client, server, v.sent)
		transfer(name, server, client, v.received)
		finish(name, client, server)
	}
}

// ofVisits returns the events of the test's own connections.
func ofVisits(events []logRow) (all []logRow) {
	for _, e := range events {
		if of := e.LogAttributes["server.address"]; of == visitedAddress || of == visitedAddress6 {
			all = append(all, e)
		}
	}
	return all
}

// unusual returns events that netconn does not send today, but for the first: one of another day, one without
// attributes, and one whose attributes are not what the columns hold.
func unusual(events []logRow) []logRow {
	now, other := events[0].Timestamp, ofVisits(events)[0]
	other.Timestamp -= nanoseconds(48 * time.Hour)
	return []logRow{
		other,
		{Timestamp: now, EventName: names.EventClosed, ServiceName: "without"},
		{Timestamp: now, EventName: names.EventClosed, ServiceName: "with others", LogAttributes: values{
			"network.peer.address": "/run/socket", "network.peer.port": "http", "server.port": "65536",
			"netconn.connection.io.transmit": "-1", "netconn.connection.duration": "1 s",
		}},
	}
}

// askAbout puts an address and the days of events into a documented query.
func askAbout(t *testing.T, query, address string, events []logRow) string {
	t.Helper()
	const day, example = "= '2026-11-24'", "203.0.113.7"
	if !strings.Contains(query, day) || !strings.Contains(query, example) {
		t.Fatalf("the query has not the day or the address of the example:\n%s", query)
	}
	first, last := extremes(events)
	days := fmt.Sprintf("BETWEEN '%s' AND '%s'", first.utc(time.DateOnly), last.utc(time.DateOnly))
	return strings.ReplaceAll(strings.ReplaceAll(query, day, days), example, address)
}

// extremes returns the times of the first and of the last event.
func extremes(events []logRow) (first, last nanoseconds) {
	byTime := func(a, b logRow) int { return cmp.Compare(a.Timestamp, b.Timestamp) }
	return slices.MinFunc(events, byTime).Timestamp, slices.MaxFunc(events, byTime).Timestamp
}

// anotherDay returns a time zone in which it is another day than in UTC.
func anotherDay(now time.Time) string {
	if now.UTC().Hour() < 12 {
		return "Etc/GMT+12" // the day before
	}
	return "Etc/GMT-14" // the day after
}

// A transferRow is what the clients or the server of a service and port sent and received.
type transferRow struct {
	Namespace, Service string
	ServerPort         uint16 `json:"server_port"`
	Connections        int
	Sent, Received     int
}

// transfersWith returns what those that had connections with an address sent and received, the largest first.
func transfersWith(address string) (all []transferRow) {
	for _, v := range visited {
		server := netip.MustParseAddrPort(v.address)
		row := transferRow{v.client + "-ns", v.client, server.Port(), 1, v.sent, v.received}
		switch {
		case address == visitorAddress && server.Addr().Is4():
			row.Namespace, row.Service, row.Sent, row.Received = "reviews-ns", "reviews", v.received, v.sent
		case address != server.Addr().String():
			continue
		}
		i := slices.IndexFunc(all, func(r transferRow) bool { return r.Service == row.Service && r.ServerPort == row.ServerPort })
		if i < 0 {
			all = append(all, row)
			continue
		}
		all[i].Connections++
		all[i].Sent += row.Sent
		all[i].Received += row.Received
	}
	slices.SortFunc(all, func(a, b transferRow) int { return cmp.Compare(b.Sent, a.Sent) })
	return all
}

// A visitRow is an event.
type visitRow struct {
	Time, Event, Pod, Role string
	PeerPort               uint16 `json:"peer_port"`
	Duration               float32
	Error                  string
}

// wantEach holds that the events of all connections over IPv4 are there, of both ends, in the order of their times.
func wantEach(t *testing.T, rows []visitRow) {
	t.Helper()
	var want, got []string
	for _, client := range refusals {
		want = append(want, fmt.Sprintf("%s %s-0 client 5433 refused", names.EventFailed, client))
	}
	for _, v := range visited {
		if server := netip.MustParseAddrPort(v.address); server.Addr().Is4() {
			want = append(want, fmt.Sprintf("%s %s-0 client %d ", names.EventClosed, v.client, server.Port()),
				names.EventClosed+" reviews-0 server ephemeral ")
		}
	}
	for _, r := range rows {
		port := fmt.Sprint(r.PeerPort)
		if r.Role == "server" && r.PeerPort >= 1024 {
			port = "ephemeral"
		}
		if r.Event == names.EventClosed && r.Duration <= 0 {
			t.Errorf("a connection without a duration: %+v", r)
		}
		got = append(got, fmt.Sprintf("%s %s %s %s %s", r.Event, r.Pod, r.Role, port, r.Error))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(rows, func(a, b visitRow) int { return cmp.Compare(a.Time, b.Time) }) {
		t.Errorf("not in the order of time: %v", rows)
	}
}

// A refusedRow is the failed attempts of a service.
type refusedRow struct {
	Namespace, Service, Error string
	Attempts                  int
	First, Last               string
}

// wantRefused holds that the failed attempts are there, with the times of their events.
func wantRefused(t *testing.T, got []refusedRow, events []logRow) {
	t.Helper()
	var want []refusedRow
	for _, client := range slices.Compact(slices.Sorted(slices.Values(refusals))) {
		failed := slices.DeleteFunc(slices.Clone(events), func(e logRow) bool {
			return e.EventName != names.EventFailed || e.ServiceName != client
		})
		first, last := extremes(failed)
		row := refusedRow{client + "-ns", client, "refused", 0, first.utc(milliseconds), last.utc(milliseconds)}
		for _, of := range refusals {
			if of == client {
				row.Attempts++
			}
		}
		want = append(want, row)
	}
	slices.SortFunc(got, func(a, b refusedRow) int { return cmp.Compare(a.Service, b.Service) })
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const milliseconds = "2006-01-02 15:04:05.000" // as ClickHouse prints a DateTime64(3)

// wantStored holds that the table has all events, and all columns of some.
func wantStored(t *testing.T, c *clickhouse, events int) {
	t.Helper()
	type count struct{ Rows int }
	if got := rowsOf[count](c, "SELECT count() AS rows FROM connections"); len(got) != 1 || got[0].Rows != events {
		t.Errorf("%v of %d events", got, events)
	}
	type row struct {
		Event, Role, Namespace, Service, Pod string
		Local                                string `json:"local_address"`
		Peer                                 string `json:"peer_address"`
		PeerPort                             uint16 `json:"peer_port"`
		Client                               string `json:"client_address"`
		Server                               string `json:"server_address"`
		ServerPort                           uint16 `json:"server_port"`
		Name                                 string `json:"peer"`
		Domain                               string `json:"peer_domain"`
		Error                                string
		Sent, Received                       int
	}
	const from, to, none = "::ffff:" + visitorAddress, "::ffff:" + visitedAddress, "::"
	want := []row{
		{names.EventClosed, "client", "ratings-ns", "ratings", "ratings-0", from, to, 9080, from, to, 9080, "reviews", "", "", 700, 100},
		{Event: names.EventClosed, Service: "with others", Local: none, Peer: none, Client: none, Server: none},
		{Event: names.EventClosed, Service: "without", Local: none, Peer: none, Client: none, Server: none},
	}
	got := rowsOf[row](c, "SELECT * EXCEPT (time, duration) FROM connections WHERE event = '"+names.EventClosed+
		"' AND service IN ('ratings', 'with others', 'without') ORDER BY service")
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// eventsOnly has in its processor what Kubernetes would add.
const eventsOnly = `
receivers:
  netconn:
    collection_interval: 500ms
    initial_delay: 0s
    events: {enabled: true, max_per_second: 100000}
processors:
  transform:
    log_statements:
      - set(resource.attributes["service.name"], resource.attributes["process.executable.name"])
      - set(resource.attributes["k8s.namespace.name"], Concat([resource.attributes["service.name"], "ns"], "-"))
      - set(resource.attributes["k8s.pod.name"], Concat([resource.attributes["service.name"], "0"], "-"))
exporters: {otlp_grpc: {endpoint: "%s", tls: {insecure: true}}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [netconn], exporters: [otlp_grpc]}
    logs: {receivers: [netconn], processors: [transform], exporters: [otlp_grpc]}
`
