package netmapconnector

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/connector"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"

	"github.com/netconn/netconn/netmap/internal/ledger"
	"github.com/netconn/netconn/netmap/netmapconnector/internal/metadata"
)

// scope is the instrumentation scope of the metrics that go out.
const scope = "github.com/netconn/netconn/netmap/netmapconnector"

// NewFactory returns the factory of the connector.
func NewFactory() connector.Factory {
	return connector.NewFactory(metadata.Type, createDefaultConfig,
		connector.WithMetricsToMetrics(create, metadata.MetricsToMetricsStability))
}

func create(
	_ context.Context, set connector.Settings, cfg component.Config, next consumer.Metrics,
) (connector.Metrics, error) {
	c := cfg.(*Config)
	tags, err := c.tags()
	if err != nil {
		return nil, err
	}
	return &edges{
		settings: set, next: next, interval: c.Interval, stop: make(chan struct{}),
		ledger: ledger.New(ledger.Config{
			Tags: tags, Bounds: c.bounds(), MaxEdges: c.MaxEdges, MaxFlows: c.MaxFlows, Expiry: c.Expiry,
		}),
	}, nil
}

// edges is the connector.
type edges struct {
	settings connector.Settings
	next     consumer.Metrics
	interval time.Duration
	ledger   *ledger.Ledger

	telemetry *metadata.TelemetryBuilder
	stop      chan struct{}
	running   sync.WaitGroup
	once      sync.Once
}

// Capabilities: what comes in is only read.
func (*edges) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// Start begins to send every interval.
func (e *edges) Start(context.Context, component.Host) error {
	if err := e.observe(); err != nil {
		return err
	}
	e.running.Go(func() {
		ticker := time.NewTicker(e.interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if err := e.send(context.Background()); err != nil {
					e.settings.Logger.Warn("Cannot send the metrics of edges. The next interval has their totals too.",
						zap.Error(err))
				}
			case <-e.stop:
				return
			}
		}
	})
	return nil
}

// ConsumeMetrics adds metrics up. It never fails.
func (e *edges) ConsumeMetrics(_ context.Context, m pmetric.Metrics) error {
	e.ledger.Add(m)
	return nil
}

// Shutdown sends the totals once more. What follows in the pipelines is shut down later.
func (e *edges) Shutdown(ctx context.Context) error {
	if e.telemetry == nil {
		return nil // it was not started
	}
	var err error
	e.once.Do(func() {
		close(e.stop)
		e.running.Wait()
		err = e.send(ctx)
		e.telemetry.Shutdown()
	})
	return err
}

// send sends the zeros of new totals, and then all totals.
func (e *edges) send(ctx context.Context) error {
	zeros, totals := e.ledger.Flush()
	var failed []error
	for _, m := range [...]pmetric.Metrics{zeros, totals} {
		if m.DataPointCount() == 0 {
			continue
		}
		rm := m.ResourceMetrics().At(0)
		e.settings.Resource.CopyTo(rm.Resource())
		rm.ScopeMetrics().At(0).Scope().SetName(scope)
		rm.ScopeMetrics().At(0).Scope().SetVersion(e.settings.BuildInfo.Version)
		failed = append(failed, e.next.ConsumeMetrics(ctx, m))
	}
	return errors.Join(failed...)
}
