package netconnreceiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// maxBeginnings bounds the points of zero that are kept while the next component refuses them.
const maxBeginnings = 20_000

// beginnings are the messages with which series begin, in order, until the next component has taken them. A later
// collection has no such zero, and one with a later time would be a reset to a backend that has the first value.
type beginnings struct {
	waiting []pmetric.Metrics
	points  int
}

// send sends what waits and then the values of the same collection. Values without the zeros before them are not sent:
// the next ones have all that they have.
func (b *beginnings) send(ctx context.Context, next consumer.Metrics, zeros, values pmetric.Metrics) error {
	b.add(zeros)
	err := b.flush(ctx, next)
	if err != nil && !consumererror.IsPermanent(err) {
		return err
	}
	return errors.Join(err, next.ConsumeMetrics(ctx, values))
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

// flush sends the messages one by one up to the first that is refused. One that will always be refused is given up: it
// would keep back all that follows.
func (b *beginnings) flush(ctx context.Context, next consumer.Metrics) (refused error) {
	for len(b.waiting) > 0 {
		copied := pmetric.NewMetrics() // the next component may change it before it refuses it
		b.waiting[0].CopyTo(copied)
		err := next.ConsumeMetrics(ctx, copied)
		if err != nil && !consumererror.IsPermanent(err) {
			return err
		}
		refused = errors.Join(refused, err)
		b.drop()
	}
	return refused
}
