package store

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// bare is a pod's resource as the receiver emits it, before a processor knows the pod.
func bare(full feedtest.Attributes) feedtest.Attributes {
	own := feedtest.Attributes{}
	for _, name := range []string{"host.id", "host.name", "container.id", "k8s.pod.uid", "process.executable.name"} {
		if v, ok := full[name]; ok {
			own[name] = v
		}
	}
	return own
}

// A processor knows the pod one collection later, and its labels are changed after that: the series goes on.
func TestAStreamOutlivesItsResourcesAttributes(t *testing.T) {
	known := pod("n1", "web", "web-1", "app", "node")
	labelled := known.With(feedtest.Attributes{"service.name": "shop-web"})
	w := newWorld(t, 10)
	for i, resource := range []feedtest.Attributes{bare(known), known, labelled} {
		n := int64(i+1) * 100
		f := flow(resource, seesProgram("client", "redis", "remote", 6379), n, 10*n)
		f.Attempts, f.Active, f.RTTs = map[string]int64{"": int64(i + 1)}, 4, make([]float64, i+1)
		w.collect(f)
	}
	snapshot := w.snapshot(fineSpan)
	var all snap.Figures
	active := map[string]uint64{}
	for i := range snapshot.Edges {
		all.Add(&snapshot.Edges[i].Figures)
		active[snapshot.Edges[i].Client.Get(names.TagService)] += snapshot.Edges[i].Active
	}
	all.Outcomes = nil
	if diff := cmp.Diff(snap.Figures{Tx: 300, Rx: 3000, Attempts: 3, Active: 4, RTTs: 3, RTTMax: 5e-05}, all); diff != "" {
		t.Errorf("figures of all edges (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]uint64{"": 0, "shop-web": 4}, active); diff != "" {
		t.Errorf("open connections by the client's service (-want +got):\n%s", diff)
	}
	if got := w.Status().Held.Streams; got != 1 {
		t.Errorf("%d streams, want 1", got)
	}
}

// What a processor has taken away may be what told two sources apart: nothing is joined then.
func TestStreamsOfSourcesThatCannotBeToldAreKeptApart(t *testing.T) {
	for name, gone := range map[string][]string{
		"without a host":      {"host.id"},
		"without a container": {"container.id", "k8s.pod.uid"},
	} {
		t.Run(name, func(t *testing.T) {
			one, two := pod("n1", "web", "web-1", "app", "node"), pod("n1", "web", "web-2", "app", "node")
			for _, k := range gone {
				delete(one, k)
				delete(two, k)
			}
			w := newWorld(t, 10)
			w.collect(
				flow(one, seesProgram("client", "redis", "remote", 6379), 100, 0),
				flow(two, seesProgram("client", "redis", "remote", 6379), 30, 0),
			)
			if tx, _ := w.total(); tx != 130 {
				t.Errorf("%d bytes, want 130", tx)
			}
		})
	}
}

// Two containers of one pod, and two programs of one host, are two sources.
func TestStreamsOfTwoSourcesAreTwo(t *testing.T) {
	for name, resources := range map[string][2]feedtest.Attributes{
		"containers": {pod("n1", "web", "web-1", "app", "envoy"), pod("n1", "web", "web-1", "proxy", "envoy")},
		"programs":   {program("h", "a"), program("h", "b")},
		"hosts":      {program("h", "a"), program("g", "a")},
		"units":      {{"host.id": "h", "netconn.systemd.unit": "a.service"}, {"host.id": "h", "netconn.systemd.unit": "b.service"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 10)
			w.collect(flow(maps.Clone(resources[0]), dials("x", 1), 100, 0), flow(maps.Clone(resources[1]), dials("x", 1), 30, 0))
			if tx, _ := w.total(); tx != 130 {
				t.Errorf("%d bytes, want 130", tx)
			}
		})
	}
}

// A processor may add the pod's uid to a container whose path does not have it. The stream goes on.
func TestTheUidOfAContainersPodComesLater(t *testing.T) {
	container := feedtest.Attributes{"host.id": "n1", "container.id": "c", "process.executable.name": "node"}
	w := newWorld(t, 10)
	for i, resource := range []feedtest.Attributes{container, container.With(feedtest.Attributes{"k8s.pod.uid": "u", "k8s.pod.name": "web-1"})} {
		w.collect(flow(resource, seesProgram("client", "redis", "remote", 6379), int64(i+1)*100, 0))
	}
	if tx, _ := w.total(); tx != 200 || w.Status().Held.Streams != 1 {
		t.Errorf("%d bytes of %d streams, want 200 of one", tx, w.Status().Held.Streams)
	}
}

// Two streams of one report move together, and the open connections of both go with them.
func TestOpenConnectionsMoveWithTheirStreams(t *testing.T) {
	known := pod("n1", "web", "web-1", "app", "node")
	w := newWorld(t, 10)
	for _, resource := range []feedtest.Attributes{bare(known), known} {
		one, two := flow(resource, seesProgram("client", "redis", "remote", 6379), 1, 1), flow(resource, seesProgram("client", "redis", "remote", 6379), 1, 1)
		one.Point, two.Point = one.Point.With(feedtest.Attributes{"network.peer.port": 1}), two.Point.With(feedtest.Attributes{"network.peer.port": 2})
		one.Active, two.Active = 3, 5
		w.collect(one, two)
	}
	if _, others := w.open(); others != 8 {
		t.Errorf("%d are open, want 8", others)
	}
}

// An edge was first seen when the oldest of its streams was.
func TestAnEdgeIsAsOldAsItsOldestStream(t *testing.T) {
	w := newWorld(t, 10)
	w.pass(20 * time.Minute)
	for i, began := range []time.Duration{15 * time.Minute, 5 * time.Minute, 10 * time.Minute} {
		f := curl(1, 1)
		f.Point = f.Point.With(feedtest.Attributes{"network.peer.port": i})
		f.Start = w.began.Add(began)
		w.collect(f)
	}
	if got := w.snapshot(fineSpan).Edges[0].First - w.began.Unix(); got != 300 {
		t.Errorf("first seen %d s after the begin, want 300", got)
	}
}

// The open connections of a stream that was silent for two minutes count no longer, though another one goes on.
func TestOpenConnectionsOfASilentStream(t *testing.T) {
	w := newWorld(t, 10)
	for i := range 20 {
		two := curl(1, 1)
		two.Point, two.Active = two.Point.With(feedtest.Attributes{"network.peer.port": 2}), 5
		if i > 0 {
			w.collect(two)
			continue
		}
		one := curl(1, 1)
		one.Point, one.Active = one.Point.With(feedtest.Attributes{"network.peer.port": 1}), 3
		w.collect(one, two)
		if _, others := w.open(); others != 8 {
			t.Errorf("%d are open, want those of both streams", others)
		}
	}
	if _, others := w.open(); others != 5 {
		t.Errorf("%d are open, want the 5 of the stream that goes on", others)
	}
}
