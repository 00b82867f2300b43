package netmapextension

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/netmapextension/internal/metadata"
	"github.com/netconn/netconn/netmap/netmapextension/internal/metadatatest"
)

func TestAnAddressThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := createDefaultConfig().(*Config)
	c.NetAddr.Endpoint = l.Addr().String()
	e, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), c)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Start(t.Context(), componenttest.NewNopHost())
	if err == nil || !strings.HasPrefix(err.Error(), "listen for the network map: ") {
		t.Errorf("got %v", err)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Errorf("shut down what has not started: %v", err)
	}
}

func TestShutdownTwice(t *testing.T) {
	s := serve(t) // is shut down again at its end
	http.DefaultClient.CloseIdleConnections()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

// A doorkeeper is an authenticator that lets one token in.
type doorkeeper struct{ component.Component }

func (doorkeeper) Authenticate(ctx context.Context, headers map[string][]string) (context.Context, error) {
	for name, values := range headers {
		if strings.EqualFold(name, "Authorization") && len(values) == 1 && values[0] == "Bearer right" {
			return ctx, nil
		}
	}
	return ctx, errors.New("not you")
}

type hostOf struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h hostOf) GetExtensions() map[component.ID]component.Component { return h.extensions }

func TestWithAnAuthenticatorNothingIsToBeHadWithout(t *testing.T) {
	id := component.MustNewID("doorkeeper")
	c := createDefaultConfig().(*Config)
	c.NetAddr.Endpoint = "127.0.0.1:0"
	c.Auth = configoptional.Some(confighttp.AuthConfig{Config: configauth.Config{AuthenticatorID: id}})
	n := newNetmap(c, extensiontest.NewNopSettings(metadata.Type).TelemetrySettings)
	host := hostOf{componenttest.NewNopHost(), map[component.ID]component.Component{id: doorkeeper{}}}
	if err := n.Start(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	defer func() {
		http.DefaultClient.CloseIdleConnections()
		if err := n.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	s := &served{n, t}
	for _, target := range []string{"/", "/api/v1/graph", "/assets/x.js"} {
		if r := s.get(target, "Authorization", "Bearer wrong"); r.status != http.StatusUnauthorized {
			t.Errorf("%s without the right token: %d", target, r.status)
		}
	}
	if r := s.get("/api/v1/graph", "Authorization", "Bearer right"); r.status != http.StatusOK {
		t.Errorf("with the right token: %d", r.status)
	}
}

// Everything at once, for the race detector: metrics of several sources, and all requests.
func TestEverybodyAtOnce(t *testing.T) {
	s := serve(t, func(c *Config) { c.MaxEdges = 50 })
	var everybody sync.WaitGroup
	for source := range 3 {
		everybody.Go(func() {
			for i := range 30 {
				f := curl()
				f.Point = f.Point.With(feedtest.Attributes{"server.port": 1000*source + i})
				s.give(f)
			}
		})
	}
	for _, target := range []string{
		"/api/v1/status", "/api/v1/graph", "/api/v1/flows", "/api/v1/series", "/api/v1/tags", "/api/v1/tags/port/values", "/",
	} {
		everybody.Go(func() {
			for range 20 {
				if r := s.get(target); r.status != http.StatusOK {
					t.Errorf("%s: %d %s", target, r.status, r.body)
				}
			}
		})
	}
	everybody.Wait()
}

func TestTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	defer func() { _ = tel.Shutdown(context.Background()) }()
	c := createDefaultConfig().(*Config)
	c.NetAddr.Endpoint = "127.0.0.1:0"
	c.MaxEdges = 1
	n := newNetmap(c, tel.NewTelemetrySettings())
	if err := n.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Shutdown(context.Background()) }()
	s := &served{n, t}
	other := curl()
	other.Point = other.Point.With(feedtest.Attributes{"server.port": 81})
	s.give(curl(), other)
	bad := curl()
	bad.Tx = -1
	bad.Start, bad.At = time.Unix(0, n.source.Version().Opened), time.Unix(0, n.source.Version().Opened) // not newer
	_ = n.ConsumeMetrics(t.Context(), feedtest.Metrics(feedtest.Cumulative, bad))
	ignore := metricdatatest.IgnoreTimestamp()
	metadatatest.AssertEqualNetmapEdges(t, tel, []metricdata.DataPoint[int64]{{Value: 1}}, ignore)
	metadatatest.AssertEqualNetmapStreams(t, tel, []metricdata.DataPoint[int64]{{Value: 2}}, ignore)
	metadatatest.AssertEqualNetmapEdgesFolded(t, tel, []metricdata.DataPoint[int64]{{Value: 0}}, ignore)
	dropped := func(reason string, n int64) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("netmap.reason", reason))}
	}
	metadatatest.AssertEqualNetmapPointsDropped(t, tel, []metricdata.DataPoint[int64]{
		dropped("late", 0), dropped("out_of_order", 7), dropped("streams", 0), dropped("values", 1), dropped("points", 0),
	}, ignore)
	why := func(reason string) metricdata.DataPoint[int64] {
		return metricdata.DataPoint[int64]{
			Attributes: attribute.NewSet(attribute.String("netmap.signals.reason", reason)),
		}
	}
	metadatatest.AssertEqualNetmapSignalsDropped(t, tel, []metricdata.DataPoint[int64]{
		why("late"), why("unidentified"), why("sources"), why("memory"),
	}, ignore)
	metadatatest.AssertEqualNetmapSignalsMemory(t, tel, []metricdata.DataPoint[int64]{{Value: 0}}, ignore)
	if s := n.source.Status().Dropped; s.Values != 1 {
		t.Errorf("%d values dropped, want 1", s.Values)
	}
}

func TestMetricsOfOthersChangeNothing(t *testing.T) {
	s := serve(t)
	if err := s.ConsumeMetrics(t.Context(), pmetric.NewMetrics()); err != nil {
		t.Fatal(err)
	}
	if s.Capabilities().MutatesData {
		t.Error("metrics are changed")
	}
}
