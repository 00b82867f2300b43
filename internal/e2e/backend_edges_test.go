//go:build linux

package e2e

import (
	"fmt"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// The edges of a connector: what the reporters of one role say, of one program, by the ends and the port. increase()
// would extrapolate to the time of the question; these series begin at zero, so the highest value is the increase.
const edgesOf = `sum by (client_name, server_name, server_port) (max_over_time(` +
	`netconn_edge_io_bytes_total{netconn_reporter="%s",client_name="%s",network_io_direction="transmit"}[10m]))`

// Both ends of an edge are reported through different gateways. A query of docs/edges.md counts each byte once: also
// after one gateway was killed, and where only the server's end is reported.
func TestBackendEdges(t *testing.T) {
	p := startPrometheus(t, promoted, "--web.enable-otlp-receiver")
	ofClients := gateway(t, p.address, "client")
	gateway(t, p.address, "server")
	clients, server := testnet.New(t), testnet.New(t)
	testnet.Link(clients, server, "nc0", "10.78.0.1/24", "10.78.0.2/24")
	base := startIn(t, "base", cgroup.Docker(cgroup.NewID()), server.Namespace)
	base.do("listen %s", baseAddress)

	const sent = 1000
	send := func(program string, pods int) {
		for i := range pods {
			client := startIn(t, program, cgroup.Docker(cgroup.NewID()), clients.Namespace)
			name := fmt.Sprintf("%s-%d-%x", program, i, randomBytes(2))
			connect(name, client, base, baseAddress)
			transfer(name, client, base, sent)
			finish(name, client, base)
			client.end()
		}
	}
	program := func() string { return fmt.Sprintf("job%x", randomBytes(4)) }
	wants := func(program string, pods float64, by ...string) {
		t.Helper()
		for _, reporter := range by {
			p.want(sent*pods, fmt.Sprintf(edgesOf, reporter, "%s"), program)
		}
		p.want(sent*pods, fmt.Sprintf(edgesOf+" or "+edgesOf, "client", "%[1]s", "server", "%[1]s"), program)
	}

	job := program()
	send(job, 3)
	wants(job, 3, "client", "server")
	ofClients.Kill()
	restarted := gateway(t, p.address, "client")
	send(job, 2)
	wants(job, 5, "client", "server")

	restarted.Kill()
	job = program()
	send(job, 2)
	wants(job, 2, "server")
}

// gateway starts an agent that reports only the ends of one role, with a gateway of its own, which makes edges of them.
func gateway(t *testing.T, prometheus, role string) *collector {
	t.Helper()
	health := freeAddress(t)
	c := launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + fmt.Sprintf(`
receivers: {netconn: {collection_interval: 1s, initial_delay: 0s}}
processors: {filter: {metrics: {datapoint: ['attributes["netconn.role"] != "%s"']}}}
connectors: {netmap: {interval: 1s}}
exporters: {otlp_http: {endpoint: "http://%s/api/v1/otlp", sending_queue: {num_consumers: 1}}}
extensions: {health_check: {endpoint: "%s"}}
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics/in: {receivers: [netconn], processors: [filter], exporters: [netmap]}
    metrics/out: {receivers: [netmap], exporters: [otlp_http]}
`, role, prometheus, health)}, "env:NETCONN_TEST_CONFIGURATION")
	until(t, "health", func() bool { return healthy(health) })
	return c
}
