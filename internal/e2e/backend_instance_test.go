//go:build linux

package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// Containers without a service.name are as many in a Prometheus on each way into it: also where its OTLP endpoint has
// default settings, and keeps job and instance of a resource.
func TestBackendSeparatesContainers(t *testing.T) {
	page, rows := freeAddress(t), []way{
		{path: "scrape", start: scraping()},
		{path: "OTLP", exporter: inOrder, start: receiving(promoted, receiveOTLP)},
		{path: "OTLP", settings: "none", exporter: inOrder, start: receiving("{}", receiveOTLP)},
	}
	backends, text := startAll(t, rows, page, time.Hour)
	launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + text}, "env:NETCONN_TEST_CONFIGURATION")
	until(t, "the page", func() bool { return len(readPage(t, page).values) > 0 })

	clients, server := testnet.New(t), testnet.New(t)
	testnet.Link(clients, server, "nc0", "10.78.0.1/24", "10.78.0.2/24")
	program := fmt.Sprintf("base%x", randomBytes(4))
	base := startIn(t, program, cgroup.Docker(cgroup.NewID()), server.Namespace)
	base.do("listen %s", baseAddress)
	const containers = 26
	for i := range containers {
		web := startIn(t, "web", cgroup.Docker(cgroup.NewID()), clients.Namespace)
		connect(strconv.Itoa(i), web, base, baseAddress)
	}
	for i, p := range backends {
		t.Run(rows[i].name(), func(t *testing.T) {
			p.t = t
			of := fmt.Sprintf(`netconn_peer_name="%s",netconn_role="client"`, program)
			p.want(containers, `count(netconn_active{%s} == 1)`, of)
			p.want(containers, `sum(netconn_attempts_total{%s})`, of)
		})
	}
}
