package signals

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/edge"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// replica returns the container server of a pod of a workload, with an image tag.
func replica(workload, pod, tag string) attributes {
	return attributes{
		"k8s.namespace.name": "shop", "k8s.deployment.name": workload, "k8s.pod.name": pod, "k8s.pod.uid": "u-" + pod,
		"container.id": "c-" + pod, "k8s.container.name": "server", "container.image.tag": tag,
	}
}

// seen is an end of the edges, and when its edge was seen first.
type seen struct {
	end   attributes
	after time.Duration // noon
}

// deployments answers those of servers in the five minutes that end at the rig's time.
func (r *rig) deployments(ends ...seen) []Deployment {
	r.t.Helper()
	client := endOf(attributes{"k8s.deployment.name": "frontend", "k8s.pod.name": "frontend-1"})
	var edges []*snap.Edge
	for _, e := range ends {
		edges = append(edges, &snap.Edge{
			Client: client, Server: endOf(e.end), First: noon.Add(e.after).Unix(), Link: edge.Link{Role: edge.Client, Port: 80},
		})
	}
	to := r.now.Unix()
	a, err := r.Read(r.t.Context(), edges, snap.Range{From: to - fineSpan, To: to, Step: fineStep}, Sides{Server: true}, false)
	if err != nil {
		r.t.Fatal(err)
	}
	return a.Deployments
}

func TestDeploymentsOfEdges(t *testing.T) {
	at := func(after time.Duration, before, tag string) []Deployment {
		return []Deployment{{At: noon.Add(after).Unix(), Name: "server", Tag: tag, Before: before, Side: "server"}}
	}
	other := replica("other", "other-1", "2")
	other["k8s.namespace.name"] = "elsewhere"
	for name, c := range map[string]struct {
		ends []seen
		want []Deployment
	}{
		"a new tag": {[]seen{{replica("api", "a-1", "1"), -time.Hour}, {replica("api", "a-2", "2"), time.Minute}},
			at(time.Minute, "1", "2")},
		"the edges come in any order": {
			[]seen{{replica("api", "a-2", "2"), time.Minute}, {replica("api", "a-1", "1"), -time.Hour}},
			at(time.Minute, "1", "2")},
		"a second pod of the new tag": {[]seen{
			{replica("api", "a-1", "1"), -time.Hour}, {replica("api", "a-3", "2"), 2 * time.Minute},
			{replica("api", "a-2", "2"), time.Minute},
		}, at(time.Minute, "1", "2")},
		"the same tag": {[]seen{{replica("api", "a-1", "1"), -time.Hour}, {replica("api", "a-2", "1"), time.Minute}},
			[]Deployment{}},
		"both at the start": {[]seen{{replica("api", "a-1", "1"), time.Minute}, {replica("api", "a-2", "2"), 119 * time.Second}},
			[]Deployment{}},
		"before the window": {[]seen{{replica("api", "a-1", "1"), -time.Hour}, {replica("api", "a-2", "2"), -10 * time.Minute}},
			[]Deployment{}},
		"a canary is its own workload": {
			[]seen{{replica("api", "a-1", "1"), -time.Hour}, {replica("api-canary", "c-1", "2"), time.Minute}}, []Deployment{}},
		"another namespace": {[]seen{{replica("other", "o-1", "1"), -time.Hour}, {other, time.Minute}}, []Deployment{}},
		"without a tag":     {[]seen{{replica("api", "a-1", ""), -time.Hour}, {replica("api", "a-2", "2"), time.Minute}}, []Deployment{}},
		"without a workload": {[]seen{
			{attributes{"k8s.container.name": "server", "container.id": "1", "container.image.tag": "1"}, -time.Hour},
			{attributes{"k8s.container.name": "server", "container.id": "2", "container.image.tag": "2"}, time.Minute},
		}, []Deployment{}},
		"of a service": {[]seen{
			{attributes{"service.name": "db", "k8s.container.name": "server", "container.id": "1", "container.image.tag": "1"}, -time.Hour},
			{attributes{"service.name": "db", "k8s.container.name": "server", "container.id": "2", "container.image.tag": "2"}, time.Minute},
		}, at(time.Minute, "1", "2")},
	} {
		r := newRig(t, 0)
		r.now = noon.Add(3 * time.Minute)
		if diff := cmp.Diff(c.want, r.deployments(c.ends...)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// Where netconn does not know the tag, the resource of a container's own signals may.
func TestDeploymentsOfSources(t *testing.T) {
	r := newRig(t, 0)
	first, second := replica("api", "a-1", "1"), replica("api", "a-2", "2")
	ends := []seen{{replica("api", "a-1", ""), 0}, {replica("api", "a-2", ""), 0}}
	r.spans(first, call{at: noon})
	r.now = noon.Add(2 * time.Minute)
	r.spans(second, call{at: r.now})
	r.now = noon.Add(3 * time.Minute)
	want := []Deployment{{At: noon.Add(2 * time.Minute).Unix(), Name: "server", Tag: "2", Before: "1", Side: "server"}}
	if diff := cmp.Diff(want, r.deployments(ends...)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDeploymentsAreInOrder(t *testing.T) {
	r := newRig(t, 0)
	r.now = noon.Add(4 * time.Minute)
	got := r.deployments(seen{replica("api", "a-1", "1"), -time.Hour}, seen{replica("api", "a-3", "3"), 3 * time.Minute},
		seen{replica("web", "w-1", "1"), -time.Hour}, seen{replica("web", "w-2", "2"), 2 * time.Minute},
		seen{replica("api", "a-2", "2"), time.Minute})
	var tags []string
	for _, d := range got {
		tags = append(tags, d.Before+">"+d.Tag)
	}
	if diff := cmp.Diff([]string{"1>2", "1>2", "2>3"}, tags); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The tag of an image comes by the names of two versions of the conventions.
func TestImageTag(t *testing.T) {
	for name, c := range map[string]struct {
		resource attributes
		want     string
	}{
		"one":         {attributes{"container.image.tag": "1.2"}, "1.2"},
		"a list":      {attributes{"container.image.tags": []any{"1.2", "latest"}}, "1.2"},
		"a text":      {attributes{"container.image.tags": "1.2"}, "1.2"},
		"an empty":    {attributes{"container.image.tags": []any{}}, ""},
		"not at all":  {attributes{}, ""},
		"one of both": {attributes{"container.image.tag": "1", "container.image.tags": []any{"2"}}, "1"},
	} {
		r := newRig(t, 0)
		c.resource["container.id"] = "c"
		r.spans(c.resource, call{at: noon})
		for _, src := range r.sources {
			if src.image != c.want {
				t.Errorf("%s: %q, want %q", name, src.image, c.want)
			}
		}
	}
}
