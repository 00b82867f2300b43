package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// programs are the host's programs that had a connection, so that their flows end as those of a container do. A
// container has a cgroup that ends; of a program the process that was seen last stands for all.
type programs struct {
	root string
	seen map[conn.Owner]process
}

type process struct {
	id    uint32
	ended time.Time // zero: it runs
}

func newPrograms(root string) *programs {
	return &programs{root: root, seen: make(map[conn.Owner]process)}
}

// note takes the process of a report.
func (p *programs) note(o conn.Owner, id uint32) {
	if o.ContainerID == "" && o.PodUID == "" && o.Executable != "" && id != 0 {
		p.seen[o] = process{id: id}
	}
}

// ended returns the programs that have ended. It repeats each one for as long as its last connections may wait for
// their identities.
func (p *programs) ended(now time.Time) (all []conn.Owner) {
	for o, last := range p.seen {
		if last.ended.IsZero() {
			if p.runs(last.id) {
				continue
			}
			last.ended = now
			p.seen[o] = last
		}
		all = append(all, o)
		if now.Sub(last.ended) > 2*Patience {
			delete(p.seen, o)
		}
	}
	return all
}

func (p *programs) runs(id uint32) bool {
	_, err := os.Stat(filepath.Join(p.root, "proc", fmt.Sprint(id)))
	return !os.IsNotExist(err)
}
