package pipeline

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/memory"
)

// The limit follows from the smaller of what the cgroup and Go may have. A number that was configured counts.
func TestCapacity(t *testing.T) {
	const most = 1_000_000
	pod, goLimit := memory.Limit{Bytes: 768 << 20, Source: "/sys/fs/cgroup/memory.max"},
		memory.Limit{Bytes: 200 << 20, Source: "GOMEMLIMIT"}
	for name, c := range map[string]struct {
		limits     memory.Limits
		configured int
		want       Capacity
		warning    string
	}{
		"no limit":                {memory.Limits{}, 0, Capacity{Connections: most}, ""},
		"no limit, configured":    {memory.Limits{}, 5 * most, Capacity{Connections: 5 * most}, ""},
		"the shipped pod":         {memory.Limits{Cgroup: pod}, 0, Capacity{303_186, 606_372, pod, ""}, ""},
		"much memory":             {memory.Limits{Cgroup: memory.Limit{Bytes: 1 << 40}}, 0, Capacity{Connections: most}, ""},
		"little memory":           {memory.Limits{Cgroup: memory.Limit{Bytes: 90 << 20}}, 0, Capacity{Connections: 1000, Sockets: 2000}, ""},
		"Go has less":             {memory.Limits{Cgroup: pod, Go: goLimit}, 0, Capacity{102_448, 606_372, goLimit, ""}, ""},
		"Go alone":                {memory.Limits{Go: goLimit}, 0, Capacity{102_448, 0, goLimit, ""}, ""},
		"configured, fits":        {memory.Limits{Cgroup: pod}, 300_000, Capacity{300_000, 606_372, pod, ""}, ""},
		"configured, too many":    {memory.Limits{Cgroup: pod}, most, Capacity{most, most, pod, ""}, "768 MiB (/sys/fs/cgroup/memory.max) has room for 303186"},
		"configured, too much Go": {memory.Limits{Go: goLimit}, most, Capacity{most, 0, goLimit, ""}, "200 MiB (GOMEMLIMIT) has room for 102448"},
	} {
		t.Run(name, func(t *testing.T) {
			got := capacityOf(c.limits, c.configured, most)
			if !strings.Contains(got.Warning, c.warning) || (got.Warning == "") != (c.warning == "") {
				t.Errorf("warning %q, want %q", got.Warning, c.warning)
			}
			if c.want.Limit == (memory.Limit{}) { // what is compared elsewhere
				c.want.Limit = got.Limit
			}
			if name == "much memory" {
				c.want.Sockets = got.Sockets
			}
			got.Warning = ""
			if got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// What fits, with all that the kernel may keep, is less than the limit.
func TestCapacityFits(t *testing.T) {
	for mib := int64(128); mib <= 4096; mib *= 2 {
		limit := mib << 20
		c := capacityOf(memory.Limits{Cgroup: memory.Limit{Bytes: limit}}, 0, 1<<40)
		if used := baseBytes + int64(c.Connections)*connectionBytes + int64(c.Sockets)*socketBytes; used > limit*9/10+baseBytes/10 {
			t.Errorf("%d MiB: %d connections and %d sockets need %d MiB", mib, c.Connections, c.Sockets, used>>20)
		}
	}
}

// Open bounds the connections, the ends and the sockets.
func TestOpenBounds(t *testing.T) {
	var s scripted
	m := s.machine()
	m.Memory = func() memory.Limits { return memory.Limits{Cgroup: memory.Limit{Bytes: 256 << 20}} }
	open := m.Open
	var sockets int
	m.Open = func() (Sockets, error) {
		o, err := open()
		o.Limit = func(n int) error { sockets = n; return errors.New("no map") }
		return o, err
	}
	m.Now = func() time.Time { return at(0) }
	o := options(t)
	o.Flows.MaxConnections = 0
	p, err := Open(o, m)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := p.Capacity()
	if c.Connections >= flow.Defaults().MaxConnections || c.Sockets != socketsEach*c.Connections || sockets != c.Sockets {
		t.Errorf("%+v; the kernel side was limited to %d sockets", c, sockets)
	}
	if err := errors.Join(p.Degraded()...); err == nil || !strings.Contains(err.Error(), "no map") {
		t.Errorf("degraded: %v", err)
	}
}
