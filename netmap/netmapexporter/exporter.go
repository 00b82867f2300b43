package netmapexporter

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/netconn/netconn/netmap/netmapexporter/internal/metadata"
)

// Config is the configuration of the exporter, netmap: in a collector's file. It may be empty.
type Config struct {
	// Extension is the ID of the extension that serves the map.
	Extension component.ID `mapstructure:"extension"`
}

// Validate names the key that is wrong.
func (c *Config) Validate() error {
	if c.Extension.Type() != metadata.Type {
		return fmt.Errorf("extension: must be %s or %s/name, not %q", metadata.Type, metadata.Type, c.Extension)
	}
	return nil
}

func createDefaultConfig() component.Config {
	return &Config{Extension: component.NewID(metadata.Type)}
}

// NewFactory returns the factory of the exporter.
func NewFactory() exporter.Factory {
	return exporter.NewFactory(metadata.Type, createDefaultConfig,
		exporter.WithMetrics(createMetrics, metadata.MetricsStability),
		exporter.WithTraces(createTraces, metadata.TracesStability),
		exporter.WithLogs(createLogs, metadata.LogsStability))
}

func createMetrics(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	h := newHand(cfg)
	return exporterhelper.NewMetrics(ctx, set, cfg, func(ctx context.Context, m pmetric.Metrics) error {
		return h.give(func(to netmap) error { return to.ConsumeMetrics(ctx, m) })
	}, h.options()...)
}

func createTraces(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Traces, error) {
	h := newHand(cfg)
	return exporterhelper.NewTraces(ctx, set, cfg, func(ctx context.Context, t ptrace.Traces) error {
		return h.give(func(to netmap) error { return to.ConsumeTraces(ctx, t) })
	}, h.options()...)
}

func createLogs(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Logs, error) {
	h := newHand(cfg)
	return exporterhelper.NewLogs(ctx, set, cfg, func(ctx context.Context, l plog.Logs) error {
		return h.give(func(to netmap) error { return to.ConsumeLogs(ctx, l) })
	}, h.options()...)
}

// A netmap is what the extension is to the exporter.
type netmap interface {
	consumer.Metrics
	consumer.Traces
	consumer.Logs
}

// A hand gives signals to the map.
type hand struct {
	extension component.ID
	to        netmap
}

func newHand(cfg component.Config) *hand { return &hand{extension: cfg.(*Config).Extension} }

func (h *hand) options() []exporterhelper.Option {
	return []exporterhelper.Option{
		exporterhelper.WithStart(h.start), exporterhelper.WithCapabilities(consumer.Capabilities{}),
	}
}

func (h *hand) start(_ context.Context, host component.Host) error {
	found, ok := host.GetExtensions()[h.extension]
	if !ok {
		return fmt.Errorf("there is no extension %q for the exporter to give signals to: "+
			"configure it under extensions, and name it in service::extensions", h.extension)
	}
	if h.to, ok = found.(netmap); !ok {
		return fmt.Errorf("the extension %q is not the network map", h.extension)
	}
	return nil
}

func (h *hand) give(consume func(netmap) error) error {
	if h.to == nil {
		return errors.New("give signals to the network map: the exporter was not started")
	}
	return consume(h.to)
}
