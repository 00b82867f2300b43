package netconnreceiver

import (
	"context"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metrics"
)

// maxBeginnings bounds the points of zero that are kept while the next component refuses them.
const maxBeginnings = 20_000

// beginnings are the zeros with which series begin, by collection, until the next component has taken them. A later
// collection has no such zero, and one with a later time would be a reset to a backend that has the first value.
type beginnings struct {
	waiting []pmetric.Metrics
	points  int
}

// send sends a collection, and before it the zeros of refused ones. A zero and its value are in one message: an
// exporter's queue has several consumers, so of two messages the values could arrive first, and Prometheus would refuse
// the zeros. A message that will always be refused is given up: it would keep back all that follows.
func (b *beginnings) send(ctx context.Context, next consumer.Metrics, md pmetric.Metrics) error {
	zeros := metrics.Beginnings(md) // the next component may change the message before it refuses it
	if len(b.waiting) > 0 {
		md = b.before(md)
	}
	err := next.ConsumeMetrics(ctx, md)
	if err == nil || consumererror.IsPermanent(err) {
		*b = beginnings{}
		return err
	}
	b.add(zeros)
	return err
}

// before returns the message with the zeros that wait before it.
func (b *beginnings) before(md pmetric.Metrics) pmetric.Metrics {
	whole := pmetric.NewMetrics()
	for _, w := range b.waiting {
		for _, rm := range w.ResourceMetrics().All() {
			rm.CopyTo(whole.ResourceMetrics().AppendEmpty())
		}
	}
	md.ResourceMetrics().MoveAndAppendTo(whole.ResourceMetrics())
	return whole
}

// add keeps a message, and gives up the oldest ones if there are too many points.
func (b *beginnings) add(zeros pmetric.Metrics) {
	n := zeros.DataPointCount()
	if n == 0 {
		return
	}
	b.waiting, b.points = append(b.waiting, zeros), b.points+n
	for len(b.waiting) > 1 && b.points > maxBeginnings {
		b.drop()
	}
}

func (b *beginnings) drop() {
	b.points -= b.waiting[0].DataPointCount()
	b.waiting = b.waiting[1:]
}
