//go:build linux

package e2e

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
)

// A drawing is the map's answer with groups.
type drawing struct {
	Groups []string
	Nodes  struct {
		Name  []string
		Group []int
	}
	Edges  struct{ Client, Server, Tx, Rx []int }
	Folded struct{ Loops struct{ Edges, Tx, Rx int } }
}

// drawn asks for a map of what the filter lets through.
func drawn(t *testing.T, address, by, group, filter string) (d drawing) {
	t.Helper()
	askMap(t, address, "/api/v1/graph?"+url.Values{"by": {by}, "group": {group}, "filter": {filter}}.Encode(), &d)
	return d
}

// bytes returns what the edges carried, there and back, by group/name of their ends.
func (d *drawing) bytes() map[string][2]int {
	name := func(n int) string { return d.Groups[d.Nodes.Group[n]] + "/" + d.Nodes.Name[n] }
	all := make(map[string][2]int)
	for i := range d.Edges.Client {
		all[name(d.Edges.Client[i])+" -> "+name(d.Edges.Server[i])] = [2]int{d.Edges.Tx[i], d.Edges.Rx[i]}
	}
	return all
}

// wantDrawn waits until the map has the edges, which it has one collection later than the processes.
func wantDrawn(t *testing.T, what string, want map[string][2]int, ask func() drawing) {
	t.Helper()
	diff := ""
	if !poll(func() bool {
		d := ask()
		diff = cmp.Diff(want, d.bytes())
		return diff == ""
	}) {
		t.Errorf("%s (-counted +drawn):\n%s", what, diff)
	}
}

// The mesh of `make demo` on the map, as it is without Kubernetes. By container, application and sidecar are two nodes,
// and what the application asked for has the name that the demo gives it. There are no workloads, so that a pod is what
// takes them together: what is between its containers is folded, the bytes between pods are there once. Which pod's
// sidecar it is that another pod's sidecar has connected to cannot be known from a program that every pod has, so that
// all of them are one node.
func TestNetworkMapOfTheMesh(t *testing.T) {
	address, prometheus := freeAddress(t), freeAddress(t)
	launch(t, nil, []string{"NETCONN_PROMETHEUS=" + prometheus, "NETCONN_TELEMETRY_PORT=0", "NETCONN_OTLP=127.0.0.1:0", "NETCONN_MAP=" + address},
		"file:../../testdata/collector.yaml", "file:../cmd/demo/networks.yaml", "yaml:receivers::netconn::collection_interval: 1s")
	until(t, "the first collection", func() bool { return len(readPage(t, prometheus).values) > 0 })
	rules := rulesNamed(t, "sidecar-redirect.nft")
	o := bookinfo.Options{Rules: &rules, Keep: true}
	w := newBookinfo(t, o)
	if err := w.Ask(requests); err != nil {
		t.Fatal(err)
	}
	until(t, "both ends of everything to agree", func() bool { return w.Balanced() == nil })

	pods, names := make(map[string]string), make(map[string]string) // the pod of a container, the name of a pod
	for _, m := range w.Members {
		if m.Pod != nil {
			pods[m.ID], names[m.Pod.UID] = m.Pod.Name, m.Pod.Name
		}
	}
	containers, between := make(map[string][2]int), make(map[string][2]int)
	services := make(map[string][2]int)
	for _, h := range hopsOf(t, w, o) {
		if h.client.pod == nil {
			continue // who asks from outside is no pod
		}
		from, to, bytes := pods[h.client.id], pods[h.server.id], [2]int{int(h.there), int(h.back)}
		if from == to {
			plus(containers, from+"/"+h.client.name+" -> "+to+"/"+h.server.name, bytes)
			if h.client.name != bookinfo.Envoy {
				plus(services, from+"/"+h.client.name+" -> "+to+"/services", bytes)
			}
			continue
		}
		plus(containers, from+"/"+h.client.name+" -> /"+h.server.name, bytes)
		plus(between, "/"+from+" -> /"+h.server.name, bytes)
	}
	mine := "client.pod.uid=" + quoted(names)
	named := func(by, filter string) func() drawing {
		return func() drawing {
			d := drawn(t, address, by, "pod.uid", mine+filter)
			for _, all := range []*[]string{&d.Groups, &d.Nodes.Name} {
				for i, uid := range *all {
					if name, ok := names[uid]; ok {
						(*all)[i] = name
					}
				}
			}
			return d
		}
	}
	wantDrawn(t, "by container", containers, named("container", ""))
	wantDrawn(t, "what applications asked for", services, named("original", " scope=pod client.container!=envoy"))
	wantDrawn(t, "by pod", between, func() drawing {
		d := named("pod.uid", "")()
		d.Groups, d.Nodes.Group = []string{""}, make([]int, len(d.Nodes.Name))
		return d
	})
}

func plus(all map[string][2]int, key string, bytes [2]int) {
	all[key] = [2]int{all[key][0] + bytes[0], all[key][1] + bytes[1]}
}

// quoted writes the keys as values of a filter.
func quoted(of map[string]string) string {
	var all []string
	for v := range of {
		all = append(all, `"`+v+`"`)
	}
	return strings.Join(all, ",")
}

// The mesh on the map where the Kubernetes API knows it: application and sidecar apart by container, with the service
// that was asked for; by workload the calls that there are, to the byte, and nothing of sidecars.
func TestClusterNetworkMap(t *testing.T) {
	rules := rulesNamed(t, "sidecar-redirect.nft")
	s := newKnownMesh(t, bookinfo.Options{Rules: &rules})
	sink, address := newSignals(t), freeAddress(t)
	runAgent(t, s.KubeConfig("agent", s.Admin), sink, "file:"+root+"/deploy/components/map/agent.yaml",
		"yaml:extensions::netmap::endpoint: "+address, "yaml:exporters::netmap: {}",
		"yaml:service::extensions: [health_check, netmap]", "yaml:service::pipelines::metrics::exporters: [otlp_grpc, netmap]")
	sink.await(t)
	if err := s.mesh.Ask(requests); err != nil {
		t.Fatal(err)
	}
	until(t, "both ends of everything to agree", func() bool { return s.mesh.Balanced() == nil })

	containers, workloads := make(map[string][2]int), make(map[string][2]int)
	for hop, bytes := range s.edges(t) {
		client, server, _ := strings.Cut(hop, " -> ")
		from, own := shortly(client)
		to, other := shortly(server)
		if from == "host" {
			continue
		}
		plus(containers, from+"/"+own+" -> "+to+"/"+other, [2]int{int(bytes[0]), int(bytes[1])})
		if from != to {
			plus(workloads, "/"+from+" -> /"+to, [2]int{int(bytes[0]), int(bytes[1])})
		}
	}
	mine := "client.namespace=" + space
	wantDrawn(t, "by container", containers, func() drawing { return drawn(t, address, "container", "workload", mine) })
	wantDrawn(t, "by workload", workloads, func() drawing { return drawn(t, address, "workload", "", mine) })
	d := drawn(t, address, "original", "", mine+" client.workload=reviews client.container=reviews")
	const call = "/reviews -> /ratings.bookinfo"
	if got := d.bytes(); len(got) != 1 || got[call] != containers["reviews/reviews -> reviews/istio-proxy"] {
		t.Errorf("what reviews asks for: %v, want %s", got, call)
	}
	const way = "/front -> /productpage"
	wantDrawn(t, "what gateways send on", map[string][2]int{way: workloads[way]}, func() drawing {
		return drawn(t, address, "workload", "", mine+" client.proxy=gateway")
	})
}

// shortly returns workload and container of an end as knownMesh names it.
func shortly(end string) (workload, container string) {
	workload, rest, _ := strings.Cut(end, "/")
	container, _, _ = strings.Cut(rest, ":")
	return workload, container
}
