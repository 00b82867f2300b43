package netconnreceiver

import (
	otelattribute "go.opentelemetry.io/otel/attribute"
	otelmetric "go.opentelemetry.io/otel/metric"

	"github.com/netconn/netconn/internal/kubernetes"
)

func ofKind(kind string) otelmetric.MeasurementOption {
	return otelmetric.WithAttributes(otelattribute.String("netconn.kind", kind))
}

// observeWatches tells a value of each watch; none where there is no cluster.
func observeWatches(value func(kubernetes.WatchHealth) int64) func(*health, otelmetric.Int64Observer) {
	return func(h *health, to otelmetric.Int64Observer) {
		for _, w := range h.Cluster.Watches {
			to.Observe(value(w), ofKind(w.Kind))
		}
	}
}

func watchConnected(w kubernetes.WatchHealth) int64 {
	if w.Synced && w.Err == nil {
		return 1
	}
	return 0
}

func observeRequestFailures(h *health, to otelmetric.Int64Observer) {
	if len(h.Cluster.Watches) == 0 {
		return
	}
	observeWatches(func(w kubernetes.WatchHealth) int64 { return int64(w.Failures) })(h, to)
	to.Observe(int64(h.Cluster.Store.FetchFailures), ofKind("object"))
}

func observeObjects(h *health, to otelmetric.Int64Observer) {
	if len(h.Cluster.Watches) == 0 {
		return
	}
	s := h.Cluster.Store
	to.Observe(int64(s.Pods), ofKind("pods"))
	to.Observe(int64(s.Ended), ofKind("ended"))
	to.Observe(int64(s.Services), ofKind("services"))
	to.Observe(int64(s.Nodes), ofKind("nodes"))
	to.Observe(int64(s.Slices), ofKind("endpointslices"))
}

func observeClusterAnswers(h *health, to otelmetric.Int64Observer) {
	if len(h.Cluster.Watches) == 0 {
		return
	}
	answer := func(v string) otelmetric.MeasurementOption {
		return otelmetric.WithAttributes(otelattribute.String("netconn.answer", v))
	}
	for a, n := range h.Cluster.Store.Answers {
		to.Observe(int64(n), answer(kubernetes.Answer(a).String()))
	}
	to.Observe(int64(h.Cluster.Store.Ambiguous), answer("ambiguous"))
}
