package netmapextension

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/signals"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// noSignals returns an empty store.
func noSignals() *signals.Store { return signals.New(signals.Config{}) }

// reviewsOf is a flow from frontend to the container reviews, as the client reports it.
func reviewsOf() feedtest.Flow {
	return feedtest.Flow{
		Resource: feedtest.Attributes{
			"host.id": "h", "container.id": "c1", "k8s.pod.uid": "u1", "k8s.pod.name": "frontend-1",
			"k8s.namespace.name": "shop", "k8s.deployment.name": "frontend",
		},
		Point: feedtest.Attributes{
			"netconn.role": "client", "server.port": 9080, "netconn.peer.type": "pod", "netconn.peer.scope": "node",
			"netconn.peer.name": "reviews", "netconn.peer.k8s.namespace.name": "shop",
			"netconn.peer.k8s.workload.name": "reviews", "netconn.peer.container.id": "c2",
		},
		Tx: 10, Rx: 20,
	}
}

// Spans and logs of an end are answered for its edges, and for no others.
func TestSignalsOfAnEdge(t *testing.T) {
	s := serve(t)
	s.give(reviewsOf())
	now := pcommon.NewTimestampFromTime(time.Now())
	traces := ptrace.NewTraces()
	rs := traces.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("container.id", "c2")
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetName("GET /slow")
	span.SetKind(ptrace.SpanKindServer)
	span.SetStartTimestamp(now - 5e8)
	span.SetEndTimestamp(now)
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("container.id", "c2")
	record := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetTimestamp(now)
	record.SetSeverityNumber(plog.SeverityNumberError)
	record.Body().SetStr("no stock")
	before := s.ask(http.MethodGet, "/api/v1/signals").header.Get("ETag")
	if err := s.ConsumeTraces(t.Context(), traces); err != nil {
		t.Fatal(err)
	}
	if err := s.ConsumeLogs(t.Context(), logs); err != nil {
		t.Fatal(err)
	}
	got := s.signals("")
	if got.Server.Served.N != 1 || got.Server.Served.Slowest[0].Name != "GET /slow" || got.Server.Errors[0].Body != "no stock" {
		t.Errorf("server: %+v", got.Server)
	}
	if got.Client.Served.N != 0 || got.Client.Ends != 1 || got.Client.Sources != 0 {
		t.Errorf("client: %+v", got.Client)
	}
	if after := s.ask(http.MethodGet, "/api/v1/signals").header.Get("ETag"); after == before {
		t.Error("the ETag is that of before the span")
	}
	if none := s.signals("?filter=port%3D81"); none.Server.Ends != 0 || none.Server.Served.N != 0 {
		t.Errorf("without an edge: %+v", none.Server)
	}
	if one := s.signals("?of=client"); one.Server != nil || one.Client == nil {
		t.Errorf("of=client: %+v", one)
	}
}

func (s *served) signals(query string) (a signals.Answer) {
	s.t.Helper()
	r := s.ask(http.MethodGet, "/api/v1/signals"+query)
	if r.status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", query, r.status, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), &a); err != nil {
		s.t.Fatalf("%v: %s", err, r.body)
	}
	return a
}

func TestSignalsParameters(t *testing.T) {
	s := serve(t)
	for _, query := range []string{"of=both%20", "of=", "unknown=1", "filter=%22", "window=1"} {
		if r := s.ask(http.MethodGet, "/api/v1/signals?"+query); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	if r := s.ask(http.MethodGet, "/api/v1/status"); !strings.Contains(r.body, `"signals":{"points":0`) {
		t.Errorf("the status is %s", r.body)
	}
}

// The rows of a table have the load of their ends if that is asked for, and are answered anew when it changes.
func TestLoadOfRows(t *testing.T) {
	s := serve(t)
	s.give(reviewsOf())
	const target = "/api/v1/flows?load=true&spark=none"
	ask := func(target string) (answer struct {
		ClientLoad []*snap.Load `json:"client_load"`
		ServerLoad []*snap.Load `json:"server_load"`
	}) {
		t.Helper()
		if err := json.Unmarshal([]byte(s.ask(http.MethodGet, target).body), &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	before := s.ask(http.MethodGet, target).header.Get("ETag")
	metrics := pmetric.NewMetrics()
	rm := metrics.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("container.id", "c2")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("container.cpu.usage")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	p.SetDoubleValue(.25)
	if err := s.ConsumeMetrics(t.Context(), metrics); err != nil {
		t.Fatal(err)
	}
	got := ask(target)
	if diff := cmp.Diff([]*snap.Load{nil}, got.ClientLoad); diff != "" {
		t.Errorf("the client (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]*snap.Load{{Resources: 1, CPU: new(.25)}}, got.ServerLoad); diff != "" {
		t.Errorf("the server (-want +got):\n%s", diff)
	}
	if after := s.ask(http.MethodGet, target).header.Get("ETag"); after == before {
		t.Error("the ETag is that of before the usage")
	}
	if plain := ask("/api/v1/flows?spark=none"); plain.ClientLoad != nil || plain.ServerLoad != nil {
		t.Errorf("without load: %+v", plain)
	}
}
