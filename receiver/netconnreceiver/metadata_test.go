package netconnreceiver

import (
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.yaml.in/yaml/v3"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/pipeline"
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

// TestMetadata holds what is emitted for a flow of which everything is known against metadata.yaml, of which users read the
// documentation: names, units, kinds, attributes, and what is on by default.
func TestMetadata(t *testing.T) {
	var want struct{ Metrics map[string]declared }
	readMetadata(t, &want)
	got := make(map[string]declared)
	for _, m := range metrics(createDefaultConfig().(*Config).Metrics) {
		got[m.name] = emitted(t, m)
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
	text, err := os.ReadFile("metadata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, to); err != nil {
		t.Fatal(err)
	}
}

// TestMetadataOfEvents does so for the events of connections of which everything is known.
func TestMetadataOfEvents(t *testing.T) {
	var want struct {
		Attributes map[string]struct{ Type string }
		Events     map[string]struct{ Attributes []string }
	}
	readMetadata(t, &want)
	attributes := make(map[string]map[string]string)
	for name, e := range want.Events {
		attributes[name] = make(map[string]string)
		for _, key := range e.Attributes {
			attributes[name][key] = want.Attributes[key].Type
		}
	}
	got := make(map[string]map[string]string)
	for _, phase := range []conn.Phase{conn.Closed, conn.Failed} {
		e := knownEvent(phase)
		lr := plog.NewLogRecord()
		e.write(lr)
		got[lr.EventName()] = make(map[string]string)
		for key, v := range lr.Attributes().All() {
			got[lr.EventName()][key] = map[pcommon.ValueType]string{
				pcommon.ValueTypeStr: "string", pcommon.ValueTypeInt: "int", pcommon.ValueTypeDouble: "double",
			}[v.Type()]
		}
	}
	if diff := cmp.Diff(attributes, got); diff != "" {
		t.Errorf("(-metadata.yaml +emitted):\n%s", diff)
	}
}

func knownEvent(p conn.Phase) event {
	k := knownKey()
	return event{
		Conn: conn.Conn{
			Socket: conn.Socket{
				Tuple: conn.Tuple{Source: k.Local, Destination: k.Remote}, Role: conn.RoleClient,
				Phase: p, Error: conn.Reset,
			},
			Timing: conn.Timing{Handshake: 1, Age: 1, RTT: 1},
		},
		Identity: pipeline.Identity{
			Peer: k.Peer, NAT: k.NAT, Original: k.Original, Zone: k.Zone, Server: k.Remote, Client: k.Local, Port: k.ServerPort,
		},
	}
}

// TestMetadataOfDeltas has delta temporality for all but netconn.active, which is not monotonic.
func TestMetadataOfDeltas(t *testing.T) {
	c := createDefaultConfig().(*Config)
	c.Temporality = TemporalityDelta
	var cumulative []string
	for _, m := range newRecord(c, "test", at(0)).metrics {
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
	m.enabled, m.set, m.keys = true, 1<<attributes-1, append(m.keys, m.own)
	if m.listens || m.name == "netconn.zone.io" { // the others have all
		m.set = setOf(m.keys)
	}
	r := &record{bounds: []float64{1}}
	all := pmetric.NewMetricSlice()
	r.writeMetric(&m, []*flow.Flow{knownFlow()}, 0, all)
	if all.Len() != 1 {
		t.Fatalf("%s: got %d metrics for a flow of which everything is known", m.name, all.Len())
	}
	pm := all.At(0)
	keys := make(map[string]bool)
	switch pm.Type() {
	case pmetric.MetricTypeSum:
		d.Sum = &declaredSum{"int", pm.Sum().IsMonotonic(), temporality(pm.Sum().AggregationTemporality())}
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

func knownFlow() *flow.Flow {
	f := &flow.Flow{Key: knownKey(), Connections: true, Listens: true, ListenDrops: 1}
	for c := range f.Counts {
		f.Counts[c] = 1
	}
	for m := range f.Histograms {
		f.Histograms[m] = flow.Histogram{Counts: []uint64{1, 0}, Count: 1}
	}
	f.Outcomes[flow.Attempts][conn.Refused], f.Outcomes[flow.Ends][conn.Reset] = 1, 1
	return f
}
