package netmapextension

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/netconn/netconn/netmap/netmapextension/internal/metadata"
)

// observe lets the collector's own metrics read the store's state.
func (n *netmap) observe() error {
	telemetry, err := metadata.NewTelemetryBuilder(n.settings)
	if err != nil {
		return err
	}
	n.telemetry = telemetry
	return errors.Join(
		telemetry.RegisterNetmapEdgesCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(n.store.Status().Edges))
			return nil
		}),
		telemetry.RegisterNetmapEdgesFoldedCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(n.store.Status().Folded))
			return nil
		}),
		telemetry.RegisterNetmapStreamsCallback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(n.store.Status().Streams))
			return nil
		}),
		telemetry.RegisterNetmapPointsDroppedCallback(func(_ context.Context, o metric.Int64Observer) error {
			s := n.store.Status()
			for reason, count := range map[string]uint64{
				"late": s.Late, "out_of_order": s.Disorder, "streams": s.Homeless, "values": s.Values, "points": s.Points,
			} {
				o.Observe(int64(count), metric.WithAttributes(attribute.String("netmap.reason", reason)))
			}
			return nil
		}),
	)
}
