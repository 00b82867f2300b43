//go:build linux

package e2e

import (
	"testing"

	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

// In an ambient mesh the map has what one application sends another one as one edge by workload, to the byte, though it
// takes three connections. By container it has both of the legs that carry the payload as it is. What the ztunnels
// encrypt is in neither.
func TestClusterNetworkMapOfAnAmbientMesh(t *testing.T) {
	rules := rulesNamed(t, "ambient-pod.nft")
	s := newKnownMesh(t, bookinfo.Options{Rules: &rules, Ambient: true})
	sink, address := newSignals(t), freeAddress(t)
	runAgent(t, s.KubeConfig("agent", s.Admin), sink, "file:"+root+"/deploy/components/map/agent.yaml",
		"yaml:extensions::netmap::endpoint: "+address, "yaml:exporters::netmap: {}",
		"yaml:service::extensions: [health_check, netmap]", "yaml:service::pipelines::metrics::exporters: [otlp_grpc, netmap]")
	sink.await(t)
	if err := s.mesh.Ask(requests); err != nil {
		t.Fatal(err)
	}
	until(t, "both ends of everything to agree", func() bool { return s.mesh.Balanced() == nil })

	workloads, containers := s.ambient(t)
	mine := "client.namespace=" + space
	wantDrawn(t, "by workload", workloads, func() drawing { return drawn(t, address, "workload", "", mine) })
	wantDrawn(t, "by container", containers, func() drawing { return drawn(t, address, "container", "workload", mine) })
	sent, carried := sum(workloads), sum(containers)
	if sent == [2]int{} || carried != [2]int{2 * sent[0], 2 * sent[1]} {
		t.Errorf("the applications sent %v, and the legs carried %v, want twice as much", sent, carried)
	}
}

// ambient returns what the applications of an ambient mesh counted, between workloads and on each leg. An application
// sees its client's address on the connection that the ztunnel of its node opens.
func (s *knownMesh) ambient(t *testing.T) (workloads, containers map[string][2]int) {
	t.Helper()
	workloads, containers = make(map[string][2]int), make(map[string][2]int)
	at := make(map[string]role)
	for _, r := range bookinfoRoles() {
		at[r.pod] = r
	}
	const tunnel = bookinfo.Ztunnel + "/" + bookinfo.Ztunnel
	for _, m := range s.mesh.Members {
		legs, err := m.Legs()
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range legs {
			client, known := at[podAt(s.mesh, l.Remote.Addr())]
			if !l.Accepted || !known || m.Name == bookinfo.Ztunnel && l.Port == program.TunnelPort {
				continue
			}
			bytes := [2]int{int(l.Received), int(l.Sent)}
			if m.Name == bookinfo.Ztunnel {
				plus(containers, client.deployment+"/"+client.app()+" -> "+tunnel, bytes)
				continue
			}
			server := at[m.Pod.Name]
			plus(containers, tunnel+" -> "+server.deployment+"/"+server.app(), bytes)
			plus(workloads, "/"+client.deployment+" -> /"+server.deployment, bytes)
		}
	}
	return workloads, containers
}

// sum adds up the bytes of all edges.
func sum(of map[string][2]int) (all [2]int) {
	for _, bytes := range of {
		all = [2]int{all[0] + bytes[0], all[1] + bytes[1]}
	}
	return all
}
