package netconnreceiver

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metrics"
)

// lastTimeout is how long the next component may take for the last message. A collector must stop, also where the
// exporter has no queue and its destination is away.
const lastTimeout = time.Second

// given is the last message of events, until it is accepted or refused.
type given struct {
	events  []pipeline.Event
	records int // that were written; some resources have no events
}

// metricsTo returns a consumer that has the scraper keep what next refuses.
func (s *netconnScraper) metricsTo(next consumer.Metrics) (consumer.Metrics, error) {
	var waiting beginnings
	return consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		if metadata.ReceiverNetconnProposedConventionsFeatureGate.IsEnabled() {
			metrics.Propose(md)
		}
		err := waiting.send(ctx, next, metrics.Split(md), md)
		s.deliveredMetrics(err)
		return err
	}, consumer.WithCapabilities(next.Capabilities()))
}

// logsTo returns a consumer that has the scraper keep what next refuses.
func (s *netconnScraper) logsTo(next consumer.Logs) (consumer.Logs, error) {
	return consumer.NewLogs(func(ctx context.Context, ld plog.Logs) error {
		err := next.ConsumeLogs(ctx, ld)
		s.deliveredLogs(err)
		return err
	}, consumer.WithCapabilities(next.Capabilities()))
}

func (s *netconnScraper) deliveredMetrics(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.metrics == nil:
	case err == nil:
		s.metrics.Accept()
	default:
		s.sent.Metrics++
		s.metrics.Refuse()
	}
}

func (s *netconnScraper) deliveredLogs(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.given
	s.given = given{}
	switch {
	case err == nil:
		s.sent.Events += uint64(g.records)
	case g.records > 0:
		s.sent.Logs++
		if s.pipeline != nil {
			s.pipeline.PutBack(g.events)
		}
	}
}

// lastMetrics emits what was counted since the last collection.
func (r *reference) lastMetrics(next consumer.Metrics) func(context.Context) error {
	return func(ctx context.Context) error {
		md, err := r.collectMetrics(ctx)
		ctx, cancel := context.WithTimeout(ctx, lastTimeout)
		defer cancel()
		return errors.Join(err, next.ConsumeMetrics(ctx, md))
	}
}

// lastLogs emits the events since the last collection.
func (r *reference) lastLogs(next consumer.Logs) func(context.Context) error {
	return func(ctx context.Context) error {
		ld, err := r.collectLogs(ctx)
		ctx, cancel := context.WithTimeout(ctx, lastTimeout)
		defer cancel()
		return errors.Join(err, next.ConsumeLogs(ctx, ld))
	}
}
