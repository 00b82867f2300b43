package pipeline

import (
	"slices"
	"testing"

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
