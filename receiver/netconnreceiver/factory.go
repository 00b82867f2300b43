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
	i := newInstances(m)
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithMetrics(i.createMetrics, metadata.MetricsStability),
		receiver.WithLogs(i.createLogs, metadata.LogsStability),
	)
}

func (i *instances) createMetrics(
	_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics,
) (receiver.Metrics, error) {
	r, err := i.acquire(cfg.(*Config), set, signalMetrics)
	if err != nil {
		return nil, err
	}
	controller, err := r.newMetrics(cfg.(*Config), set, next)
	if err != nil {
		i.release(cfg.(*Config))
		return nil, err
	}
	return &stoppable{Component: controller}, nil
}

func (r *reference) newMetrics(c *Config, set receiver.Settings, next consumer.Metrics) (receiver.Metrics, error) {
	next, err := r.scraper.metricsTo(next)
	if err != nil {
		return nil, err
	}
	r.last = r.lastMetrics(next)
	m, err := scraper.NewMetrics(r.collectMetrics, scraper.WithStart(r.start), scraper.WithShutdown(r.shutdown))
	if err != nil {
		return nil, err
	}
	return scraperhelper.NewMetricsController(c.controller(), set, next,
		scraperhelper.AddMetricsScraper(metadata.Type, m))
}

func (i *instances) createLogs(
	_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Logs,
) (receiver.Logs, error) {
	r, err := i.acquire(cfg.(*Config), set, signalLogs)
	if err != nil {
		return nil, err
	}
	controller, err := r.newLogs(cfg.(*Config), set, next)
	if err != nil {
		i.release(cfg.(*Config))
		return nil, err
	}
	if !cfg.(*Config).Events.Enabled {
		set.Logger.Warn("A logs pipeline has this receiver, but events::enabled is false: it gets no logs.")
	}
	return &stoppable{Component: controller}, nil
}

func (r *reference) newLogs(c *Config, set receiver.Settings, next consumer.Logs) (receiver.Logs, error) {
	next, err := r.scraper.logsTo(next)
	if err != nil {
		return nil, err
	}
	r.last = r.lastLogs(next)
	logs, err := scraper.NewLogs(r.collectLogs, scraper.WithStart(r.start), scraper.WithShutdown(r.shutdown))
	if err != nil {
		return nil, err
	}
	same := func(context.Context, scraper.Settings, component.Config) (scraper.Logs, error) { return logs, nil }
	f := scraper.NewFactory(metadata.Type, nil, scraper.WithLogs(same, metadata.LogsStability))
	return scraperhelper.NewLogsController(c.controller(), set, next, scraperhelper.AddFactoryWithConfig(f, nil))
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
