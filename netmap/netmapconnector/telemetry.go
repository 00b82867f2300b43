package netmapconnector

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/netconn/netconn/netmap/internal/ledger"
	"github.com/netconn/netconn/netmap/netmapconnector/internal/metadata"
)

// observe lets the collector's own metrics read the state of the ledger.
func (e *edges) observe() error {
	t, err := metadata.NewTelemetryBuilder(e.settings.TelemetrySettings)
	if err != nil {
		return err
	}
	e.telemetry = t
	id := attribute.String("netmap.connector.id", e.settings.ID.String())
	read := func(value func(ledger.Stats) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(value(e.ledger.Stats()), metric.WithAttributes(id))
			return nil
		}
	}
	return errors.Join(
		t.RegisterNetmapConnectorEdgesCallback(read(func(s ledger.Stats) int64 { return int64(s.Edges) })),
		t.RegisterNetmapConnectorFlowsCallback(read(func(s ledger.Stats) int64 { return int64(s.Flows) })),
		t.RegisterNetmapConnectorOverflowedFlowsCallback(read(func(s ledger.Stats) int64 { return int64(s.Overflow) })),
		t.RegisterNetmapConnectorPointsDroppedCallback(func(_ context.Context, o metric.Int64Observer) error {
			s := e.ledger.Stats()
			for reason, count := range map[string]uint64{
				"out_of_order": s.OutOfOrder, "flows": s.Beyond, "values": s.Refused.Values, "points": s.Refused.Points,
			} {
				o.Observe(int64(count), metric.WithAttributes(id, attribute.String("netmap.connector.reason", reason)))
			}
			return nil
		}),
	)
}
