package netmapexporter

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/pdata/pmetric"

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
	return exporter.NewFactory(metadata.Type, createDefaultConfig, exporter.WithMetrics(create,
		metadata.MetricsStability))
}

func create(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
	h := &hand{extension: cfg.(*Config).Extension}
	return exporterhelper.NewMetrics(ctx, set, cfg, h.give,
		exporterhelper.WithStart(h.start), exporterhelper.WithCapabilities(consumer.Capabilities{}))
}

// A hand gives metrics to the map.
type hand struct {
	extension component.ID
	to        consumer.Metrics
}

func (h *hand) start(_ context.Context, host component.Host) error {
	found, ok := host.GetExtensions()[h.extension]
	if !ok {
		return fmt.Errorf("there is no extension %q for the exporter to give metrics to: "+
			"configure it under extensions, and name it in service::extensions", h.extension)
	}
	if h.to, ok = found.(consumer.Metrics); !ok {
		return fmt.Errorf("the extension %q is not the network map", h.extension)
	}
	return nil
}

func (h *hand) give(ctx context.Context, m pmetric.Metrics) error {
	if h.to == nil {
		return errors.New("give metrics to the network map: the exporter was not started")
	}
	return h.to.ConsumeMetrics(ctx, m)
}
