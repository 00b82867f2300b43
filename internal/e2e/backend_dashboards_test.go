//go:build linux

package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// A panelQuery is a query of a dashboard, with the values of Grafana's variables in it.
type panelQuery struct {
	where string // the dashboard, and its panel, annotation or variable
	query string
	label string   // the label that a variable takes its values from
	names []string // the labels that name the series in the legend
}

// A grafanaTarget is a panel's or an annotation's query.
type grafanaTarget struct{ Expr, LegendFormat string }

// A grafanaDashboard is what the JSON of a dashboard says of its queries.
type grafanaDashboard struct {
	UID    string
	Panels []struct {
		Title   string
		Targets []grafanaTarget
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
	Templating struct {
		List []struct {
			Name, Type, AllValue string
			Query                any
		}
	}
}

// dashboards returns the shipped dashboards.
func dashboards(t *testing.T) (all []grafanaDashboard) {
	t.Helper()
	files, err := filepath.Glob("../../deploy/observe/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards (%v)", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d grafanaDashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, d)
	}
	return all
}

// queries returns all queries of a dashboard, each variable set to its default.
func (d *grafanaDashboard) queries(t *testing.T) (all []panelQuery) {
	t.Helper()
	values := []string{"$__rate_interval", "5m", "$__interval", "5m", "$__range", "5m"}
	for _, v := range d.Templating.List {
		text, _ := v.Query.(string)
		values = append(values, "${"+v.Name+"}", cmp.Or(v.AllValue, text), "$"+v.Name, cmp.Or(v.AllValue, text))
	}
	fill := strings.NewReplacer(values...)
	add := func(where, query, legend, label string) {
		query = fill.Replace(query)
		if unfilled.MatchString(query) {
			t.Errorf("%s: %s has a variable that the dashboard does not have", where, query)
		}
		q := panelQuery{d.UID + ": " + where, query, label, nil}
		for _, name := range placeholder.FindAllStringSubmatch(legend, -1) {
			q.names = append(q.names, name[1])
		}
		all = append(all, q)
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			add(p.Title, target.Expr, target.LegendFormat, "")
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			add("annotation "+a.Name, a.Expr, "", "")
		}
	}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		parts := labelValues.FindStringSubmatch(v.Query.(string))
		if parts == nil {
			t.Fatalf("%s: variable %s asks for %v", d.UID, v.Name, v.Query)
		}
		add("variable "+v.Name, parts[1], "", parts[2])
	}
	return all
}

var (
	// unfilled is a variable of Grafana; $1 is a group of a regular expression.
	unfilled = regexp.MustCompile(`\$[a-zA-Z_{]`)
	// placeholder is a label in a legend.
	placeholder = regexp.MustCompile(`{{([a-z_.0-9]+)}}`)
	// labelValues is the query of a variable: a selector and a label.
	labelValues = regexp.MustCompile(`^label_values\((.*), ([a-z0-9_]+)\)$`)
	// grouping is what an aggregation groups by.
	grouping = regexp.MustCompile(`by \(([^)]*)\)`)
)

// labels returns the labels that a query groups by, or that a variable takes its values from.
func (q *panelQuery) labels() (all []string) {
	if q.label != "" {
		return []string{q.label}
	}
	for _, by := range grouping.FindAllStringSubmatch(q.query, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			if label = strings.TrimSpace(label); label != "" && label != "le" {
				all = append(all, label)
			}
		}
	}
	return all
}

// wantDashboards holds that each query of each dashboard is valid and returns data, but for those that have a reason not
// to, by where they are. Each label that a dashboard groups by has a value in an answer to one of its queries.
func (p *prometheus) wantDashboards(reasons map[string]string) {
	p.t.Helper()
	waiting, used, without := make(map[string]string), make(map[string]bool), make(map[string]bool)
	collect := func() bool {
		clear(waiting)
		clear(without)
		for _, d := range dashboards(p.t) {
			seen := make(map[string]bool)
			for _, q := range d.queries(p.t) {
				used[q.where] = true
				if !p.answered(q, seen) && reasons[q.where] == "" {
					waiting[q.where] = q.query
				}
			}
			for _, q := range d.queries(p.t) {
				for _, label := range q.labels() {
					if !seen[label] && reasons[q.where] == "" {
						without[d.UID+": "+label] = true
					}
				}
			}
		}
		return len(waiting)+len(without) == 0
	}
	poll(collect)
	p.t.Logf("%d queries", len(used))
	for where, query := range waiting {
		p.t.Errorf("%s: no data for\n%s", where, query)
	}
	for label := range without {
		p.t.Errorf("%s has no value", label)
	}
	for where := range reasons {
		if !used[where] {
			p.t.Errorf("there is no query %s, which has a reason to return nothing", where)
		}
	}
}

// answered reports whether a query returns data that the legend has a name for, and adds the labels that have values.
func (p *prometheus) answered(q panelQuery, seen map[string]bool) bool {
	p.t.Helper()
	var series []struct {
		Metric values
		Value  [2]any
	}
	p.ask(url.Values{"query": {q.query}}, &series)
	named, number := len(q.names) == 0, false
	for _, s := range series {
		number = number || s.Value[1] != "NaN" // the quantile of a histogram without buckets is none
		named = named || slices.ContainsFunc(q.names, func(name string) bool { return s.Metric[name] != "" })
		for label, value := range s.Metric {
			seen[label] = seen[label] || value != ""
		}
	}
	return named && number
}

// noPanel has the queries that return nothing in the mesh of the test, and why.
var noPanel = map[string]string{
	"netconn-overview: Bytes from outside":                   "every process of the test's machine is known",
	"netconn-overview: Connections from outside":             "every process of the test's machine is known",
	"netconn-service: Dropped by full queues":                "no queue of the test is full",
	"netconn-zones: Between regions":                         "both zones of the test are in one region",
	"netconn-zones: Cost of a day between regions":           "both zones of the test are in one region",
	"netconn-zones: Bytes from region to region":             "both zones of the test are in one region",
	"netconn-zones: Cost of a day from region to region":     "both zones of the test are in one region",
	"netconn-mesh: Round trip, 99th percentile, ambient":     "the mesh of the test has sidecars",
	"netconn-mesh: Bytes, ambient":                           "the mesh of the test has sidecars",
	"netconn-mesh: New connections, ambient":                 "the mesh of the test has sidecars",
	"netconn-mesh: Open connections, ambient":                "the mesh of the test has sidecars",
	"netconn-health: Points that an exporter could not send": "every exporter of the agent sends",
}

// breakConnections has connections of a container fail, and end by a reset.
func breakConnections(t *testing.T) {
	t.Helper()
	newKnown(t, "base", "").act()
	ends := testnet.New(t)
	server := startIn(t, "resetting", cgroup.Docker(cgroup.NewID()), ends.Namespace)
	client := startIn(t, "broken", cgroup.Docker(cgroup.NewID()), ends.Namespace)
	server.do("listen 127.0.0.1:5434")
	connect("x", client, server, "127.0.0.1:5434")
	server.do("reset x")
	client.do("reset-by-peer x")
}

// dashboardsFrom is the configuration of a Prometheus that receives OTLP, and scrapes a collector and istiod.
func dashboardsFrom(telemetry, istiod string) string {
	return fmt.Sprintf(`otlp: {promote_all_resource_attributes: true}
scrape_configs:
- {job_name: netconn, scrape_interval: 1s, static_configs: [{targets: ['%s', '%s']}]}
`, telemetry, istiod)
}

// serveIstiod serves at an address a page as istiod's is, from the names and types in its sources. Each scrape finds that it has pushed
// more, and that a proxy has rejected something.
func serveIstiod(t *testing.T, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	var count atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		scrapes := count.Add(1)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintln(w, "# TYPE pilot_xds gauge\npilot_xds{version=\"1.30.0\"} 12")
		fmt.Fprintln(w, "# TYPE pilot_xds_pushes counter")
		for _, of := range []string{"lds", "cds", "rds", "eds", "cds_senderr"} {
			fmt.Fprintf(w, "pilot_xds_pushes{type=%q} %d\n", of, scrapes)
		}
		fmt.Fprintf(w, "# TYPE pilot_push_triggers counter\npilot_push_triggers{type=\"config\"} %d\n", scrapes)
		fmt.Fprintf(w, "# TYPE pilot_total_xds_rejects counter\npilot_total_xds_rejects{type=\"cds\"} %d\n", scrapes)
		fmt.Fprintln(w, "# TYPE pilot_proxy_convergence_time histogram")
		for _, le := range []string{"0.1", "0.5", "1", "3", "5", "10", "20", "30", "+Inf"} {
			fmt.Fprintf(w, "pilot_proxy_convergence_time_bucket{le=%q} %d\n", le, scrapes)
		}
		fmt.Fprintf(w, "pilot_proxy_convergence_time_sum %d\npilot_proxy_convergence_time_count %d\n", scrapes, scrapes)
	}))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
}
