// Package telemetry is the receiver's own metrics, which the Collector has beside its own.
//
// In: the health of a pipeline, after each collection. Out: the observable instruments of metadata.yaml. The Collector
// reads them at any time and must not wait for a collection, so they show what the last one saw, and nothing before the
// first. Every value has the attribute receiver, the component ID, as the Collector's own metrics of receivers: two
// receivers of one collector would otherwise be one series. All methods are safe for concurrent use.
package telemetry

import (
	"context"
	"iter"
	"sync/atomic"

	"go.opentelemetry.io/collector/component"
	otelattribute "go.opentelemetry.io/otel/attribute"
	otelmetric "go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// health is how the receiver was at a collection.
type health struct {
	pipeline.Health
	sent Sent
}

// Sent counts what was sent since the start, and what was refused.
type Sent struct {
	Events        uint64 // that were accepted
	Metrics, Logs uint64 // messages that were refused
}

// Telemetry holds the instruments of one receiver.
type Telemetry struct {
	builder  *metadata.TelemetryBuilder
	receiver otelmetric.MeasurementOption
	last     atomic.Pointer[health] // nil before the first collection
}

// New returns instruments of a receiver that are not registered yet.
func New(set component.TelemetrySettings, receiver component.ID) (*Telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	id := otelmetric.WithAttributeSet(otelattribute.NewSet(otelattribute.Stringer("receiver", receiver)))
	return &Telemetry{builder: b, receiver: id}, err
}

// An identified observer adds the receiver to the attributes of each value.
type identified struct {
	otelmetric.Int64Observer
	receiver otelmetric.MeasurementOption
}

func (o identified) Observe(value int64, options ...otelmetric.ObserveOption) {
	o.Int64Observer.Observe(value, append(options, o.receiver)...)
}

// Set has the instruments show a collection.
func (t *Telemetry) Set(h pipeline.Health, s Sent) { t.last.Store(&health{h, s}) }

// Unregister may be called twice, and without Register.
func (t *Telemetry) Unregister() { t.builder.Shutdown() }

// Register stops at the first error; Unregister takes back what was registered.
func (t *Telemetry) Register() error {
	for _, i := range t.instruments() {
		err := i.register(func(_ context.Context, to otelmetric.Int64Observer) error {
			if h := t.last.Load(); h != nil {
				i.observe(h, identified{to, t.receiver})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// An instrument is one metric, and how its values are read.
type instrument struct {
	register func(otelmetric.Int64Callback) error
	observe  func(h *health, to otelmetric.Int64Observer)
}

func (t *Telemetry) instruments() []instrument {
	b := t.builder
	return append(t.ofPackets(), []instrument{
		{b.RegisterNetconnBytesLostCallback, observeBytesLost},
		{b.RegisterNetconnConnectionsLostCallback, observeConnectionsLost},
		{b.RegisterNetconnOwnersUnresolvedCallback, observeNamed("netconn.reason",
			(*pipeline.Health).OwnersUnresolved)},
		{b.RegisterNetconnProgramAttachedCallback, observePrograms},
		{b.RegisterNetconnMessagesRefusedCallback, observeRefused},
		{b.RegisterNetconnEventsDroppedCallback, observeEventsDropped},
		{b.RegisterNetconnRoutesCallback, observeNamed(names.NAT.Key(), (*pipeline.Health).Routes)},
		{b.RegisterNetconnConntrackAnswersCallback, observeNamed("netconn.result",
			(*pipeline.Health).ConntrackAnswers)},
		{b.RegisterNetconnConntrackSourceCallback, observeSource},
		{b.RegisterNetconnRoutesContestedCallback, one(func(h *health) uint64 { return h.Ends.Conflicts })},
		{b.RegisterNetconnConntrackDumpsCallback, one(func(h *health) uint64 { return h.Conntrack.Dumps })},
		{b.RegisterNetconnConntrackSearchesCallback, one(func(h *health) uint64 { return h.Conntrack.Searches })},
		{b.RegisterNetconnConntrackNamespacesCallback, one(func(h *health) int { return h.Conntrack.Namespaces })},
		{b.RegisterNetconnKubernetesAnswersCallback, observeClusterAnswers},
		{b.RegisterNetconnKubernetesConnectedCallback, observeConnected},
		{b.RegisterNetconnKubernetesRequestFailuresCallback, observeRequestFailures},
		{b.RegisterNetconnKubernetesObjectsCallback, observeObjects},
		{b.RegisterNetconnKubernetesFetchesCallback, one(func(h *health) uint64 { return h.Cluster.Store.Fetches })},
		{b.RegisterNetconnKubernetesPodsContradictedCallback, one(func(h *health) uint64 { return h.Contradicted })},
		{b.RegisterNetconnKubernetesPodsRefusedCallback,
			one(func(h *health) uint64 { return h.Cluster.Store.PodsRefused })},
		{b.RegisterNetconnEventsCallback, one(func(h *health) uint64 { return h.sent.Events })},
		{b.RegisterNetconnConnectionsBeyondLimitCallback, observeBeyond},
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
		{b.RegisterNetconnRingRefusedCallback, one(func(h *health) uint64 {
			return h.Kernel.RingRefused + h.Kernel.FailedRefused + h.UDP.RingRefused
		})},
		{b.RegisterNetconnSnapshotResumedCallback, one(func(h *health) uint64 { return h.Kernel.SnapshotAgain })},
		{b.RegisterNetconnProgramsMissedCallback, one(func(h *health) uint64 {
			return h.Kernel.Missed + h.Drops.Missed
		})},
		{b.RegisterNetconnSocketsAdoptedCallback, one(func(h *health) uint64 { return h.Kernel.Adopted })},
		{b.RegisterNetconnSocketsMissedCallback, one(func(h *health) uint64 { return h.Kernel.EndedUntracked })},
		{b.RegisterNetconnSocketsNoRoomCallback, one(func(h *health) uint64 { return h.Kernel.NoRoom })},
		{b.RegisterNetconnSocketsTrackedCallback, one(func(h *health) uint64 { return h.Kernel.Tracked })},
		{b.RegisterNetconnSocketsUnownedCallback, one(func(h *health) uint64 { return h.Kernel.Unowned })},
		{b.RegisterNetconnStorageRefusedCallback, one(func(h *health) uint64 {
			return h.Kernel.StorageRefused + h.UDP.StorageRefused
		})},
	}...)
}

// ofPackets are the instruments of what follows packets: DNS, UDP and drops.
func (t *Telemetry) ofPackets() []instrument {
	b := t.builder
	return []instrument{
		{b.RegisterNetconnDNSCgroupsCallback, one(func(h *health) int { return h.DNS.Cgroups })},
		{b.RegisterNetconnDNSCgroupsRefusedCallback, one(func(h *health) uint64 { return h.DNS.NotAttached })},
		{b.RegisterNetconnDNSLostCallback, one(func(h *health) uint64 { return h.DNS.Lost })},
		{b.RegisterNetconnDNSQueriesRefusedCallback, one(func(h *health) uint64 { return h.DNS.QueriesRefused })},
		{b.RegisterNetconnDNSNamesCallback, one(func(h *health) int { return h.Domains.Known })},
		{b.RegisterNetconnDNSNamesEvictedCallback, one(func(h *health) uint64 { return h.Domains.Evicted })},
		{b.RegisterNetconnDNSNamesFullCallback, one(func(h *health) int { return h.Domains.Full })},
		{b.RegisterNetconnDNSMalformedCallback, one(func(h *health) uint64 { return h.DNS.Malformed })},
		{b.RegisterNetconnDNSUnreadableCallback, one(func(h *health) uint64 { return h.DNS.Unreadable })},
		{b.RegisterNetconnDropsExcludedCallback, observeNamed(names.DropKey, (*pipeline.Health).DropsExcluded)},
		{b.RegisterNetconnUDPCgroupsCallback, one(func(h *health) int { return h.UDP.Cgroups })},
		{b.RegisterNetconnUDPCgroupsRefusedCallback, one(func(h *health) uint64 { return h.UDP.NotAttached })},
		{b.RegisterNetconnUDPExchangesCallback, one(func(h *health) int { return h.UDP.Exchanges })},
		{b.RegisterNetconnUDPOverflowCallback, one(func(h *health) uint64 { return h.UDP.Rest })},
		{b.RegisterNetconnUDPUnparsedCallback, one(func(h *health) uint64 { return h.UDP.Unparsed })},
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

func observeBeyond(h *health, to otelmetric.Int64Observer) {
	observe := func(n uint64, cause flow.Cause, resource string) {
		to.Observe(int64(n), otelmetric.WithAttributes(
			otelattribute.String("netconn.cause", cause.String()), otelattribute.String("netconn.resource", resource)))
	}
	for _, f := range h.Flows.Full {
		observe(f.Beyond, flow.ByResource, pipeline.Describe(f.Owner))
	}
	observe(h.Flows.Beyond[flow.ByResources], flow.ByResources, "")
	observe(h.Flows.Beyond[flow.ByConnections], flow.ByConnections, "")
	observe(h.Flows.Beyond[flow.ByPeers], flow.ByPeers, "")
}

func observeRefused(h *health, to otelmetric.Int64Observer) {
	signal := func(v string) otelmetric.MeasurementOption {
		return otelmetric.WithAttributes(otelattribute.String("netconn.signal", v))
	}
	to.Observe(int64(h.sent.Metrics), signal("metrics"))
	to.Observe(int64(h.sent.Logs), signal("logs"))
}

func observeEventsDropped(h *health, to otelmetric.Int64Observer) {
	limit := func(v string) otelmetric.MeasurementOption {
		return otelmetric.WithAttributes(otelattribute.String("netconn.limit", v))
	}
	to.Observe(int64(h.Events.Limited), limit("rate"))
	to.Observe(int64(h.Events.Full), limit("buffer"))
}

// observeNamed observes each count with its name as an attribute.
func observeNamed(
	key string, counts func(*pipeline.Health) iter.Seq2[string, uint64],
) func(*health, otelmetric.Int64Observer) {
	return func(h *health, to otelmetric.Int64Observer) {
		for name, n := range counts(&h.Health) {
			to.Observe(int64(n), otelmetric.WithAttributes(otelattribute.String(key, name)))
		}
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
