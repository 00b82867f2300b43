//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Languages of the queries in the documentation. A fenced block names its language.
const (
	promQL   = "promql"
	dotsQL   = "promql dots"   // with the names that OTLP has
	plainQL  = "promql plain"  // without suffixes
	nativeQL = "promql native" // of native histograms
	logsQL   = "logsql"
	clickSQL = "sql" // of ClickHouse
)

// A documented is a query of the documentation.
type documented struct{ page, language, text string }

var (
	fence    = regexp.MustCompile("(?ms)^ *```([^\n]*)\n(.*?)^ *```$")
	indented = regexp.MustCompile(`(?m)(?:^ {4}.*\n)+`)
	// A query has a function of a range, an aggregation, a filter of LogsQL, or a statement of SQL.
	querying = regexp.MustCompile(`\b(rate|increase|increase_pure|[a-z]+_over_time)\(|\bsum (by )?\(|event_name:|\b(SELECT|CREATE)\s`)
)

// documentedQueries returns the queries of the README and of docs/. A blank line separates two queries or statements of a
// block.
func documentedQueries(t *testing.T) (all []documented) {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[string]int)
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range queriesOf(t, filepath.Base(page), string(text)) {
			all = append(all, q)
			count[q.language]++
		}
	}
	for _, language := range []string{promQL, dotsQL, plainQL, nativeQL, logsQL, clickSQL} {
		if count[language] == 0 {
			t.Errorf("found %d queries in %s", count[language], language)
		}
	}
	return all
}

// queriesOf returns the queries of a page. Code that looks like a query must be in a block that names its language.
func queriesOf(t *testing.T, page, text string) (all []documented) {
	t.Helper()
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		language, code := strings.TrimSpace(block[1]), block[2]
		switch language {
		case promQL, dotsQL, plainQL, nativeQL, logsQL, clickSQL:
			for _, q := range strings.Split(code, "\n\n") {
				all = append(all, documented{page, language, q})
			}
		default:
			if querying.MatchString(code) {
				t.Errorf("%s: a query is in a block of language %q:\n%s", page, language, code)
			}
		}
	}
	for _, code := range indented.FindAllString(fence.ReplaceAllString(text, ""), -1) {
		if querying.MatchString(code) {
			t.Errorf("%s: a query is in a block without a language:\n%s", page, code)
		}
	}
	return all
}

// documentedSQL returns the statements of a page, which has a number of them.
func documentedSQL(t *testing.T, page string, statements int) (all []string) {
	t.Helper()
	for _, q := range documentedQueries(t) {
		if q.language == clickSQL && q.page == page {
			all = append(all, q.text)
		}
	}
	if len(all) != statements {
		t.Fatalf("%s has %d statements of SQL, not %d", page, len(all), statements)
	}
	return all
}

// Every query of a page is found, and none can hide in a block that names no language.
func TestBackendQueriesOfPage(t *testing.T) {
	const page = "```promql\nrate(a[5m])\n\nsum by (b)\n  (c)\n```\ntext\n```promql dots\n{\"a.b\"}\n```\n```yaml\na: b\n```\n"
	got := queriesOf(t, "x", page)
	if len(got) != 3 || got[1].text != "sum by (b)\n  (c)\n" || got[2].language != dotsQL {
		t.Errorf("%q", got)
	}
	for _, hidden := range []string{"    rate(a[5m])\n", "```yaml\nexpr: increase(a[1m])\n```\n", "```\nevent_name:=\"a\" | limit 1\n```\n", "```\nSELECT 1\n```\n"} {
		inner := &testing.T{}
		if queriesOf(inner, "x", hidden); !inner.Failed() {
			t.Errorf("%q hides a query", hidden)
		}
	}
}
