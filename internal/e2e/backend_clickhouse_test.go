//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/netconn/netconn/internal/harness/otlp"
)

// A clickhouse is a database of the test's own, which ClickHouse opens for each statement: `make test-backends` installs
// it as a library. It begins with the table otel_logs.
type clickhouse struct {
	t             *testing.T
	program, data string
	zone          string // the time zone of the server
}

func newClickHouse(t *testing.T, zone string) *clickhouse {
	t.Helper()
	c := &clickhouse{t, backend(t, "clickhouse"), filepath.Join(t.TempDir(), "clickhouse"), zone}
	c.run(exportersTable(t, c.program+".files/logs_table.sql"))
	return c
}

// run runs statements, and returns their rows as JSON lines.
func (c *clickhouse) run(sql string) []byte {
	c.t.Helper()
	command := exec.Command(c.program, c.data)
	command.Env = append(os.Environ(), "TZ="+c.zone)
	command.Stdin = strings.NewReader(sql)
	var rows, failure bytes.Buffer
	command.Stdout, command.Stderr = &rows, &failure
	if err := command.Run(); err != nil {
		c.t.Fatalf("%.2000s: %v: %s", sql, err, failure.Bytes())
	}
	return rows.Bytes()
}

// rowsOf runs a query, and returns its rows, whose columns are all in Row.
func rowsOf[Row any](c *clickhouse, sql string) (all []Row) {
	c.t.Helper()
	lines := json.NewDecoder(bytes.NewReader(c.run(sql)))
	lines.DisallowUnknownFields()
	for lines.More() {
		var row Row
		if err := lines.Decode(&row); err != nil {
			c.t.Fatalf("%s: %v", sql, err)
		}
		all = append(all, row)
	}
	return all
}

// insert writes rows into otel_logs.
func (c *clickhouse) insert(rows []logRow) {
	c.t.Helper()
	var sql strings.Builder
	sql.WriteString("INSERT INTO otel_logs FORMAT JSONEachRow\n")
	to := json.NewEncoder(&sql)
	for i := range rows {
		if err := to.Encode(&rows[i]); err != nil {
			c.t.Fatal(err)
		}
	}
	c.run(sql.String())
}

// exportersTable returns the statement with which the exporter creates otel_logs by default, on a ClickHouse that has
// indexes of text (26.2 and newer).
func exportersTable(t *testing.T, file string) string {
	t.Helper()
	name := filepath.Base(file)
	parsed, err := template.New(name).Funcs(template.FuncMap{"ident": func(s string) string { return "`" + s + "`" }}).ParseFiles(file)
	if err != nil {
		t.Fatal(err)
	}
	var sql strings.Builder
	if err := parsed.Execute(&sql, map[string]any{
		"Database": "default", "TableName": "otel_logs", "ClusterString": "", "Engine": "MergeTree()", "TTL": "",
		"HasFullTextSearch": true,
	}); err != nil {
		t.Fatal(err)
	}
	return sql.String()
}

// An eventRows is an OTLP receiver that keeps log records as the exporter writes them, and knows of the first collection.
type eventRows struct {
	*signals
	rows []logRow
}

func newEventRows(t *testing.T) *eventRows {
	t.Helper()
	s := &eventRows{signals: &signals{numbers: make(map[string]map[string]number)}}
	s.address = serveOTLP(t, otlp.Handlers{Metrics: s.receiveMetrics, Logs: s.receive}).Address
	return s
}

func (s *eventRows) receive(ld plog.Logs) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows = append(s.rows, logRows(ld)...)
	return nil
}

// all returns the rows of what has been received.
func (s *eventRows) all() []logRow {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rows)
}

// A logRow is a row of otel_logs with the columns that the exporter writes.
type logRow struct {
	Timestamp          nanoseconds
	TraceID            string `json:"TraceId"`
	SpanID             string `json:"SpanId"`
	TraceFlags         uint8
	SeverityText       string
	SeverityNumber     uint8
	ServiceName        string
	Body               string
	ResourceSchemaURL  string `json:"ResourceSchemaUrl"`
	ResourceAttributes values
	ScopeSchemaURL     string `json:"ScopeSchemaUrl"`
	ScopeName          string
	ScopeVersion       string
	ScopeAttributes    values
	LogAttributes      values
	EventName          string
}

// logRows returns log records as the exporter writes them: it converts every value to text as pdata does, and a record
// without a timestamp has the observed one.
func logRows(ld plog.Logs) (all []logRow) {
	for _, rl := range ld.ResourceLogs().All() {
		resource := values(otlp.Text(rl.Resource().Attributes()))
		for _, sl := range rl.ScopeLogs().All() {
			for _, r := range sl.LogRecords().All() {
				at := r.Timestamp()
				if at == 0 {
					at = r.ObservedTimestamp()
				}
				all = append(all, logRow{
					Timestamp: nanoseconds(at), TraceID: r.TraceID().String(), SpanID: r.SpanID().String(),
					TraceFlags:   uint8(r.Flags()),
					SeverityText: r.SeverityText(), SeverityNumber: uint8(r.SeverityNumber()),
					ServiceName: resource["service.name"], Body: r.Body().AsString(),
					ResourceSchemaURL: rl.SchemaUrl(), ResourceAttributes: resource, ScopeSchemaURL: sl.SchemaUrl(),
					ScopeName: sl.Scope().Name(), ScopeVersion: sl.Scope().Version(),
					ScopeAttributes: otlp.Text(sl.Scope().Attributes()), LogAttributes: otlp.Text(r.Attributes()),
					EventName: r.EventName(),
				})
			}
		}
	}
	return all
}

// nanoseconds are a time since 1970. ClickHouse reads it as seconds, which no time zone changes.
type nanoseconds pcommon.Timestamp

func (n nanoseconds) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%09d", n/1e9, n%1e9), nil
}

// utc returns the time in a format of Go.
func (n nanoseconds) utc(layout string) string { return pcommon.Timestamp(n).AsTime().Format(layout) }
