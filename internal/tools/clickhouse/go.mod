// The exporter whose table the tests of backends fill. They use only its template of the table, so nothing imports it: go mod tidy
// would remove it.
module github.com/netconn/netconn/internal/tools/clickhouse

go 1.26.0

require github.com/open-telemetry/opentelemetry-collector-contrib/exporter/clickhouseexporter v0.159.0
