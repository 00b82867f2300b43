package netconnreceiver

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	otelattribute "go.opentelemetry.io/otel/attribute"
	otelmetric "go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// health is how the receiver was at a collection.
type health struct {
	pipeline.Health
	emitted uint64 // events
}

// observables are the receiver's own metrics. The collector asks for them at any time and must not wait for a
// collection, so they tell what the last one saw.
type observables struct {
	builder *metadata.TelemetryBuilder
	last    atomic.Pointer[health] // nil before the first collection
}

func newObservables(set component.TelemetrySettings) (*observables, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	return &observables{builder: b}, err
}

func (o *observables) read(p *pipeline.Pipeline, emitted uint64) error {
	h, err := p.Health()
	if err != nil {
		return err
	}
	o.last.Store(&health{h, emitted})
	return nil
}

func (o *observables) unregister() { o.builder.Shutdown() }

// register stops at the first error; unregister takes back what was registered.
func (o *observables) register() error {
	for _, s := range o.sources() {
		err := s.register(func(_ context.Context, to otelmetric.Int64Observer) error {
			if h := o.last.Load(); h != nil {
				s.observe(h, to)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A source is one metric and where its values are.
type source struct {
	register func(otelmetric.Int64Callback) error
	observe  func(h *health, to otelmetric.Int64Observer)
}

func (o *observables) sources() []source {
	b := o.builder
	return []source{
		{b.RegisterNetconnBytesLostCallback, observeBytesLost},
		{b.RegisterNetconnConnectionsLostCallback, observeConnectionsLost},
		{b.RegisterNetconnOwnersUnresolvedCallback, observeUnresolved},
		{b.RegisterNetconnProgramAttachedCallback, observePrograms},
		{b.RegisterNetconnEventsDroppedCallback, observeEventsDropped},
		{b.RegisterNetconnRoutesCallback, observeRoutes},
		{b.RegisterNetconnConntrackAnswersCallback, observeAnswers},
		{b.RegisterNetconnConntrackSourceCallback, observeSource},
		{b.RegisterNetconnRoutesContestedCallback, one(func(h *health) uint64 { return h.Ends.Conflicts })},
		{b.RegisterNetconnConntrackDumpsCallback, one(func(h *health) uint64 { return h.Conntrack.Dumps })},
		{b.RegisterNetconnConntrackSearchesCallback, one(func(h *health) uint64 { return h.Conntrack.Searches })},
		{b.RegisterNetconnConntrackNamespacesCallback, one(func(h *health) int { return h.Conntrack.Namespaces })},
		{b.RegisterNetconnKubernetesAnswersCallback, observeClusterAnswers},
		{b.RegisterNetconnKubernetesConnectedCallback, observeWatches(watchConnected)},
		{b.RegisterNetconnKubernetesRequestFailuresCallback, observeRequestFailures},
		{b.RegisterNetconnKubernetesObjectsCallback, observeObjects},
		{b.RegisterNetconnKubernetesFetchesCallback, one(func(h *health) uint64 { return h.Cluster.Store.Fetches })},
		{b.RegisterNetconnKubernetesPodsRefusedCallback, one(func(h *health) uint64 { return h.Cluster.Store.PodsRefused })},
		{b.RegisterNetconnEventsCallback, one(func(h *health) uint64 { return h.emitted })},
		{b.RegisterNetconnConnectionsBeyondLimitCallback, one(func(h *health) uint64 { return h.Flows.Beyond })},
		{b.RegisterNetconnReportsDeferredCallback, one(func(h *health) uint64 { return h.Flows.Deferred })},
		{b.RegisterNetconnEndsUnpairedCallback, one(func(h *health) uint64 { return h.Ends.Refused })},
		{b.RegisterNetconnConnectionsCallback, one(func(h *health) int { return h.Flows.Connections })},
		{b.RegisterNetconnConnectionsPendingCallback, one(func(h *health) int { return h.Flows.Pending })},
		{b.RegisterNetconnConnectionsVanishedCallback, one(func(h *health) uint64 { return h.Flows.Lost })},
		{b.RegisterNetconnFlowsCallback, one(func(h *health) int { return h.Flows.Flows })},
		{b.RegisterNetconnFlowsOverflowCallback, one(func(h *health) int { return h.Flows.Overflow })},
		{b.RegisterNetconnLateReportsCallback, one(func(h *health) uint64 { return h.Flows.Late })},
		{b.RegisterNetconnListenersCallback, one(func(h *health) int { return h.Flows.Listeners })},
		{b.RegisterNetconnResourcesCallback, one(func(h *health) int { return h.Flows.Resources })},
		{b.RegisterNetconnRingRefusedCallback, one(func(h *health) uint64 { return h.Kernel.RingRefused })},
		{b.RegisterNetconnSnapshotResumedCallback, one(func(h *health) uint64 { return h.Kernel.SnapshotAgain })},
		{b.RegisterNetconnProgramsMissedCallback, one(func(h *health) uint64 { return h.Kernel.Missed })},
		{b.RegisterNetconnSocketsAdoptedCallback, one(func(h *health) uint64 { return h.Kernel.Adopted })},
		{b.RegisterNetconnSocketsMissedCallback, one(func(h *health) uint64 { return h.Kernel.EndedUntracked })},
		{b.RegisterNetconnSocketsTrackedCallback, one(func(h *health) uint64 { return h.Kernel.Tracked })},
		{b.RegisterNetconnSocketsUnownedCallback, one(func(h *health) uint64 { return h.Kernel.Unowned })},
		{b.RegisterNetconnStorageRefusedCallback, one(func(h *health) uint64 { return h.Kernel.StorageRefused })},
	}
}

func one[N int | uint64](value func(*health) N) func(*health, otelmetric.Int64Observer) {
	return func(h *health, to otelmetric.Int64Observer) { to.Observe(int64(value(h))) }
}

func observeBytesLost(h *health, to otelmetric.Int64Observer) {
	to.Observe(int64(h.Losses[conn.LostSent]), otelmetric.WithAttributes(semconv.NetworkIODirectionTransmit))
	to.Observe(int64(h.Losses[conn.LostReceived]), otelmetric.WithAttributes(semconv.NetworkIODirectionReceive))
}

func observeConnectionsLost(h *health, to otelmetric.Int64Observer) {
	end := func(v string) otelmetric.MeasurementOption {
		return otelmetric.WithAttributes(otelattribute.String("netconn.end", v))
	}
	to.Observe(int64(h.Losses[conn.LostOpenings]), end("opened"))
	to.Observe(int64(h.Losses[conn.LostFailures]), end("failed"))
	to.Observe(int64(h.Losses[conn.LostCloses]), end("closed"))
	to.Observe(int64(h.Losses[conn.LostKnown]), end("known"))
}

func observeEventsDropped(h *health, to otelmetric.Int64Observer) {
	limit := func(v string) otelmetric.MeasurementOption {
		return otelmetric.WithAttributes(otelattribute.String("netconn.limit", v))
	}
	to.Observe(int64(h.Events.Limited), limit("rate"))
	to.Observe(int64(h.Events.Full), limit("buffer"))
}

func observeUnresolved(h *health, to otelmetric.Int64Observer) {
	for r := owner.NoCgroup; r < owner.Reasons; r++ {
		to.Observe(int64(h.Owners.Unresolved[r]), otelmetric.WithAttributes(otelattribute.String("netconn.reason", r.String())))
	}
}

func observeRoutes(h *health, to otelmetric.Int64Observer) {
	for n, count := range h.Ends.Routes {
		to.Observe(int64(count), otelmetric.WithAttributes(otelattribute.String(names.NAT.Key(), conn.NAT(n).String())))
	}
}

func observeAnswers(h *health, to otelmetric.Int64Observer) {
	for r, count := range h.Conntrack.Answers {
		result := otelattribute.String("netconn.result", conntrack.Result(r).String())
		to.Observe(int64(count), otelmetric.WithAttributes(result))
	}
}

func observeSource(h *health, to otelmetric.Int64Observer) {
	source := otelattribute.String("netconn.source", h.Conntrack.Source.String())
	to.Observe(1, otelmetric.WithAttributes(source))
}

func observePrograms(h *health, to otelmetric.Int64Observer) {
	for _, p := range h.Kernel.Programs {
		attached := int64(0)
		if p.Err == nil {
			attached = 1
		}
		to.Observe(attached, otelmetric.WithAttributes(otelattribute.String("netconn.program", p.Name)))
	}
}
