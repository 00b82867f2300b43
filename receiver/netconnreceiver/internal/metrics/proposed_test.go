package metrics

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/resources"
)

// roles is a message with a flow for each role: each has one connection, and two attempts that no network took.
func roles(t *testing.T) pmetric.Metrics {
	t.Helper()
	settings := DefaultConfig().Metrics
	settings.NetconnDuration.Enabled = true
	w := New(Options{
		Metrics: settings, Resources: resources.New(metadata.DefaultResourceAttributesConfig()), Bounds: flow.SameBounds([]float64{1}), Start: at(0),
	})
	var flows []*flow.Flow
	for _, role := range []conn.Role{conn.RoleClient, conn.RoleServer, conn.RoleUnknown} {
		f := numbered()
		f.Key.Role = role
		f.Outcomes = flow.OutcomeCounts{}
		f.Outcomes[flow.Attempts][conn.NoError], f.Outcomes[flow.Attempts][conn.NetworkUnreachable] = 1, 2
		flows = append(flows, f)
	}
	return w.Write([]flow.Resource{{Flows: flows}}, at(10))
}

func metricNamed(md pmetric.Metrics, name string) (found pmetric.Metric, n int) {
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				if m.Name() == name {
					found, n = m, n+1
				}
			}
		}
	}
	return found, n
}

func TestPropose(t *testing.T) {
	before, md := roles(t), roles(t)
	Propose(md)
	for own, name := range proposed {
		old, _ := metricNamed(before, own)
		if kept, n := metricNamed(md, own); n != 1 || !cmp.Equal(pointsOf(old), pointsOf(kept)) {
			t.Errorf("%s is there %d times, with %q", own, n, pointsOf(kept))
		}
		m, n := metricNamed(md, name)
		if n != 1 || m.Type() != old.Type() || m.Unit() != old.Unit() || m.Description() != old.Description() {
			t.Errorf("%s is there %d times: %v, unit %q", name, n, m.Type(), m.Unit())
		}
		if lengthOf(m) != lengthOf(old) || lengthOf(m) < 3 {
			t.Errorf("%s has %d points, and %s %d", name, lengthOf(m), own, lengthOf(old))
		}
	}
	if before.MetricCount()+len(proposed) != md.MetricCount() {
		t.Errorf("%d metrics became %d", before.MetricCount(), md.MetricCount())
	}
}

// The page that users read names each pair.
func TestProposedNamesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/conventions.md")
	if err != nil {
		t.Fatal(err)
	}
	for own, name := range proposed {
		if !strings.Contains(string(page), "\n| `"+own+"` | `"+name+"` |") {
			t.Errorf("docs/conventions.md does not have %s beside %s", own, name)
		}
	}
}

// The proposal knows two roles, and shortens one error.
func TestProposedAttributes(t *testing.T) {
	md := roles(t)
	Propose(md)
	m, _ := metricNamed(md, proposed[names.Attempts])
	got := map[string]int64{}
	for _, p := range m.Sum().DataPoints().All() {
		if _, ok := p.Attributes().Get(names.Role.Key()); ok {
			t.Error("a point has netconn's own role")
		}
		got[textOf(p.Attributes(), handshakeRole)+" "+textOf(p.Attributes(), names.ErrorType)] = p.IntValue()
	}
	want := map[string]int64{
		"client ": 1, "server ": 1, " ": 1, "client net_unreachable": 2, "server net_unreachable": 2, " net_unreachable": 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	h, _ := metricNamed(md, proposed[names.RTT])
	for i, want := range []string{"client", "server", ""} {
		if got := textOf(h.Histogram().DataPoints().At(i).Attributes(), handshakeRole); got != want {
			t.Errorf("the role of a round-trip time is %q, not %q", got, want)
		}
	}
}

func lengthOf(m pmetric.Metric) int {
	if m.Type() == pmetric.MetricTypeHistogram {
		return m.Histogram().DataPoints().Len()
	}
	return m.Sum().DataPoints().Len()
}

func textOf(attributes pcommon.Map, key string) string {
	v, ok := attributes.Get(key)
	if !ok {
		return ""
	}
	return v.Str()
}
