package logs

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestKeysAreNoMetrics, because a backend that has one namespace for names holds one of both only. Where it nests
// names, one must not be above the other either.
func TestKeysAreNoMetrics(t *testing.T) {
	text, err := os.ReadFile("../../metadata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var declared struct {
		Metrics map[string]any
		Events  map[string]struct{ Attributes []string }
	}
	if err := yaml.Unmarshal(text, &declared); err != nil {
		t.Fatal(err)
	}
	for event, e := range declared.Events {
		for _, key := range e.Attributes {
			for metric := range declared.Metrics {
				if strings.HasPrefix(key+".", metric+".") || strings.HasPrefix(metric+".", key+".") {
					t.Errorf("%s: the key %s collides with the metric %s", event, key, metric)
				}
			}
		}
	}
	if len(declared.Events) == 0 || len(declared.Metrics) == 0 {
		t.Error("there are no events or no metrics")
	}
}
