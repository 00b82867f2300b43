//go:build linux

package e2e

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// idle is how long a flow without connections stays in TestBackendTable.
const idle = 4 * time.Second

// Each way into a backend has what known containers did, however long they live: with a collector that is restarted in
// between, and flows that expire and return. A series that appears with its first value would count as nothing, because
// increase() compares samples of one series. So would a series with a zero that arrives late: the exporter sends several
// messages at once, and Prometheus refuses what is out of order.
//
// The result is the table of docs/backends.md.
func TestBackendTable(t *testing.T) {
	backend(t, "prometheus")
	rows, page := ways(), freeAddress(t)
	backends, text := startAll(t, rows, page, idle)
	start := func() *collector {
		since := time.Now()
		c := launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + text}, "env:NETCONN_TEST_CONFIGURATION")
		awaitSamples(t, rows, backends, since)
		return c
	}
	c := start()
	k := newKnown(t, "base", "")
	awaitOpen(t, rows, backends, k.long)
	k.act()
	awaitExpiry(t, rows, backends, k.returning, k.long)
	k.act()
	awaitTruth(t, rows, backends, k.kinds)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	start()
	awaitOpen(t, rows, backends, k.long, since)
	k.act()
	awaitTruth(t, rows, backends, k.kinds)
	table := tableHead(k.kinds)
	for i, w := range rows {
		t.Run(w.name(), func(t *testing.T) {
			table += w.row(t, backends[i], k.kinds)
		})
	}
	wantTable(t, table)
}

// awaitSamples waits until each backend has a sample that is newer than a time.
func awaitSamples(t *testing.T, rows []way, backends []*prometheus, since time.Time) {
	t.Helper()
	for i, p := range backends {
		until(t, "samples in "+rows[i].name(), func() bool {
			return len(p.query(fmt.Sprintf("max(timestamp(netconn_active)) > %d", since.Unix()+1), "")) > 0
		})
	}
}

// awaitOpen waits until each backend has the connections that stay, with samples that are newer than a time.
func awaitOpen(t *testing.T, rows []way, backends []*prometheus, of *cohort, since ...time.Time) {
	t.Helper()
	after := int64(0)
	for _, s := range since {
		after = s.Unix() + 1
	}
	for i, p := range backends {
		query := fmt.Sprintf("sum(netconn_active{%s} and timestamp(netconn_active) > %d)", of.labels(), after)
		until(t, "open connections in "+rows[i].name(), func() bool {
			v := p.query(query, "")
			return len(v) == 1 && v[0] == float64(len(of.drivers))
		})
	}
}

// awaitExpiry waits until the flows of a kind have no new points in any backend, while those of another have.
func awaitExpiry(t *testing.T, rows []way, backends []*prometheus, of, on *cohort) {
	t.Helper()
	for i, p := range backends {
		newest := func(of *cohort) float64 {
			v := p.query(fmt.Sprintf(`max(timestamp(netconn_active{%s}))`, of.labels()), "")
			return append(v, 0)[0] // none: the series has ended
		}
		until(t, "flows to expire in "+rows[i].name(), func() bool { return newest(on)-newest(of) > 2.5 })
	}
}

// awaitTruth waits until each backend that can has all that was done so far.
func awaitTruth(t *testing.T, rows []way, backends []*prometheus, kinds []*cohort) {
	t.Helper()
	for i, w := range rows {
		for _, of := range kinds {
			if slices.Contains(w.lacks, of.name) {
				continue
			}
			var got figures
			if !poll(func() bool { got = w.shares(backends[i], of); return got.right() }) {
				t.Errorf("%s: %s: shares of the truth %v are %v", w.name(), of.name, of.truth(), got)
			}
		}
	}
}

// figures are what a test knows of a kind, in the order of measures.
type figures [len(measures)]float64

// measures are what is compared, each with the selector of its series.
var measures = [...]struct{ name, selector string }{
	{"bytes", `netconn_io_bytes_total{%s,network_io_direction="transmit"}`},
	{"attempts", `netconn_attempts_total{%s,error_type=""}`},
	{"failures", `netconn_attempts_total{%s,error_type="refused"}`},
	{"handshakes", `netconn_tcp_handshake_duration_seconds_count{%s}`},
}

func (k *cohort) truth() figures {
	return figures{float64(k.bytes), float64(k.attempts), float64(k.refused), float64(k.attempts)}
}

// shares returns what a backend has of the truth.
func (w way) shares(p *prometheus, of *cohort) (shares figures) {
	p.t.Helper()
	for i, truth := range of.truth() {
		selector := fmt.Sprintf(measures[i].selector, of.labels())
		for _, v := range p.query(fmt.Sprintf("sum("+w.sum+")", selector), "") {
			shares[i] = v / truth
		}
	}
	return shares
}

// right reports whether all figures are within one percent of the truth.
func (s figures) right() bool {
	return !slices.ContainsFunc(s[:], func(v float64) bool { return math.Abs(v-1) > 0.01 })
}

// row returns the row of a way in the table.
func (w way) row(t *testing.T, p *prometheus, kinds []*cohort) string {
	t.Helper()
	p.t = t
	cells := []string{w.backend + ", " + w.path, w.settings, "`" + fmt.Sprintf(w.sum, "x") + "`"}
	for _, of := range kinds {
		got := w.shares(p, of)
		t.Logf("%s: shares of the truth %v are %.3f", of.name, of.truth(), got)
		cells = append(cells, map[bool]string{true: "all", false: "**part**"}[got.right()])
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func tableHead(kinds []*cohort) string {
	head, line := "| way | setting | sum of a series x |", "|---|---|---|"
	for _, of := range kinds {
		head, line = head+" "+of.name+" |", line+"---|"
	}
	return head + "\n" + line + "\n"
}

// The table of the page is between these lines.
const (
	tableBegins = "<!-- TestBackendTable prints this table. -->\n\n"
	tableEnds   = "\n<!-- End of the table. -->"
)

// wantTable holds that the page has this table, or writes it there.
func wantTable(t *testing.T, table string) {
	t.Helper()
	const page = "../../docs/backends.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	was, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table", page)
	}
	if was == table {
		return
	}
	if os.Getenv("NETCONN_WRITE_TABLE") == "" {
		t.Fatalf("%s has another table; NETCONN_WRITE_TABLE=1 writes this one:\n\n%s", page, table)
	}
	if err := os.WriteFile(page, []byte(before+tableBegins+table+tableEnds+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
