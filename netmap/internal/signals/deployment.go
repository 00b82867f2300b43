package signals

import (
	"cmp"
	"maps"
	"slices"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// apart is how many seconds lie at least between the first times of two image tags, if the later one is a deployment:
// what was there before the collector started is seen all at once.
const apart = 60

// A program is a container of a workload, or of a service where there is no workload. A canary is a workload of its
// own, so that its tag is no deployment of the other one.
type program struct{ namespace, of, container string }

// versions are the first times of a program's image tags, in Unix seconds.
type versions map[string]int64

// deployments returns the first times of image tags that came after another tag of the same program. A return to a tag
// of the last hour is not among them.
func (q *query) deployments() []Deployment {
	all := make(map[program]versions)
	note := func(e *edge.End, container, tag string, first int64) {
		p := program{e.Get(names.TagNamespace), cmp.Or(e.Get(names.TagWorkload), e.Get(names.TagService)), container}
		if p.of == "" || container == "" || tag == "" {
			return
		}
		if all[p] == nil {
			all[p] = make(versions)
		}
		if before, ok := all[p][tag]; !ok || first < before {
			all[p][tag] = first
		}
	}
	for src, m := range q.found {
		if m.by == byContainer || m.by == byPod {
			note(m.end, src.id.containerName, src.image, src.first)
		}
	}
	for e, edges := range q.ends {
		for _, of := range edges {
			note(e, e.Get(names.TagContainer), e.Get(names.TagImageTag), of.First)
		}
	}
	var deployed []Deployment
	for p, tags := range all {
		deployed = append(deployed, q.deploymentsOf(p, tags)...)
	}
	return deployed
}

func (q *query) deploymentsOf(p program, tags versions) (deployed []Deployment) {
	ordered := slices.SortedFunc(maps.Keys(tags), func(a, b string) int {
		return cmp.Or(cmp.Compare(tags[a], tags[b]), cmp.Compare(a, b))
	})
	for i, tag := range ordered {
		if i == 0 {
			continue
		}
		before, at := ordered[i-1], tags[tag]
		if at-tags[before] >= apart && at >= q.From && at < q.To {
			deployed = append(deployed, Deployment{At: at, Name: p.container, Tag: tag, Before: before, Side: q.role})
		}
	}
	return deployed
}
