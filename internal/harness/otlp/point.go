package otlp

import (
	"fmt"
	"math"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// A Point is a data point of a sum, with the attributes of its resource. Attributes are text.
type Point struct {
	Resource    map[string]string
	Metric      string
	Attributes  map[string]string
	Start, Time time.Time
	Value       int64 // of a metric in seconds: milliseconds
}

// Points returns the points of all sums in an export, in their order. A value that is not an integer is an error, but
// for metrics in seconds. The points of one resource share its map.
func Points(md pmetric.Metrics) (all []Point, err error) {
	for _, rm := range md.ResourceMetrics().All() {
		resource := Text(rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if all, err = appendPoints(all, resource, m); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

func appendPoints(all []Point, resource map[string]string, m pmetric.Metric) ([]Point, error) {
	if m.Type() != pmetric.MetricTypeSum {
		return all, nil
	}
	for _, p := range m.Sum().DataPoints().All() {
		value := p.IntValue()
		switch {
		case m.Unit() == "s":
			value = int64(math.Round(p.DoubleValue() * 1000))
		case p.ValueType() != pmetric.NumberDataPointValueTypeInt:
			return nil, fmt.Errorf("read %s: a value is %s", m.Name(), p.ValueType())
		}
		all = append(all, Point{
			Resource: resource, Metric: m.Name(), Attributes: Text(p.Attributes()),
			Start: p.StartTimestamp().AsTime(), Time: p.Timestamp().AsTime(), Value: value,
		})
	}
	return all, nil
}

// Text returns attributes as text.
func Text(attributes pcommon.Map) map[string]string {
	text := make(map[string]string, attributes.Len())
	for key, value := range attributes.All() {
		text[key] = value.AsString()
	}
	return text
}
