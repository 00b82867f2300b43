//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// noData has the documented queries that return nothing here, by a metric in them, and why.
var noData = map[string]string{
	"netconn_edge_":               "a connector makes these; TestBackendEdges runs them",
	"netconn_zone_io_bytes_total": "netconn.zone.io is off by default, and the machine of the test is in no zone",
}

// block is an indented block of Markdown.
var block = regexp.MustCompile(`(?m)(?:^ {4}.*\n)+`)

// documentedQueries returns the PromQL of the README and of docs/, by the page.
func documentedQueries(t *testing.T) map[string][]string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	queries, found := make(map[string][]string), 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range block.FindAllString(string(text), -1) {
			if strings.Contains(b, "netconn_") && strings.Contains(b, "rate(") {
				queries[filepath.Base(page)] = append(queries[filepath.Base(page)], b)
				found++
			}
		}
	}
	if found < 3 {
		t.Fatalf("found %d queries in the documentation", found)
	}
	return queries
}

// wantDocumented holds that each documented query is valid and returns data, or is in noData.
func (p *prometheus) wantDocumented() {
	p.t.Helper()
	for page, queries := range documentedQueries(p.t) {
		for _, q := range queries {
			if excused := excuse(q); excused != "" {
				p.t.Logf("%s: no data, as %s:\n%s", page, excused, q)
				_ = p.query(q, "") // it is valid
				continue
			}
			if !poll(func() bool { return len(p.query(q, "")) > 0 }) {
				p.t.Errorf("%s: no data for\n%s", page, q)
			}
		}
	}
}

func excuse(query string) string {
	for metric, reason := range noData {
		if strings.Contains(query, metric) {
			return reason
		}
	}
	return ""
}
