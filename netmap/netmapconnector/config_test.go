package netmapconnector

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"

	"github.com/netconn/netconn/internal/names"
)

// Each key that is wrong is named, with what is right.
func TestConfigThatIsRefused(t *testing.T) {
	for want, change := range map[string]map[string]any{
		"":                                 {},
		"interval: must be from 1s to 1h":  {"interval": 60},
		"expiry: must be from 1m0s":        {"expiry": "0s"},
		"max_edges: must be from 1":        {"max_edges": 0},
		"max_flows: must be from 1":        {"max_flows": 20_000_000},
		`tags: "colour" is not a tag`:      {"tags": []any{"zone", "colour"}},
		`tags: "pod" is not a tag`:         {"tags": []any{"pod"}},
		`tags: "address" is not a tag`:     {"tags": []any{"address"}},
		"rtt_buckets: there must be 1":     {"rtt_buckets": []any{}},
		"rtt_buckets: must ascend":         {"rtt_buckets": []any{"1ms", "1ms"}},
		"rtt_buckets: must ascend, from a": {"rtt_buckets": []any{"0s"}},
	} {
		c := createDefaultConfig()
		if err := confmap.NewFromStringMap(change).Unmarshal(c); err != nil {
			t.Fatal(err)
		}
		switch err := confmap.Validate(c); {
		case want == "" && err != nil:
			t.Errorf("the defaults are refused: %v", err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%v: %v, want %q", change, err, want)
		}
	}
}

// The tags are those of the map's API, without what makes a pod of a workload.
func TestTagsOfEdges(t *testing.T) {
	all := allowed()
	for _, name := range []string{"service", "zone", "region", "image.tag", "node", "cluster", "workload.kind", "container"} {
		c := Config{Tags: []string{name}}
		tags, err := c.tags()
		if err != nil || len(tags) != 1 || tags[0].String() != name {
			t.Errorf("%s: %v, %v", name, tags, err)
		}
	}
	if want := int(names.Tags) - len(refused); len(all) != want {
		t.Errorf("%d tags are allowed, want %d: %v", len(all), want, all)
	}
}

func TestBoundsAreSeconds(t *testing.T) {
	c := Config{RTTBuckets: []time.Duration{300 * time.Microsecond, time.Second}}
	if b := c.bounds(); len(b) != 2 || b[0] != 0.0003 || b[1] != 1 {
		t.Errorf("%v", b)
	}
}

// A tag that is refused does not make a connector.
func TestCreateChecksTags(t *testing.T) {
	c := createDefaultConfig().(*Config)
	c.Tags = []string{"pod.uid"}
	if _, err := create(t.Context(), settings(), component.Config(c), nil); err == nil {
		t.Error("a connector with the tag pod.uid was made")
	}
}

// A duration without a unit is nanoseconds to the Collector, and is refused with what is missing.
func TestDurationsWithoutAUnit(t *testing.T) {
	for _, key := range []string{"interval", "expiry"} {
		c := createDefaultConfig()
		if err := confmap.NewFromStringMap(map[string]any{key: 600}).Unmarshal(c); err != nil {
			t.Fatal(err)
		}
		if err := confmap.Validate(c); err == nil || !strings.Contains(err.Error(), key+": must be") {
			t.Errorf("%s: 600 is accepted: %v", key, err)
		}
	}
}
