package telemetry

import (
	otelattribute "go.opentelemetry.io/otel/attribute"
	otelmetric "go.opentelemetry.io/otel/metric"
)

func ofKind(kind string) otelmetric.MeasurementOption {
	return otelmetric.WithAttributes(otelattribute.String("netconn.kind", kind))
}

// observeConnected observes each watch; none if there is no cluster.
func observeConnected(h *health, to otelmetric.Int64Observer) {
	for _, w := range h.Cluster.Watches {
		connected := int64(0)
		if w.Synced && w.Err == nil {
			connected = 1
		}
		to.Observe(connected, ofKind(w.Kind))
	}
}

func observeRequestFailures(h *health, to otelmetric.Int64Observer) {
	if len(h.Cluster.Watches) == 0 {
		return
	}
	for _, w := range h.Cluster.Watches {
		to.Observe(int64(w.Failures), ofKind(w.Kind))
	}
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
	for name, n := range h.ClusterAnswers() {
		to.Observe(int64(n), answer(name))
	}
	to.Observe(int64(h.Cluster.Store.Ambiguous), answer("ambiguous"))
}
