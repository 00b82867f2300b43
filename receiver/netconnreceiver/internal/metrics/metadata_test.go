package metrics

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.yaml.in/yaml/v3"

	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/attributes"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/flowtest"
)

// declared is a metric as metadata.yaml has it, and as it comes out of the receiver.
type declared struct {
	Enabled     bool
	Description string
	Unit        string
	Sum         *declaredSum
	Histogram   *declaredHistogram
	Attributes  []string
}

type declaredSum struct {
	ValueType   string `yaml:"value_type"`
	Monotonic   bool
	Temporality string `yaml:"aggregation_temporality"`
}

type declaredHistogram struct {
	ValueType   string `yaml:"value_type"`
	Temporality string `yaml:"aggregation_temporality"`
}

// TestMetadata compares the metrics of a flow that has counted everything with metadata.yaml, the source of the
// documentation: names, units, kinds, attributes, and defaults.
func TestMetadata(t *testing.T) {
	var want struct{ Metrics map[string]declared }
	readMetadata(t, &want)
	got := make(map[string]declared)
	all := settings(DefaultConfig().Metrics)
	for _, r := range table {
		got[r.name] = emitted(t, configured(r, all[r.name], false))
	}
	for _, w := range want.Metrics {
		slices.Sort(w.Attributes)
	}
	if diff := cmp.Diff(want.Metrics, got); diff != "" {
		t.Errorf("(-metadata.yaml +emitted):\n%s", diff)
	}
}

func readMetadata(t *testing.T, to any) {
	t.Helper()
	text, err := os.ReadFile("../../metadata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, to); err != nil {
		t.Fatal(err)
	}
}

// TestMetadataOfDeltas has delta temporality for all but netconn.active, which is not monotonic.
func TestMetadataOfDeltas(t *testing.T) {
	all := settings(DefaultConfig().Metrics)
	var cumulative []string
	for _, r := range table {
		m := configured(r, all[r.name], true)
		d := emitted(t, m)
		got := ""
		switch {
		case d.Sum != nil:
			got = d.Sum.Temporality
		case d.Histogram != nil:
			got = d.Histogram.Temporality
		}
		if got == "cumulative" {
			cumulative = append(cumulative, m.name)
		} else if got != "delta" {
			t.Errorf("%s: temporality %q", m.name, got)
		}
	}
	if diff := cmp.Diff([]string{"netconn.active"}, cumulative); diff != "" {
		t.Errorf("cumulative (-want +got):\n%s", diff)
	}
}

// emitted returns how a metric looks, with all attributes on.
func emitted(t *testing.T, m metric) declared {
	t.Helper()
	d := declared{Enabled: m.enabled, Description: m.description, Unit: m.unit}
	m.own = m.row.own()
	switch {
	case m.kind == drops:
		m.set = attributes.With(names.ServerPort, names.Transport)
	case m.kind == discarded:
		m.set = attributes.Drop
	case m.name == names.ZoneIO:
		m.set |= attributes.With(names.Transport) // of UDP
	default:
		m.set = attributes.Connection
	}
	if m.view.lookups {
		m.set = attributes.Lookup
	}
	w := &Writer{options: Options{Bounds: flow.SameBounds([]float64{1})}, metrics: []metric{m}}
	w.group(0)
	f := flowtest.Flow()
	f.Key.UDP = m.of == udpOnly
	all := writeOne(w, f, time.Time{})
	if all.Len() != 1 {
		t.Fatalf("%s: got %d metrics for a flow that has counted everything", m.name, all.Len())
	}
	pm := all.At(0)
	keys := make(map[string]bool)
	switch pm.Type() {
	case pmetric.MetricTypeSum:
		d.Sum = &declaredSum{valueType(pm.Sum().DataPoints().At(0)), pm.Sum().IsMonotonic(), temporality(pm.Sum().AggregationTemporality())}
		for i := range pm.Sum().DataPoints().Len() {
			addKeys(keys, pm.Sum().DataPoints().At(i).Attributes())
		}
	case pmetric.MetricTypeHistogram:
		d.Histogram = &declaredHistogram{"double", temporality(pm.Histogram().AggregationTemporality())}
		addKeys(keys, pm.Histogram().DataPoints().At(0).Attributes())
	}
	for k := range keys {
		d.Attributes = append(d.Attributes, k)
	}
	slices.Sort(d.Attributes)
	return d
}

func temporality(t pmetric.AggregationTemporality) string {
	return map[pmetric.AggregationTemporality]string{
		pmetric.AggregationTemporalityCumulative: "cumulative", pmetric.AggregationTemporalityDelta: "delta",
	}[t]
}

func addKeys(keys map[string]bool, m pcommon.Map) {
	for k := range m.All() {
		keys[k] = true
	}
}

// valueType returns the type of a number as metadata.yaml has it.
func valueType(p pmetric.NumberDataPoint) string {
	if p.ValueType() == pmetric.NumberDataPointValueTypeDouble {
		return "double"
	}
	return "int"
}
