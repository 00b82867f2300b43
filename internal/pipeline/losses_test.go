package pipeline

import (
	"slices"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
)

// Lost records are a fault until a minute after the last one, each kind of its own.
func TestLossesAreFaults(t *testing.T) {
	s := &scripted{}
	p := s.open(t)
	for _, row := range []struct {
		second int64
		stats  kernel.Stats
		want   []string
	}{
		{second: 1010, stats: kernel.Stats{Missed: 7, SnapshotAgain: 1}},
		{second: 1020, stats: kernel.Stats{FailedRefused: 3}, want: []string{"ring of failed attempts"}},
		{second: 1060, stats: kernel.Stats{FailedRefused: 3, RingRefused: 1, StorageRefused: 1}, want: []string{
			"ring of ended connections", "ring of failed attempts", "socket storage",
		}},
		{second: 1080, stats: kernel.Stats{FailedRefused: 3, RingRefused: 2, StorageRefused: 1}, want: []string{
			"ring of ended connections", "socket storage",
		}},
		{second: 1120, stats: kernel.Stats{FailedRefused: 3, RingRefused: 2, StorageRefused: 1}, want: []string{
			"ring of ended connections",
		}},
		{second: 1140, stats: kernel.Stats{FailedRefused: 3, RingRefused: 2, StorageRefused: 1}},
	} {
		s.stats = row.stats
		if _, err := p.Collect(at(row.second)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range p.Faults() {
			if !f.Lasts || f.Err == nil {
				t.Errorf("%d: %+v is not logged each minute", row.second, f)
			}
			got = append(got, f.About)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("at %d: faults %q, want %q", row.second, got, row.want)
		}
	}
}

// A connection that is in none of three passes is lost, unless a pass does not have every connection: then it may be one
// that has no file.
func TestAbsentFromPasses(t *testing.T) {
	for partial, lost := range map[bool]int64{false: 1, true: 0} {
		s := &scripted{partial: partial, live: []conn.Conn{dialled(1, conn.Open)}}
		p := s.open(t)
		if said := slices.Contains(p.Degraded(), errIncomplete); said != partial {
			t.Errorf("partial %v: degraded by %v", partial, p.Degraded())
		}
		var got totals
		for range 5 {
			s.now = s.now.Add(10 * time.Minute)
			resources, err := p.Collect(s.now)
			if err != nil {
				t.Fatal(err)
			}
			got = totalsOf(resources)
			s.live = nil
		}
		if got.Lost != lost || got.Active != 1-lost {
			t.Errorf("partial %v: %d lost and %d active, want %d and %d", partial, got.Lost, got.Active, lost, 1-lost)
		}
	}
}
