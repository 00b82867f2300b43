package signals

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/netmap/internal/edge"
)

func identityFrom(a attributes) identity {
	m := pcommon.NewMap()
	a.put(m)
	return identityOf(m)
}

// Two resources are one source if the most exact part of their identities is equal.
func TestKeys(t *testing.T) {
	pod := attributes{"k8s.pod.uid": "u", "k8s.container.name": "a", "service.name": "s"}
	process := attributes{"host.id": "h", "process.executable.name": "nginx", "process.pid": int64(1)}
	with := func(a attributes, key string, v any) attributes {
		all := attributes{key: v}
		for k, v := range a {
			if k != key {
				all[k] = v
			}
		}
		return all
	}
	for name, c := range map[string]struct {
		a, b attributes
		one  bool
	}{
		"a container":                         {reviews, with(reviews, "service.name", "other"), true},
		"two containers":                      {reviews, with(reviews, "container.id", "c-2"), false},
		"a pod":                               {pod, with(pod, "host.name", "h"), true},
		"two containers without IDs of a pod": {pod, with(pod, "k8s.container.name", "b"), false},
		"two services of a pod":               {pod, with(pod, "service.name", "t"), false},
		"a service":                           {attributes{"service.name": "s"}, attributes{"service.name": "s", "process.pid": 1}, true},
		"a service on two hosts": {attributes{"service.name": "s", "host.name": "a"},
			attributes{"service.name": "s", "host.name": "b"}, false},
		"a process":     {process, with(process, "host.name", "n"), false},
		"two processes": {process, with(process, "process.pid", int64(2)), false},
		"one process":   {process, with(process, "telemetry.sdk.name", "x"), true},
	} {
		a, b := identityFrom(c.a), identityFrom(c.b)
		if got := a.key() == b.key(); got != c.one {
			t.Errorf("%s: one source: %t; %+v and %+v", name, got, a.key(), b.key())
		}
		if a.key() == (identity{}) {
			t.Errorf("%s: no identity", name)
		}
	}
	for _, nothing := range []attributes{{}, {"host.id": "h", "host.name": "h"}, {"k8s.namespace.name": "n"}, {"service.namespace": "x"}} {
		if id := identityFrom(nothing); id.key() != (identity{}) {
			t.Errorf("%v is a source: %+v", nothing, id.key())
		}
	}
}

// A processor may learn of a pod only after the first message of its container.
func TestIdentityIsCompletedLater(t *testing.T) {
	r := newRig(t, 0)
	end := attributes{"k8s.pod.uid": "u-late"}
	r.spans(attributes{"container.id": "c-late"}, call{at: noon})
	if got := r.server(end).Sources; got != 0 {
		t.Fatalf("%d sources of a pod that is not known", got)
	}
	r.spans(attributes{"container.id": "c-late", "k8s.pod.uid": "u-late", "k8s.pod.name": "late-1"}, call{at: noon})
	if got := r.server(end).Served; got.N != 2 || got.Slowest[0].Pod != "late-1" {
		t.Errorf("%d spans of the pod: %+v", got.N, got.Slowest)
	}
	if r.bytes != r.held() {
		t.Errorf("%d bytes are counted, %d are held", r.bytes, r.held())
	}
}

// The value of a source that has a pod already is not replaced: a sender could move its signals to another pod.
func TestIdentityIsNotReplaced(t *testing.T) {
	r := newRig(t, 0)
	r.spans(reviews, call{at: noon})
	r.spans(attributes{"container.id": "c-reviews", "k8s.pod.uid": "u-victim", "service.name": "victim"}, call{at: noon})
	if got := r.server(attributes{"k8s.pod.uid": "u-victim"}).Sources; got != 0 {
		t.Errorf("%d sources of another pod", got)
	}
	if got := r.server(reviews).Served.N; got != 2 {
		t.Errorf("%d spans of its own", got)
	}
}

// A source is found again only by what it has; a forgotten source is not in the index.
func TestIndexFollowsSources(t *testing.T) {
	r := newRig(t, 1<<20)
	for i := range 200 {
		r.now = r.now.Add(30 * 1e9)
		r.spans(attributes{"container.id": fmt.Sprint(i), "k8s.pod.uid": fmt.Sprint("u", i/2), "service.name": fmt.Sprint("s", i%3)},
			call{at: r.now})
	}
	joints := 0
	for _, src := range r.sources {
		for _, j := range src.id.joints() {
			joints++
			if _, ok := r.index[j][src]; !ok {
				t.Errorf("%v does not lead to its source", j)
			}
		}
	}
	indexed := 0
	for _, sources := range r.index {
		if len(sources) == 0 {
			t.Error("an empty entry stays")
		}
		indexed += len(sources)
	}
	if indexed != joints || len(r.sources) > r.maxSources {
		t.Errorf("%d entries for %d joints of %d sources", indexed, joints, len(r.sources))
	}
}

func TestNameOfSource(t *testing.T) {
	for want, s := range map[string]source{
		"app":     {id: identity{containerName: "app", service: "reviews"}, podName: "reviews-1"},
		"reviews": {id: identity{service: "reviews", executable: "java"}, podName: "reviews-1"},
		"java":    {id: identity{executable: "java"}},
		"pod-1":   {podName: "pod-1"},
		"":        {},
	} {
		if got := s.name(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// An end that is a container is not found by its program: another container may run it too.
func TestJointsOfEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  attributes
		want []joint
	}{
		"a container": {attributes{"container.id": "c", "k8s.pod.uid": "u", "service.name": "s", "process.executable.name": "x"},
			[]joint{{byContainer, "c"}, {byPod, "u"}, {byService, "s"}}},
		"a process":              {attributes{"process.executable.name": "x"}, []joint{{byProcess, "x"}}},
		"a process of a service": {attributes{"service.name": "s", "process.executable.name": "x"}, []joint{{byService, "s"}, {byProcess, "x"}}},
		"nothing":                {attributes{"host.name": "h"}, nil},
	} {
		got := endJoints(endOf(c.end))
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(joint{})); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestFitsOfProcesses(t *testing.T) {
	end := func(a attributes) *edge.End { return endOf(a) }
	for name, c := range map[string]struct {
		id   identity
		end  *edge.End
		sole bool
		want bool
	}{
		"the host's ID":                 {identity{hostID: "h"}, end(attributes{"host.id": "h"}), false, true},
		"another ID":                    {identity{hostID: "h"}, end(attributes{"host.id": "i"}), false, false},
		"the ID before the name":        {identity{hostID: "h", hostName: "a"}, end(attributes{"host.id": "h", "host.name": "b"}), false, true},
		"the host's name":               {identity{hostName: "a"}, end(attributes{"host.name": "a"}), false, true},
		"another name":                  {identity{hostName: "a"}, end(attributes{"host.name": "b"}), true, false},
		"unknown, of several hosts":     {identity{}, end(attributes{"host.name": "a"}), false, false},
		"unknown, of the only host":     {identity{}, end(attributes{"host.name": "a"}), true, true},
		"nothing in common, sole":       {identity{hostID: "h"}, end(attributes{"host.name": "a"}), true, false},
		"nothing in common, many hosts": {identity{hostID: "h"}, end(attributes{"host.name": "a"}), false, false},
	} {
		if got := c.id.fits(c.end, byProcess, c.sole); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestIdentityIsCut(t *testing.T) {
	long := strings.Repeat("x", 1000)
	id := identityFrom(attributes{"container.id": long, "k8s.pod.uid": long, "service.name": long, "host.name": long})
	if id.bytes() != 4*maxName {
		t.Errorf("%d bytes, want %d", id.bytes(), 4*maxName)
	}
}
