package netmapexporter

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/netmapexporter/internal/metadata"
	netmapextension "github.com/netconn/netconn/netmap/netmapextension"
)

type hostOf struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h hostOf) GetExtensions() map[component.ID]component.Component { return h.extensions }

func host(extensions map[component.ID]component.Component) component.Host {
	return hostOf{componenttest.NewNopHost(), extensions}
}

func newExporter(t *testing.T, extension string) exporter.Metrics {
	t.Helper()
	c := createDefaultConfig()
	if extension != "" {
		if err := confmap.NewFromStringMap(map[string]any{"extension": extension}).Unmarshal(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := confmap.Validate(c); err != nil {
		t.Fatal(err)
	}
	e, err := NewFactory().CreateMetrics(t.Context(), exportertest.NewNopSettings(metadata.Type), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestWithoutTheExtensionItDoesNotStart(t *testing.T) {
	for name, extensions := range map[string]map[component.ID]component.Component{
		"none": nil, "another": {component.MustNewID("zpages"): nil}, "another netmap": {component.MustNewIDWithName("netmap", "b"): nil},
	} {
		err := newExporter(t, "").Start(t.Context(), host(extensions))
		want := `there is no extension "netmap" for the exporter to give signals to: configure it under extensions, and name it in service::extensions`
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestAnExtensionThatIsNotTheMap(t *testing.T) {
	not := map[component.ID]component.Component{component.MustNewID("netmap"): struct{ component.Component }{}}
	if err := newExporter(t, "").Start(t.Context(), host(not)); err == nil || err.Error() != `the extension "netmap" is not the network map` {
		t.Errorf("got %v", err)
	}
}

func TestConfigFaults(t *testing.T) {
	for extension, want := range map[string]string{"zpages": `extension: must be netmap or netmap/name, not "zpages"`} {
		c := createDefaultConfig()
		if err := confmap.NewFromStringMap(map[string]any{"extension": extension}).Unmarshal(c); err != nil {
			t.Fatal(err)
		}
		if err := confmap.Validate(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Through the exporter, found by its name, into the page: what was sent is what is answered.
func TestWhatIsGivenIsShown(t *testing.T) {
	id := component.MustNewIDWithName("netmap", "second")
	f := netmapextension.NewFactory()
	c := f.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(map[string]any{"endpoint": "127.0.0.1:0"}).Unmarshal(c); err != nil {
		t.Fatal(err)
	}
	settings := extensiontest.NewNopSettings(f.Type())
	core, logs := observer.New(zap.InfoLevel)
	settings.Logger = zap.New(core)
	ext, err := f.Create(t.Context(), settings, c)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := ext.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		http.DefaultClient.CloseIdleConnections()
		if err := ext.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	e := newExporter(t, "netmap/second")
	if err := e.Start(t.Context(), host(map[component.ID]component.Component{id: ext})); err != nil {
		t.Fatal(err)
	}
	if e.Capabilities().MutatesData {
		t.Error("metrics are changed")
	}
	err = e.ConsumeMetrics(t.Context(), feedtest.Metrics(feedtest.Delta, feedtest.Flow{
		Resource: feedtest.Attributes{"host.id": "h", "process.executable.name": "curl"},
		Point: feedtest.Attributes{
			"netconn.role": "client", "netconn.peer.type": "host", "netconn.peer.scope": "node", "netconn.peer.name": "nginx", "server.port": 80,
		},
		Start: began, At: time.Now(), Tx: 123, Rx: 4567,
	}))
	if err != nil {
		t.Fatal(err)
	}
	url, ok := logs.FilterMessage("Serving the network map.").All()[0].ContextMap()["url"].(string)
	if !ok {
		t.Fatal("the address is not logged")
	}
	response, err := http.Get(url + "api/v1/graph?metrics=tx,rx")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"name":["curl","nginx"]`, `"tx":[123]`, `"rx":[4567]`} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
}

// An eater is an extension that counts what it is given.
type eater struct {
	component.Component
	spans, records int
}

func (*eater) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (*eater) ConsumeMetrics(context.Context, pmetric.Metrics) error { return nil }

func (e *eater) ConsumeTraces(_ context.Context, t ptrace.Traces) error {
	e.spans += t.SpanCount()
	return nil
}

func (e *eater) ConsumeLogs(_ context.Context, l plog.Logs) error {
	e.records += l.LogRecordCount()
	return nil
}

func TestTracesAndLogsAreGiven(t *testing.T) {
	e, set, c := &eater{}, exportertest.NewNopSettings(metadata.Type), createDefaultConfig()
	traces, err := NewFactory().CreateTraces(t.Context(), set, c)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := NewFactory().CreateLogs(t.Context(), set, c)
	if err != nil {
		t.Fatal(err)
	}
	spans, records := ptrace.NewTraces(), plog.NewLogs()
	spans.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	records.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	if err := traces.ConsumeTraces(t.Context(), spans); err == nil {
		t.Error("spans are taken before the start")
	}
	for _, x := range []component.Component{traces, logs} {
		if err := x.Start(t.Context(), host(map[component.ID]component.Component{component.MustNewID("netmap"): e})); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(traces.ConsumeTraces(t.Context(), spans), logs.ConsumeLogs(t.Context(), records)); err != nil {
		t.Fatal(err)
	}
	if e.spans != 1 || e.records != 1 || traces.Capabilities().MutatesData || logs.Capabilities().MutatesData {
		t.Errorf("%d spans and %d records were given", e.spans, e.records)
	}
	if err := errors.Join(traces.Shutdown(t.Context()), logs.Shutdown(t.Context())); err != nil {
		t.Error(err)
	}
}
