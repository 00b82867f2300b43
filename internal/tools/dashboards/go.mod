// What writes deploy/observe/dashboards. A module file of its own keeps Grafana's SDK apart from our modules.
module github.com/netconn/netconn/internal/tools/dashboards

go 1.26.0

require github.com/grafana/grafana-foundation-sdk/go v0.0.22
