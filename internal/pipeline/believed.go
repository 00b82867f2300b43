package pipeline

import (
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// introduction is a container in the pod that its cgroup says.
type introduction struct{ container, pod string }

func introductionOf(o conn.Owner) introduction { return introduction{o.ContainerID, o.PodUID} }

// believed holds the owners that a source contradicts, with what is believed of each, as long as it does. Someone who
// may make any cgroup can give it the name of another's pod.
type believed struct {
	refused map[conn.Owner]conn.Owner
	count   uint64 // of owners, since Open
}

// maxRefused bounds what is kept of owners that are contradicted. Those beyond are contradicted, too, and counted each
// time.
const maxRefused = 10_000

// believe returns an owner without what the sources contradict. Settled: it will not get back what it has lost. What
// they contradict now may be a pod that they learn of a moment later.
func (p *Pipeline) believe(o conn.Owner, now time.Time) (owner conn.Owner, settled bool) {
	if _, known := p.known[introductionOf(o)]; known || len(p.sources) == 0 || o.PodUID == "" {
		return o, true
	}
	owner, a := p.sources.believe(o, now)
	if a != conn.Final || owner == o {
		delete(p.believed.refused, o)
		return o, true
	}
	p.believed.refuse(o, owner)
	return owner, false
}

func (b *believed) refuse(o, owner conn.Owner) {
	if _, known := b.refused[o]; known {
		return
	}
	b.count++
	if len(b.refused) < maxRefused {
		b.refused[o] = owner
	}
}

// gone returns what was believed of an owner with a container that is gone, and forgets it.
func (b *believed) gone(o conn.Owner) conn.Owner {
	owner, found := b.refused[o]
	if !found {
		return o
	}
	delete(b.refused, o)
	return owner
}
