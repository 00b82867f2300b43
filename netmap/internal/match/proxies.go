package match

import (
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// proxies has the purpose of containers as their peers report it. A receiver reads it from the Kubernetes API. The
// container itself is known by its name, and by the labels of its pod if a processor adds them. Without these labels a
// gateway or a waypoint of Istio looks like a sidecar, because all three have containers of one name.
type proxies map[containerKey]edge.Value // the zero Value: peers disagree

// A containerKey is a container in all pods of a workload. Only containers of Kubernetes have one.
type containerKey struct{ namespace, workload, container edge.Value }

var (
	sidecar = edge.Text(names.Sidecar)
	unknown edge.Value
)

// newProxies returns what the reports received since then say of peers that are proxies, and no sidecars.
func newProxies(reports []Report, since int64) proxies {
	p := make(proxies)
	for i := range reports {
		r := &reports[i]
		if r.Local == nil || r.Seen < since {
			continue
		}
		purpose := r.Peer[names.TagProxy]
		key, ok := containerKeyOf(r.Peer)
		if !ok || purpose == unknown || purpose == sidecar {
			continue
		}
		if held, reported := p[key]; reported && held != purpose {
			purpose = unknown
		}
		p[key] = purpose
	}
	return p
}

func containerKeyOf(e *edge.End) (containerKey, bool) {
	k := containerKey{e[names.TagNamespace], e[names.TagWorkload], e[names.TagContainer]}
	return k, k.namespace != unknown
}

// of returns the purpose of a container that looks like a sidecar and is none, or the zero Value.
func (p proxies) of(e *edge.End) edge.Value {
	if len(p) == 0 || e[names.TagProxy] != sidecar {
		return unknown
	}
	key, _ := containerKeyOf(e) // without a namespace it is no key of p
	return p[key]
}
