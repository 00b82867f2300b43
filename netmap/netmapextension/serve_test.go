package netmapextension

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/netmapextension/internal/metadata"
)

// A served is an extension that runs.
type served struct {
	*netmap
	t testing.TB
}

// serve starts the extension on a free port of loopback, as a collector would.
func serve(t testing.TB, change ...func(*Config)) *served {
	t.Helper()
	c := createDefaultConfig().(*Config)
	c.NetAddr.Endpoint = "127.0.0.1:0"
	for _, f := range change {
		f(c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	e, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := e.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &served{e.(*netmap), t}
}

// give adds what was collected just now, of flows that began with the store.
func (s *served) give(flows ...feedtest.Flow) {
	s.t.Helper()
	now := time.Now()
	for i := range flows {
		flows[i].Start, flows[i].At = time.Unix(0, s.source.Version().Opened), now
	}
	if err := s.ConsumeMetrics(s.t.Context(), feedtest.Metrics(feedtest.Cumulative, flows...)); err != nil {
		s.t.Fatal(err)
	}
}

// reply is what a request was answered.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request. Headers are pairs of name and value; Host is one of them.
func (s *served) ask(method, target string, headers ...string) reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.address+target, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, string(body)}
}

func (s *served) get(target string, headers ...string) reply {
	s.t.Helper()
	return s.ask(http.MethodGet, target, headers...)
}

// read gets an answer into a value.
func (s *served) read(target string, into any) {
	s.t.Helper()
	r := s.get(target)
	if r.status != http.StatusOK {
		s.t.Fatalf("%s: %d %s", target, r.status, r.body)
	}
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		s.t.Fatalf("%s: %v in %s", target, err, r.body)
	}
}

func unpack(t testing.TB, r io.Reader) string {
	t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// curl is a client of a server on one host.
func curl() feedtest.Flow {
	return feedtest.Flow{
		Resource: feedtest.Attributes{"host.id": "h", "host.name": "box", "process.executable.name": "curl"},
		Point: feedtest.Attributes{
			"netconn.role": "client", "network.transport": "tcp", "server.port": 80,
			"netconn.peer.type": "host", "netconn.peer.scope": "node", "netconn.peer.name": "nginx",
		},
		Tx: 100, Rx: 2000, Attempts: map[string]int64{"": 3, "refused": 1}, Closed: map[string]int64{"": 2, "reset": 1}, Active: 1,
	}
}

var _ component.Component = (*netmap)(nil)
