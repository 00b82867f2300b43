//go:build linux

package e2e

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// A page is what Prometheus reads at one moment.
type page struct {
	at     time.Time          // of the newest point; zero: none has a time
	values map[string]float64 // by name and labels, as named writes them; of a histogram, its count
	types  map[string]string  // by name
}

// readPage returns an empty page while no server answers.
func readPage(t *testing.T, address string) page {
	t.Helper()
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return page{}
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("read the page at %s: %s", address, answer.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		t.Fatalf("read the page at %s: %v", address, err)
	}
	p := page{values: make(map[string]float64), types: make(map[string]string)}
	for name, family := range families {
		p.types[name] = strings.ToLower(family.GetType().String())
		for _, m := range family.GetMetric() {
			p.put(t, name, m)
		}
	}
	return p
}

func (p *page) put(t *testing.T, name string, m *dto.Metric) {
	t.Helper()
	var labels []string
	for _, l := range m.GetLabel() {
		// These are the same in all series of a page; the receiver is that of the configuration.
		if !strings.HasPrefix(l.GetName(), "otel_scope_") && !strings.HasPrefix(l.GetName(), "host_") &&
			(l.GetName() != "receiver" || l.GetValue() != "netconn") {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
	}
	if at := time.UnixMilli(m.GetTimestampMs()); m.TimestampMs != nil && at.After(p.at) {
		p.at = at
	}
	value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue() // one of them is there
	if h := m.GetHistogram(); h != nil {
		name, value = name+"_count", float64(h.GetSampleCount())
	}
	key := named(name, labels...)
	if _, twice := p.values[key]; twice {
		t.Fatalf("read the page: %s is there twice", key)
	}
	p.values[key] = value
}

// only returns the values of the series whose names begin with one of the prefixes.
func (p page) only(prefixes ...string) map[string]float64 {
	values := maps.Clone(p.values)
	maps.DeleteFunc(values, func(name string, _ float64) bool {
		for _, prefix := range prefixes {
			if strings.HasPrefix(name, prefix) {
				return false
			}
		}
		return true
	})
	return values
}
