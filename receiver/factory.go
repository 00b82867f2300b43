package netconnreceiver

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/netconn/netconn/receiver/internal/metadata"
)

// NewFactory returns the factory of the receiver.
func NewFactory() receiver.Factory {
	return receiver.NewFactory(
		metadata.Type,
		createDefaultConfig,
		receiver.WithMetrics(createMetrics, metadata.MetricsStability),
	)
}

func createMetrics(
	_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics,
) (receiver.Metrics, error) {
	c := cfg.(*Config)
	s, err := newScraper(c, set, thisMachine())
	if err != nil {
		return nil, err
	}
	m, err := scraper.NewMetrics(s.scrape, scraper.WithStart(s.start), scraper.WithShutdown(s.shutdown))
	if err != nil {
		return nil, err
	}
	controller, err := scraperhelper.NewMetricsController(&c.ControllerConfig, set, next,
		scraperhelper.AddMetricsScraper(metadata.Type, m))
	if err != nil {
		return nil, err
	}
	return &stoppable{Metrics: controller}, nil
}

// A stoppable is a receiver that can be shut down twice: scraperhelper's closes a channel, and panics.
type stoppable struct {
	receiver.Metrics
	once sync.Once
}

func (s *stoppable) Shutdown(ctx context.Context) error {
	var err error
	s.once.Do(func() { err = s.Metrics.Shutdown(ctx) })
	return err
}
