package telemetry

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/ends"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/internal/udp"
)

// known is a health with a figure of its own in each counter, so that none can stand for another.
func known() pipeline.Health {
	h := pipeline.Health{
		Kernel: kernel.Stats{
			Tracked: 1, Adopted: 2, Unowned: 3, StorageRefused: 4, RingRefused: 3, FailedRefused: 2, EndedUntracked: 6, SnapshotAgain: 7, Missed: 8, NoRoom: 10,
			Programs: []kernel.Program{{Name: "life"}, {Name: "destroy", Err: errors.New("broken")}},
		},
		Flows: flow.Stats{
			Flows: 21, Overflow: 22, Resources: 23, Connections: 24, Pending: 25, Listeners: 26, Late: 27, Lost: 28, Deferred: 29,
			Beyond: [flow.Causes]uint64{1000, 30, 38, 52}, Full: []flow.Full{{Owner: conn.Owner{ContainerID: "c1"}, Beyond: 39}},
		},
		UDP: udp.Stats{
			Cgroups: 53, NotAttached: 54, Exchanges: 55, Rest: 56, Unparsed: 57, RingRefused: 500, StorageRefused: 600,
		},
		Events:    pipeline.EventStats{Limited: 31, Full: 32},
		Ends:      ends.Stats{Conflicts: 33, Refused: 34},
		Conntrack: conntrack.Stats{Dumps: 35, Searches: 36, Namespaces: 37},
		Drops:     pipeline.DropStats{Excluded: [names.ExcludedDrops]uint64{3: 61, names.ExcludedDrops - 1: 62}, Missed: 900},
		Domains:   pipeline.DomainStats{Known: 58, Evicted: 59, Full: 60},
		DNS: pipeline.DNSStats{
			Cgroups: 52, NotAttached: 53, Lost: 54, QueriesRefused: 55, Malformed: 56, Unreadable: 57,
		},
		Cluster: kubernetes.Health{
			Watches: []kubernetes.WatchHealth{
				{Kind: "pods", Synced: true, Failures: 41}, {Kind: "nodes", Synced: true, Failures: 42, Err: errors.New("broken")},
			},
			Store: kubernetes.StoreStats{
				Pods: 43, Ended: 44, Services: 45, Nodes: 46, Slices: 47, PodsRefused: 48, Ambiguous: 49, Fetches: 50, FetchFailures: 51,
			},
		},
	}
	h.Contradicted = 58
	for i := range h.Losses {
		h.Losses[i] = uint64(61 + i)
	}
	for i := range h.Ends.Routes {
		h.Ends.Routes[i] = uint64(71 + i)
	}
	for i := range h.Owners.Unresolved {
		h.Owners.Unresolved[i] = uint64(81 + i)
	}
	for i := range h.Conntrack.Answers {
		h.Conntrack.Answers[i] = uint64(91 + i)
	}
	for i := range h.Cluster.Store.Answers {
		h.Cluster.Store.Answers[i] = uint64(101 + i)
	}
	return h
}

// values are the values of a metric, by the value of its attribute; "": it has none.
type values map[string]int64

func wanted() map[string]values {
	return map[string]values{
		"bytes_lost": {"transmit": 61 + int64(conn.LostSent), "receive": 61 + int64(conn.LostReceived)},
		"connections_lost": {
			"opened": 61 + int64(conn.LostOpenings), "failed": 61 + int64(conn.LostFailures),
			"closed": 61 + int64(conn.LostCloses), "known": 61 + int64(conn.LostKnown),
		},
		"owners_unresolved": {
			"no_cgroup": 81 + int64(owner.NoCgroup), "gone": 81 + int64(owner.Gone), "no_mount": 81 + int64(owner.NoMount),
			"unreadable": 81 + int64(owner.Unreadable), "deferred": 81 + int64(owner.Deferred),
		},
		"program_attached": {"life": 1, "destroy": 0},
		"events_dropped":   {"rate": 31, "buffer": 32},
		"messages_refused": {"metrics": 10, "logs": 11},
		"routes": {
			"unresolved": 71, "none": 72, "redirect": 73, "dnat": 74, "snat": 75, "dnat+snat": 76, "tproxy": 77,
		},
		"conntrack_answers": {
			"found": 91, "no_entry": 92, "ambiguous": 93, "no_namespace": 94, "early": 95, "failed": 96,
		},
		"conntrack_source":     {"none": 1},
		"routes_contested":     {"": 33},
		"conntrack_dumps":      {"": 35},
		"conntrack_searches":   {"": 36},
		"conntrack_namespaces": {"": 37},

		"kubernetes_answers":          {"unknown": 101, "provisional": 102, "final": 103, "ambiguous": 49},
		"kubernetes_connected":        {"pods": 1, "nodes": 0},
		"kubernetes_request_failures": {"pods": 41, "nodes": 42, "object": 51},
		"kubernetes_objects":          {"pods": 43, "ended": 44, "services": 45, "nodes": 46, "endpointslices": 47},
		"kubernetes_fetches":          {"": 50},
		"kubernetes_pods_refused":     {"": 48},

		"dns_cgroups": {"": 52}, "dns_cgroups_refused": {"": 53}, "dns_lost": {"": 54}, "dns_queries_refused": {"": 55},
		"dns_names": {"": 58}, "dns_names_evicted": {"": 59}, "dns_names_full": {"": 60},
		"dns_malformed": {"": 56}, "dns_unreadable": {"": 57},
		"kubernetes_pods_contradicted": {"": 58},

		"events": {"": 9}, "ends_unpaired": {"": 34},
		"connections": {"": 24}, "connections_beyond_limit": {"limit_per_resourcecontainer c1": 39, "max_resources": 30, "max_connections": 38, "udp_peers": 52}, "connections_pending": {"": 25}, "connections_vanished": {"": 28},
		"reports_deferred": {"": 29}, "late_reports": {"": 27}, "flows": {"": 21}, "flows_overflow": {"": 22},
		"listeners": {"": 26}, "resources": {"": 23},
		"sockets_tracked": {"": 1}, "sockets_adopted": {"": 2}, "sockets_unowned": {"": 3}, "storage_refused": {"": 604},
		"ring_refused": {"": 505}, "sockets_missed": {"": 6}, "snapshot_resumed": {"": 7}, "programs_missed": {"": 908},
		"sockets_no_room": {"": 10},
		"udp_cgroups":     {"": 53}, "udp_cgroups_refused": {"": 54}, "udp_exchanges": {"": 55}, "udp_overflow": {"": 56},
		"udp_unparsed": {"": 57}, "drops_excluded": {"otherhost": 61, "_OTHER": 62},
	}
}

// observed returns what the instruments show.
func observed(t *testing.T, tel *componenttest.Telemetry) map[string]values {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := tel.Reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]values)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			name := strings.TrimPrefix(m.Name, "otelcol_netconn_")
			got[name] = make(values)
			for _, p := range points(t, m) {
				key := ""
				for _, a := range p.Attributes.ToSlice() {
					if a.Key != "receiver" {
						key += a.Value.AsString()
					} else if a.Value.AsString() != "netconn/test" {
						t.Errorf("%s is of the receiver %s", name, a.Value.AsString())
					}
				}
				got[name][key] = p.Value
			}
		}
	}
	return got
}

func points(t *testing.T, m metricdata.Metrics) []metricdata.DataPoint[int64] {
	t.Helper()
	switch d := m.Data.(type) {
	case metricdata.Sum[int64]:
		return d.DataPoints
	case metricdata.Gauge[int64]:
		return d.DataPoints
	}
	t.Fatalf("%s is a %T", m.Name, m.Data)
	return nil
}

func newTelemetry(t *testing.T) (*Telemetry, *componenttest.Telemetry) {
	t.Helper()
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	n, err := New(tel.NewTelemetrySettings(), component.MustNewIDWithName("netconn", "test"))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Register(); err != nil {
		t.Fatal(err)
	}
	return n, tel
}

func TestEachCounterIsShown(t *testing.T) {
	n, tel := newTelemetry(t)
	if got := observed(t, tel); len(got) != 0 {
		t.Errorf("shown before the first collection: %v", got)
	}
	n.Set(known(), Sent{Events: 9, Metrics: 10, Logs: 11})
	if diff := cmp.Diff(wanted(), observed(t, tel)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, all := len(n.instruments()), len(wanted()); got != all {
		t.Errorf("%d instruments, %d are tested", got, all)
	}
}

// TestWithoutACluster has nothing to say of one, and shows no zeros.
func TestWithoutACluster(t *testing.T) {
	n, tel := newTelemetry(t)
	h := known()
	h.Cluster = kubernetes.Health{}
	n.Set(h, Sent{})
	got := observed(t, tel)
	for _, name := range []string{"kubernetes_answers", "kubernetes_connected", "kubernetes_request_failures", "kubernetes_objects"} {
		if len(got[name]) > 0 {
			t.Errorf("%s: %v", name, got[name])
		}
	}
}

func TestUnregister(t *testing.T) {
	n, tel := newTelemetry(t)
	n.Set(known(), Sent{Events: 9, Metrics: 10, Logs: 11})
	n.Unregister()
	n.Unregister()
	if got := observed(t, tel); len(got) != 0 {
		t.Errorf("shown after it was unregistered: %v", slices.Sorted(maps.Keys(got)))
	}
}

// TestTwoReceivers of one collector are two series of each metric.
func TestTwoReceivers(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	for i, name := range []string{"", "other"} {
		n, err := New(tel.NewTelemetrySettings(), component.MustNewIDWithName("netconn", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Register(); err != nil {
			t.Fatal(err)
		}
		n.Set(pipeline.Health{Kernel: kernel.Stats{Tracked: uint64(10 + i)}}, Sent{})
	}
	m, err := tel.GetMetric("otelcol_netconn_sockets_tracked")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int64)
	for _, p := range points(t, m) {
		id, _ := p.Attributes.Value("receiver")
		got[id.AsString()] = p.Value
	}
	if diff := cmp.Diff(map[string]int64{"netconn": 10, "netconn/other": 11}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
