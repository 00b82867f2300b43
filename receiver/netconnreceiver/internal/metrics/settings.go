package metrics

import (
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/attributes"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// setting is what a user can set of a metric.
type setting struct {
	enabled  bool
	strategy string
	set      attributes.Set
	keys     []string
}

// settings returns the setting of each metric by its name. The configuration has a struct type of its own for each
// metric, with the same fields, so that only reflection can treat them alike.
func settings(c metadata.MetricsConfig) map[string]setting {
	all := make(map[string]setting)
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		m := v.Field(i)
		keys := m.FieldByName("EnabledAttributes")
		s := setting{
			enabled:  m.FieldByName("Enabled").Bool(),
			strategy: m.FieldByName("AggregationStrategy").String(),
			keys:     make([]string, keys.Len()),
		}
		for k := range s.keys {
			s.keys[k] = keys.Index(k).String()
		}
		s.set = attributes.Of(s.keys)
		all[v.Type().Field(i).Tag.Get("mapstructure")] = s
	}
	return all
}

// DefaultConfig corrects what mdatagen proposes. Flows can only be added up: anything else would be wrong for
// histograms. Attributes that are opt-in elsewhere are the purpose of netconn.zone.io.
func DefaultConfig() metadata.MetricsBuilderConfig {
	c := metadata.NewDefaultMetricsBuilderConfig()
	c.Metrics.NetconnTCPRtt.AggregationStrategy = metadata.AggregationStrategySum
	c.Metrics.NetconnTCPJitter.AggregationStrategy = metadata.AggregationStrategySum
	c.Metrics.NetconnTCPHandshakeDuration.AggregationStrategy = metadata.AggregationStrategySum
	c.Metrics.NetconnDuration.AggregationStrategy = metadata.AggregationStrategySum
	c.Metrics.DNSLookupDuration.AggregationStrategy = metadata.AggregationStrategySum
	c.Metrics.NetconnZoneIo.EnabledAttributes = []metadata.NetconnZoneIoMetricAttributeKey{
		metadata.NetconnZoneIoMetricAttributeKeyNetworkIoDirection,
		metadata.NetconnZoneIoMetricAttributeKeyNetconnRole,
		metadata.NetconnZoneIoMetricAttributeKeyNetconnPeerZone,
		metadata.NetconnZoneIoMetricAttributeKeyNetconnPeerRegion,
	}
	return c
}

// Enable gives each metric the attributes of a set, in place of the attributes of flows that it has. It leaves out the
// metrics that explicit names. netconn.zone.io keeps its own attributes: they are its purpose.
func Enable(c *metadata.MetricsConfig, set attributes.Set, explicit func(metric string) bool) {
	all := settings(*c)
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("mapstructure")
		if name == names.ZoneIO || explicit(name) {
			continue
		}
		of := set
		if name == names.ListenDrops {
			of &= attributes.With(names.ServerPort, names.Transport) // a listener has no peer
		}
		switch {
		case name == names.Drops:
			of &= attributes.Drop
		case isLookup(name):
			of &= attributes.Lookup
		default:
			of &= attributes.Connection
		}
		keys := slices.DeleteFunc(all[name].keys, func(k string) bool { return attributes.Of([]string{k}) != 0 })
		setKeys(v.Field(i).FieldByName("EnabledAttributes"), append(keys, of.Keys()...))
	}
}

// isLookup reports whether a metric is one of DNS look-ups.
func isLookup(name string) bool {
	return slices.ContainsFunc(table[:], func(r row) bool { return r.name == name && r.looksUp() })
}

// setKeys replaces a list of keys. Each metric has a type of its own for them.
func setKeys(list reflect.Value, keys []string) {
	list.Set(reflect.MakeSlice(list.Type(), len(keys), len(keys)))
	for i, k := range keys {
		list.Index(i).SetString(k)
	}
}

// Validate returns one error for each setting that is wrong.
func Validate(c metadata.MetricsConfig) error {
	all := settings(c)
	var errs error
	for _, r := range table {
		if s := all[r.name].strategy; s != metadata.AggregationStrategySum {
			errs = errors.Join(errs, fmt.Errorf("metrics::%s::aggregation_strategy: must be %s, not %q",
				r.name, metadata.AggregationStrategySum, s))
		}
	}
	if !slices.ContainsFunc(table[:], func(r row) bool { return all[r.name].enabled }) {
		errs = errors.Join(errs, errors.New("metrics: at least one must be enabled"))
	}
	return errs
}
