package kubernetes

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// Believe returns an owner on this machine without what the API contradicts. Any user who can make a cgroup chooses its
// name. A pod is in the API before a kubelet makes its cgroup, so one that the API does not have is no pod. A container
// that the API has in another pod is not this container. Final: every pod is known, so the answer is certain.
func (k *Cluster) Believe(o conn.Owner, now time.Time) (conn.Owner, conn.Answer) {
	if o.PodUID == "" {
		return o, conn.Final
	}
	for _, w := range k.watches {
		if h := w.health(); h.Kind == kindPods && (!h.Synced || h.Err != nil) {
			return o, conn.Unknown
		}
	}
	return k.believe(o, now)
}

func (s *store) believe(o conn.Owner, now time.Time) (conn.Owner, conn.Answer) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.pods.byUID.newest(o.PodUID)
	if p == nil && s.mayMissPods(now) {
		return o, conn.Unknown
	}
	absent := p == nil || s.isElsewhere(p.node)
	c := s.pods.byContainer.newest(o.ContainerID)
	if c != nil && (c != p || absent) {
		o.ContainerID, o.PodUID = "", ""
	}
	if absent {
		o.PodUID = ""
	}
	return o, conn.Final
}

// mayMissPods reports whether there may be pods that the store does not have.
func (s *store) mayMissPods(now time.Time) bool {
	o, found := s.outages[kindPods]
	return found && (o.until.IsZero() || now.Sub(o.until) <= s.config.Patience) || s.stats.podsRefused > 0
}

// isElsewhere reports whether a node certainly has another kernel. Nodes that are containers of one machine, such as
// those of kind, have the same.
func (s *store) isElsewhere(node string) bool {
	n := s.nodes.named(node)
	return s.config.Node != "" && node != s.config.Node &&
		n != nil && n.boot != "" && s.config.Boot != "" && n.boot != s.config.Boot
}

// isInOther reports whether the container of an owner is in another pod than its cgroup says.
func (s *store) isInOther(o conn.Owner) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.pods.byContainer.newest(o.ContainerID)
	return o.PodUID != "" && p != nil && p.uid != o.PodUID && p.hash != o.PodUID
}
