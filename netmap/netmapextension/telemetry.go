package netmapextension

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/netconn/netconn/netmap/internal/snap"
	"github.com/netconn/netconn/netmap/netmapextension/internal/metadata"
)

// observe lets the collector's own metrics read the state of the source.
func (n *netmap) observe() error {
	t, err := metadata.NewTelemetryBuilder(n.settings)
	if err != nil {
		return err
	}
	n.telemetry = t
	held := func(value func(snap.Held) int64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(value(n.source.Status().Held))
			return nil
		}
	}
	return errors.Join(
		t.RegisterNetmapEdgesCallback(held(func(h snap.Held) int64 { return int64(h.Edges) })),
		t.RegisterNetmapEdgesFoldedCallback(held(func(h snap.Held) int64 { return int64(h.Folded) })),
		t.RegisterNetmapStreamsCallback(held(func(h snap.Held) int64 { return int64(h.Streams) })),
		t.RegisterNetmapPointsDroppedCallback(n.observeDropped),
		t.RegisterNetmapSignalsDroppedCallback(n.observeSignalsDropped),
		t.RegisterNetmapSignalsMemoryCallback(n.observeSignalsMemory),
	)
}

func (n *netmap) observeDropped(_ context.Context, o metric.Int64Observer) error {
	d := n.source.Status().Dropped
	for reason, count := range map[string]uint64{
		"late": d.Late, "out_of_order": d.OutOfOrder, "streams": d.Streams, "values": d.Values, "points": d.Points,
	} {
		o.Observe(int64(count), metric.WithAttributes(attribute.String("netmap.reason", reason)))
	}
	return nil
}

func (n *netmap) observeSignalsDropped(_ context.Context, o metric.Int64Observer) error {
	c := n.kept.Status().Counts
	for reason, count := range map[string]uint64{
		"late": c.Late, "unidentified": c.Unidentified, "sources": c.Sources, "memory": c.Evicted,
	} {
		o.Observe(int64(count), metric.WithAttributes(attribute.String("netmap.signals.reason", reason)))
	}
	return nil
}

func (n *netmap) observeSignalsMemory(_ context.Context, o metric.Int64Observer) error {
	o.Observe(int64(n.kept.Status().Bytes))
	return nil
}
