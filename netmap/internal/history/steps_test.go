package history

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/netmap/internal/snap"
)

// at returns a source at a time.
func (f *fake) at(seconds int64) *Source {
	return f.source(func(c *Config) { c.Now = func() time.Time { return time.Unix(seconds, 0) } })
}

// A range ends with the step that has begun, and is as many steps as its window needs, however long ago it was.
func TestAlignment(t *testing.T) {
	const hour, minute = 1_800_000_000, 60 // both the beginning of an hour and of a step of 8 hours
	f := newFake(t)
	for name, tt := range map[string]struct {
		now, window, end int64
		want             snap.Range
	}{
		"five minutes":             {hour + 30, 300, 0, snap.Range{From: hour - 240, To: hour + 60, Step: 60}},
		"as a step begins":         {hour, 300, 0, snap.Range{From: hour - 240, To: hour + 60, Step: 60}},
		"before a step ends":       {hour + 59, 300, 0, snap.Range{From: hour - 240, To: hour + 60, Step: 60}},
		"no whole steps":           {hour, 61, 0, snap.Range{From: hour - 60, To: hour + 60, Step: 60}},
		"six hours":                {hour, 6 * 3600, 0, snap.Range{From: hour + 300 - 6*3600, To: hour + 300, Step: 300}},
		"a day":                    {hour, day, 0, snap.Range{From: hour + 900 - day, To: hour + 900, Step: 900}},
		"a week":                   {hour, 7 * day, 0, snap.Range{From: hour + 7200 - 7*day, To: hour + 7200, Step: 7200}},
		"an end in the future":     {hour, 300, hour + day, snap.Range{From: hour - 240, To: hour + 60, Step: 60}},
		"an end before":            {hour, 300, hour - 90, snap.Range{From: hour - 360, To: hour - 60, Step: 60}},
		"long before what is kept": {hour, 3600, hour - 400*day, snap.Range{From: hour - 400*day + 60 - 3600, To: hour - 400*day + 60, Step: 60}},
		"longer than is offered":   {hour, 60 * day, 0, snap.Range{From: hour + 28800 - 60*day, To: hour + 28800, Step: 28800}},
	} {
		if diff := cmp.Diff(tt.want, f.at(tt.now).Range(tt.window, tt.end)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A query is about what is over of its window, and at least about a second: PromQL has no shorter one.
func TestTheWindowOfAQuery(t *testing.T) {
	for name, tt := range map[string]struct {
		now, window int64
		want        string
		seconds     float64
	}{
		"a window":           {now, 300, "[270s]", 270},
		"a step":             {now, 60, "[30s]", 30},
		"a step that begins": {now - 30, 60, "[1s]", 1},
	} {
		f := everything(t)
		s := snapshot(t, f.at(tt.now), tt.window)
		if n := f.received(`increase({__name__="netconn_edge_closed_total"}` + tt.want); n != 1 || s.Seconds != tt.seconds {
			t.Errorf("%s: %v s, and %d queries of %s", name, s.Seconds, n, tt.want)
		}
	}
}

// Where the store has no samples, before its retention or in a gap, a history has steps, and these are not reported.
func TestAHistoryWithGaps(t *testing.T) {
	f := everything(t)
	held := snapshot(t, f.source(), 300)
	values := func(from float64, all ...float64) (out []sample) {
		for i, v := range all {
			out = append(out, sample{from + float64(i)*60, v})
		}
		return out
	}
	from := float64(held.From)
	f.rows["netconn_edge_active"] = []toldRow{{Metric: tagged("client", "web>api"), Values: append(values(from-300, 9, 9), values(from+180, 4, 0)...)}}
	f.rows["netconn_edge_io_bytes_total"] = []toldRow{{
		Metric: tagged("client", "web>api", "network_io_direction", "receive"), Values: append(values(from+180, 7, 8, 9), values(from+3600, 1)...),
	}}
	var got []snap.Step
	err := held.History.Read(t.Context(), [][]int{{0}}, snap.Active|snap.Volume, func(_ int, step snap.Step) { got = append(got, step) })
	want := []snap.Step{
		{At: held.From}, {At: held.From + 60},
		{At: held.From + 120, Reported: true, Figures: snap.Figures{Active: 4, Rx: 7}},
		{At: held.From + 180, Reported: true, Figures: snap.Figures{Rx: 8}},
		{At: held.From + 240, Figures: snap.Figures{Rx: 9}},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("steps, %v (-want +got):\n%s", err, diff)
	}
}
