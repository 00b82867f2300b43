package netconnreceiver

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// NewFactory returns the factory of the receiver. The receivers that one factory makes of one configuration share one
// load of the kernel side.
func NewFactory() receiver.Factory { return newFactory(pipeline.ThisMachine()) }

func newFactory(m pipeline.Machine) receiver.Factory {
	l := newLoads(m)
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithMetrics(l.createMetrics, metadata.MetricsStability),
		receiver.WithLogs(l.createLogs, metadata.LogsStability),
	)
}

func (l *loads) createMetrics(
	_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics,
) (receiver.Metrics, error) {
	s, err := l.take(cfg.(*Config), set, signalMetrics)
	if err != nil {
		return nil, err
	}
	controller, err := s.newMetrics(set, next)
	if err != nil {
		l.leave(s.config)
		return nil, err
	}
	return &stoppable{Component: controller}, nil
}

func (s *share) newMetrics(set receiver.Settings, next consumer.Metrics) (receiver.Metrics, error) {
	m, err := scraper.NewMetrics(s.scrape, scraper.WithStart(s.start), scraper.WithShutdown(s.shutdown))
	if err != nil {
		return nil, err
	}
	return scraperhelper.NewMetricsController(&s.config.ControllerConfig, set, next,
		scraperhelper.AddMetricsScraper(metadata.Type, m))
}

func (l *loads) createLogs(
	_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs,
) (receiver.Logs, error) {
	s, err := l.take(cfg.(*Config), set, signalLogs)
	if err != nil {
		return nil, err
	}
	controller, err := s.newLogs(set, next)
	if err != nil {
		l.leave(s.config)
		return nil, err
	}
	if !s.config.Events.Enabled {
		set.Logger.Warn("A logs pipeline has this receiver, but events::enabled is false: it gets no logs.")
	}
	return &stoppable{Component: controller}, nil
}

func (s *share) newLogs(set receiver.Settings, next consumer.Logs) (receiver.Logs, error) {
	logs, err := scraper.NewLogs(s.scrapeLogs, scraper.WithStart(s.start), scraper.WithShutdown(s.shutdown))
	if err != nil {
		return nil, err
	}
	same := func(context.Context, scraper.Settings, component.Config) (scraper.Logs, error) { return logs, nil }
	f := scraper.NewFactory(metadata.Type, nil, scraper.WithLogs(same, metadata.LogsStability))
	return scraperhelper.NewLogsController(&s.config.ControllerConfig, set, next, scraperhelper.AddFactoryWithConfig(f, nil))
}

// A stoppable is a receiver that can be shut down twice: scraperhelper's closes a channel, and panics.
type stoppable struct {
	component.Component
	once sync.Once
}

func (s *stoppable) Shutdown(ctx context.Context) error {
	var err error
	s.once.Do(func() { err = s.Component.Shutdown(ctx) })
	return err
}
