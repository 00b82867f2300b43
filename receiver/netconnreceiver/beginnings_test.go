package netconnreceiver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
)

// A grudging consumer answers the messages with its errors, one by one, and accepts those that follow. It changes what
// it is given, as a processor may. Taken are the attempts in what it accepts, by their seconds: time=value.
type grudging struct {
	answers []error
	taken   []string
}

func (g *grudging) consumer(t *testing.T) consumer.Metrics {
	t.Helper()
	c, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		var points []string
		for _, rm := range md.ResourceMetrics().All() {
			for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
				if m.Name() != "netconn.attempts" {
					continue
				}
				for _, p := range m.Sum().DataPoints().All() {
					points = append(points, fmt.Sprintf("%.3f=%d", seconds(p.Timestamp()), p.IntValue()))
				}
			}
		}
		md.ResourceMetrics().RemoveIf(func(pmetric.ResourceMetrics) bool { return true })
		if len(g.answers) > 0 {
			answer := g.answers[0]
			if g.answers = g.answers[1:]; answer != nil {
				return answer
			}
		}
		g.taken = append(g.taken, points...)
		return nil
	}, consumer.WithCapabilities(consumer.Capabilities{MutatesData: true}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func seconds(t pcommon.Timestamp) float64 { return t.AsTime().Sub(at(0)).Seconds() }

// The zero with which a series begins comes before its first value, at its own time, whatever was refused.
func TestRefusedBeginnings(t *testing.T) {
	full, wrong := errors.New("the queue is full"), consumererror.NewPermanent(errors.New("too large"))
	for name, c := range map[string]struct {
		answers []error // to the messages, of which the first collection has two
		want    []string
	}{
		"nothing":                   {nil, []string{"0.001=0", "10.000=1", "20.000=2", "30.000=3"}},
		"the zeros":                 {[]error{full}, []string{"0.001=0", "20.000=2", "30.000=3"}},
		"the values":                {[]error{nil, full}, []string{"0.001=0", "20.000=2", "30.000=3"}},
		"the zeros, twice":          {[]error{full, full}, []string{"0.001=0", "30.000=3"}},
		"the zeros, then values":    {[]error{full, nil, full}, []string{"0.001=0", "30.000=3"}},
		"the zeros, for good":       {[]error{wrong}, []string{"10.000=1", "20.000=2", "30.000=3"}},
		"the zeros late, for good":  {[]error{full, wrong}, []string{"20.000=2", "30.000=3"}},
		"everything, for two times": {[]error{full, full, nil, full}, []string{"0.001=0"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			now := at(0)
			r.scraper.machine.Now = func() time.Time { return now }
			cookie := uint64(0)
			r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
				cookie++
				h.Conn(conn.Conn{Socket: conn.Socket{
					ID: conn.ID{Cookie: cookie}, Role: conn.RoleClient, Phase: conn.Failed, SeenOpening: true,
				}})
				return nil
			}
			r.start(t)
			r.scraper.takeAsFinal(true) // no peer is waited for
			g := &grudging{answers: c.answers}
			next, err := r.scraper.metricsTo(g.consumer(t))
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				now = now.Add(10 * time.Second)
				md, err := r.scraper.scrape(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				_ = next.ConsumeMetrics(t.Context(), md) // the answers are the test's own
			}
			if diff := cmp.Diff(c.want, g.taken); diff != "" {
				t.Errorf("accepted (-want +got):\n%s", diff)
			}
		})
	}
}

// While everything is refused, the oldest zeros are given up beyond the bound, and the latest message never is.
func TestBeginningsAreBounded(t *testing.T) {
	message := func(points int) pmetric.Metrics {
		md := metricsNamed("netconn.io")
		for range points - 1 {
			md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Sum().DataPoints().AppendEmpty()
		}
		return md
	}
	var b beginnings
	for _, step := range []struct{ add, messages, points int }{
		{maxBeginnings / 2, 1, maxBeginnings / 2}, {maxBeginnings / 2, 2, maxBeginnings}, {1, 2, maxBeginnings/2 + 1},
		{maxBeginnings + 5, 1, maxBeginnings + 5}, {3, 1, 3},
	} {
		if b.add(message(step.add)); len(b.waiting) != step.messages || b.points != step.points {
			t.Errorf("%d more: %d messages with %d points, want %+v", step.add, len(b.waiting), b.points, step)
		}
	}
	if b.add(pmetric.NewMetrics()); len(b.waiting) != 1 {
		t.Error("a message without zeros is kept")
	}
}
