// The exporter whose table the tests of backends fill. Only its template of the table is used: nothing of it is built.
module github.com/netconn/netconn/internal/tools/clickhouse

go 1.26.0

require github.com/open-telemetry/opentelemetry-collector-contrib/exporter/clickhouseexporter v0.159.0
