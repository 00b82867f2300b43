package pipeline

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/drops"
	"github.com/netconn/netconn/internal/flow"
)

// scriptedDrops is a scripted machine that drops packets.
type scriptedDrops struct {
	scripted
	dropped []drops.Drops // until the next reading
	stats   drops.Stats
	opened  int
	err     error // of opening and reading
}

func (s *scriptedDrops) open(t *testing.T, mode DropsMode) *Pipeline {
	t.Helper()
	s.now, s.scripted.stats.Tracked = at(1000), 1
	o, m := options(t), s.machine()
	o.Drops, o.Mask = mode, func(k flow.Key) flow.Key { return k }
	m.Drops = func() (Drops, error) {
		s.opened++
		return Drops{
			Read: func(h drops.Handler) error {
				for _, d := range s.dropped {
					h(d)
				}
				s.dropped = nil
				return s.err
			},
			Stats: func() (drops.Stats, error) { return s.stats, s.err },
			Close: s.closing("drops"),
		}, s.err
	}
	p, err := Open(o, m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// discarded returns the packets that were dropped, by reason and transport.
func (s *scriptedDrops) discarded(t *testing.T, p *Pipeline) map[string]uint64 {
	t.Helper()
	s.now = s.now.Add(10 * time.Second)
	resources, err := p.Collect(s.now)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]uint64)
	for _, r := range resources {
		for _, f := range r.Flows {
			if f.Discards {
				all[f.Key.Protocol.String()+" "+f.Key.Drop.String()] += f.Discarded
				if f.Start.After(s.now.Add(-10*time.Second)) || f.Connections {
					t.Errorf("a flow of drops that began at %v: %+v", f.Start, f)
				}
			}
		}
	}
	return all
}

// What the kernel has dropped since the collection before is added to the flow of its reason, and a second look at it
// adds nothing.
func TestDrops(t *testing.T) {
	s := &scriptedDrops{stats: drops.Stats{Missed: 7}}
	s.stats.Excluded[0] = 5
	p := s.open(t, DropsOn)
	full, rule := conn.DropReasonOf(1), conn.DropReasonOf(2)
	of := func(r conn.DropReason, transport conn.Protocol, n uint64) drops.Drops {
		return drops.Drops{Protocol: transport, Reason: r, Packets: n}
	}
	s.dropped = []drops.Drops{of(full, conn.UDP, 3), of(full, conn.TCP, 1), of(rule, conn.UDP, 10), of(full, conn.UDP, 4)}
	want := map[string]uint64{"udp " + full.String(): 7, "tcp " + full.String(): 1, "udp " + rule.String(): 10}
	for range 2 {
		if diff := cmp.Diff(want, s.discarded(t, p)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	s.dropped = []drops.Drops{of(rule, conn.UDP, 1)}
	if got := s.discarded(t, p)["udp "+rule.String()]; got != 11 {
		t.Errorf("%d, want 11", got)
	}
	h, err := p.Health()
	if err != nil || h.Drops != s.stats {
		t.Errorf("%+v: %v", h.Drops, err)
	}
	for reason, n := range h.DropsExcluded() {
		if reason != "not_specified" || n != 5 {
			t.Errorf("%d of %s are excluded", n, reason)
		}
	}
	if err := p.Close(); err != nil || !slices.Contains(s.closed, "drops") {
		t.Errorf("closed %v: %v", s.closed, err)
	}
}

// The owner of a socket is that of its cgroup. The host has the packets of a cgroup that is gone.
func TestOwnerOfDrops(t *testing.T) {
	s := &scriptedDrops{}
	p := s.open(t, DropsOn)
	s.dropped = []drops.Drops{{Cgroup: 1 << 40, Protocol: conn.UDP, Reason: conn.DropReasonOf(0), Packets: 2}}
	if got := s.discarded(t, p); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if h, err := p.Health(); err != nil || h.Owners.Unresolved == [len(h.Owners.Unresolved)]uint64{} {
		t.Errorf("the cgroup was not looked up: %+v, %v", h.Owners, err)
	}
}

// Off asks for nothing. A kernel that cannot do it costs one sentence, and nothing else.
func TestWithoutDrops(t *testing.T) {
	s := &scriptedDrops{}
	p := s.open(t, DropsOff)
	if s.opened != 0 || len(s.discarded(t, p)) != 0 {
		t.Errorf("opened %d times", s.opened)
	}
	s = &scriptedDrops{err: errors.New("no reason")}
	p = s.open(t, DropsOn)
	found := slices.ContainsFunc(p.Degraded(), func(err error) bool {
		return strings.HasPrefix(err.Error(), "count dropped packets (drops): no reason")
	})
	if !found {
		t.Errorf("degraded: %v", p.Degraded())
	}
}
