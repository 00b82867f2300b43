//go:build linux

package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
	"github.com/netconn/netconn/internal/testnet/worker"
)

// visits is how many requests a story has. One of them, in the middle, takes as long as slow.
const (
	visits = 21
	slow   = 400 * time.Millisecond
)

// A story is two pods, each with an application that OpenTelemetry's SDK instruments, and what was stored of them: the
// spans in Jaeger, the events of netconn in the sink.
type story struct {
	*testbed
	jaeger            *jaeger
	events            *signals
	socket            string // of the collector, for spans
	frontend, reviews *traced
}

// A traced is an application in a pod.
type traced struct {
	*worker.Worker
	t   *testing.T
	pod *mesh.Pod
	id  string // of its container
}

func newStory(t *testing.T, events string) *story {
	t.Helper()
	program := backend(t, "traced")
	s := &story{
		testbed: &testbed{t: t}, jaeger: startJaeger(t), events: newSignals(t),
		socket: filepath.Join(t.TempDir(), "otlp.sock"),
	}
	s.build()
	launch(t, nil, []string{"NETCONN_TEST_CONFIGURATION=" + fmt.Sprintf(`
receivers:
  netconn: {collection_interval: 1s, initial_delay: 0s, events: {enabled: true, max_per_second: 100000, %s}}
  otlp: {protocols: {grpc: {endpoint: %s, transport: unix}}}
exporters:
  otlp_grpc/jaeger: {endpoint: %s, tls: {insecure: true}}
  otlp_grpc/sink: {endpoint: %s, tls: {insecure: true}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [netconn], exporters: [otlp_grpc/sink]}
    logs: {receivers: [netconn, otlp], exporters: [otlp_grpc/sink]}
    traces: {receivers: [otlp], exporters: [otlp_grpc/jaeger]}
`, events, s.socket, s.jaeger.otlp, s.events.address)}, "env:NETCONN_TEST_CONFIGURATION")
	s.events.await(t)
	s.frontend = s.addTraced(program, "frontend", s.pod[0])
	s.reviews = s.addTraced(program, "reviews", s.pod[1])
	s.reviews.do(tracedOrder{Listen: ":9080"})
	return s
}

// addTraced starts an application in a container of its own. It has the resource attributes that docs/kubernetes.md
// gives a pod.
func (s *story) addTraced(program, name string, pod *mesh.Pod) *traced {
	s.t.Helper()
	c, err := pod.Container()
	s.check(err)
	return s.startTraced(program, name, pod, c)
}

func (s *story) startTraced(program, name string, pod *mesh.Pod, c *mesh.Container) *traced {
	s.t.Helper()
	path, err := worker.Rename(program, s.t.TempDir(), name)
	s.check(err)
	w, err := worker.Start(worker.Spec{
		Program: path, Arguments: []string{s.socket}, In: c.Namespace, Cgroup: c.Cgroup, Limit: deadline,
		Env: []string{"OTEL_SERVICE_NAME=" + name, "OTEL_RESOURCE_ATTRIBUTES=k8s.pod.uid=" + pod.UID},
	})
	s.check(err)
	s.t.Cleanup(func() { _ = w.Kill() })
	return &traced{w, s.t, pod, c.ID}
}

// A tracedOrder and a tracedAnswer are those of internal/tools/traced.
type tracedOrder struct {
	Listen, Get string
	Keep        bool
}

type tracedAnswer struct{ Trace, Error string }

func (a *traced) do(o tracedOrder) tracedAnswer {
	a.t.Helper()
	var answer tracedAnswer
	err := a.Call(o, &answer)
	if err == nil && answer.Error != "" {
		err = errors.New(answer.Error)
	}
	if err != nil {
		a.t.Fatalf("%s: %+v: %v", a.Name, o, err)
	}
	return answer
}

// visit sends a slow request among fast ones, each over a connection of its own or all over one, and returns the slow
// one's trace.
func (a *traced) visit(server netip.AddrPort, keep bool) (slowest string) {
	a.t.Helper()
	for i := range visits {
		wait := time.Millisecond
		if i == visits/2 {
			wait = slow
		}
		answer := a.do(tracedOrder{Get: fmt.Sprintf("http://%s/?wait=%s", server, wait), Keep: keep})
		if wait == slow {
			slowest = answer.Trace
		}
	}
	return slowest
}

// addSidecars has a proxy in the way of each application, as Istio has.
func (s *story) addSidecars(endpoints map[string][]netip.AddrPort) {
	s.t.Helper()
	rules := rulesNamed(s.t, "sidecar-redirect.nft")
	for _, pod := range s.pod {
		s.check(rules.Load(pod.Namespace))
		c, err := pod.Container()
		s.check(err)
		_, err = c.Start(mesh.Spec{
			Name: "envoy", Role: program.Role{Sidecar: &program.Sidecar{Endpoints: endpoints}}, ID: mesh.ProxyID,
		})
		s.check(err)
	}
}

// slowest waits for the events of all connections of an application as client or as server, and returns that of the
// longest one, as step 2 of the story does.
func (s *story) slowest(of *traced, role string, connections int) values {
	s.t.Helper()
	all := s.eventsOf(of, role, connections)
	return slices.MaxFunc(all, func(a, b values) int { return cmp.Compare(duration(a), duration(b)) })
}

func (s *story) eventsOf(a *traced, role string, connections int) (all []values) {
	s.t.Helper()
	until(s.t, "the events of "+a.Name, func() bool {
		all = s.events.matching(values{
			"container.id": a.id, "netconn.role": role, "event": "netconn.connection.closed",
		})
		return len(all) >= connections
	})
	if len(all) != connections {
		s.t.Fatalf("%s as %s has %d events, want %d", a.Name, role, len(all), connections)
	}
	return all
}

func duration(event values) float64 {
	seconds, _ := strconv.ParseFloat(event["netconn.connection.duration"], 64)
	return seconds
}

// join returns the traces of an end of a connection, as step 3 of the story finds them: those that have a span of kind
// server of the pod, with the address of the other end as the server's socket has it.
func (s *story) join(address, port string, more ...string) (traces []trace) {
	s.t.Helper()
	tags := values{
		"span.kind": "server", "k8s.pod.uid": s.reviews.pod.UID,
		"network.peer.address": address, "network.peer.port": port,
	}
	for i := 0; i < len(more); i += 2 {
		tags[more[i]] = more[i+1]
	}
	return s.jaeger.search("reviews", tags)
}

// wantTrace fails the test unless exactly one trace is found, the slow one.
func (s *story) wantTrace(of string, found []trace, want string) {
	s.t.Helper()
	if len(found) != 1 || found[0].TraceID != want {
		s.t.Fatalf("%s leads to %d traces, %v; want %s", of, len(found), found, want)
	}
	if spans := found[0].tagged("span.kind", "server"); len(spans) != 1 || spans[0] < slow {
		s.t.Errorf("the spans of the server took %v", spans)
	}
	if spans := found[0].tagged("span.kind", "client"); len(spans) != 1 || spans[0] < slow {
		s.t.Errorf("the spans of the client took %v", spans)
	}
}

// One request among many of the same pods in the same minute was slow. It went through a service, so the client has
// another address for the server than the server has. The event of either end leads to its trace, and to no other.
func TestBackendStory(t *testing.T) {
	s := newStory(t, "")
	vip := at(serviceAddr, 80)
	service(vip, at(stockAddr, 9080), 0)(s.testbed)
	want := s.frontend.visit(vip, false)

	event := s.slowest(s.reviews, "server", visits)
	address, port := event["network.peer.address"], event["network.peer.port"]
	s.wantTrace("the server's event", s.join(address, port), want)
	client := s.slowest(s.frontend, "client", visits)
	s.wantTrace("the client's event", s.join(client["client.address"], client["client.port"]), want)

	// The application reports the port that it was asked for.
	if found := s.join(address, port, "server.port", event["server.port"]); len(found) != 0 {
		t.Errorf("with server.port %s: %d traces, want none, so leave it out", event["server.port"], len(found))
	}
	for _, e := range s.eventsOf(s.reviews, "server", visits) {
		if n := len(s.join(e["network.peer.address"], e["network.peer.port"])); n != 1 {
			t.Errorf("%d traces for %v, want 1", n, e)
		}
	}
}

// With sidecars the server has the address of its own proxy, 127.0.0.6, which every pod of a mesh has. The pod and the
// port tell which connection of which pod it was.
func TestBackendStoryOfSidecars(t *testing.T) {
	s := newStory(t, "")
	vip, server := at(serviceAddr, 80), at(stockAddr, 9080)
	s.addSidecars(map[string][]netip.AddrPort{vip.String(): {server}})
	want := s.frontend.visit(vip, false)

	event := s.slowest(s.reviews, "server", visits)
	address, port := event["network.peer.address"], event["network.peer.port"]
	if address != "127.0.0.6" || event["netconn.peer.scope"] != "pod" {
		t.Errorf("the plain hop is %v", event)
	}
	s.wantTrace("the server's event", slowOnes(s.join(address, port)), want)
}

// slowOnes leaves out the traces of a port that a proxy has used twice in the minute: the event says how long its
// connection took.
func slowOnes(found []trace) []trace {
	return slices.DeleteFunc(found, func(t trace) bool {
		return !slices.ContainsFunc(t.tagged("span.kind", "server"), func(took time.Duration) bool { return took >= slow })
	})
}

// A connection that is kept has a trace for each request, and an event while it is open if that is enabled. The slow
// one is the longest of the traces.
func TestBackendStoryOfKeptConnection(t *testing.T) {
	s := newStory(t, "open_interval: 1s, netconn.connection.open: {enabled: true}")
	server := at(stockAddr, 9080)
	want := s.frontend.visit(server, true)

	live := values{"container.id": s.reviews.id, "netconn.role": "server", "event": "netconn.connection.open"}
	until(t, "an event of the open connection", func() bool { return len(s.events.matching(live)) > 0 })
	open := s.events.matching(live)[0]
	if n := len(s.join(open["network.peer.address"], open["network.peer.port"])); n != visits {
		t.Errorf("%d traces while the connection is open, want %d", n, visits)
	}

	s.check(s.frontend.Stop())
	event := s.slowest(s.reviews, "server", 1)
	found := s.join(event["network.peer.address"], event["network.peer.port"])
	if len(found) != visits {
		t.Fatalf("%d traces, want %d", len(found), visits)
	}
	found = slices.DeleteFunc(found, func(tr trace) bool { return tr.tagged("span.kind", "server")[0] < slow })
	s.wantTrace("the server's event, with a duration,", found, want)
}
