package history

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/feedtest"
	"github.com/netconn/netconn/netmap/internal/ledger"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// A backend is a store of the test's own, which `make test-store` built.
type backend struct {
	t                testing.TB
	endpoint, ingest string // of queries, and of OTLP
}

func startBackend(t testing.TB, program, ready, ingest string, arguments func(address, data string) []string) *backend {
	t.Helper()
	dir := os.Getenv("NETCONN_BACKENDS")
	if dir == "" {
		t.Skip("NETCONN_BACKENDS is not set: make test-store builds the backends, and sets it")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	command := exec.Command(filepath.Join(dir, program), arguments(address, t.TempDir())...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	b := &backend{t, "http://" + address, "http://" + address + ingest}
	b.until("ready", func() bool {
		answer, err := http.Get(b.endpoint + ready)
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
	return b
}

func startPrometheus(t *testing.T, configuration string) *backend {
	t.Helper()
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	configuration += "\nstorage: {tsdb: {out_of_order_time_window: 2d}}"
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	return startBackend(t, "prometheus", "/-/ready", "/api/v1/otlp/v1/metrics", func(address, data string) []string {
		return []string{"--web.enable-otlp-receiver", "--config.file=" + file, "--storage.tsdb.path=" + data,
			"--web.listen-address=" + address}
	})
}

func startVictoria(t testing.TB, flags ...string) *backend {
	t.Helper()
	return startBackend(t, "victoria-metrics", "/health", "/opentelemetry/v1/metrics", func(address, data string) []string {
		return append([]string{"-storageDataPath=" + data, "-httpListenAddr=" + address, "-memory.allowedBytes=64MB"}, flags...)
	})
}

func (b *backend) until(what string, holds func() bool) {
	b.t.Helper()
	for start := time.Now(); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Since(start) > 2*time.Minute {
			b.t.Fatalf("%s: not within two minutes", what)
		}
	}
}

func (b *backend) send(m pmetric.Metrics, instance string) {
	b.t.Helper()
	if m.DataPointCount() == 0 {
		return
	}
	attrs := m.ResourceMetrics().At(0).Resource().Attributes()
	attrs.PutStr("service.name", "gateway")
	attrs.PutStr("service.instance.id", instance)
	body, err := pmetricotlp.NewExportRequestFromMetrics(m).MarshalProto()
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := http.Post(b.ingest, "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		text, _ := io.ReadAll(answer.Body)
		b.t.Fatalf("the store answers %s: %s", answer.Status, text)
	}
}

// A gateway makes edges of what agents send.
type gateway struct {
	*ledger.Ledger
	instance string
}

// A traffic is twenty minutes of reports of two ends, which reach two gateways, and what they add up to.
type traffic struct {
	*backend
	at   time.Time
	sent map[int64]map[string]snap.Figures // by the time of the flush, by the client
}

func (w *traffic) gateway(instance string) gateway {
	return gateway{ledger.New(ledger.Config{
		Tags: []names.Tag{names.TagZone}, Bounds: []float64{0.01}, MaxEdges: 100, MaxFlows: 100, Expiry: time.Hour,
		Now: func() time.Time { return w.at },
	}), instance}
}

func (w *traffic) flush(g gateway) {
	zeros, totals := g.Flush()
	w.send(zeros, g.instance)
	w.send(totals, g.instance)
}

// report gives a gateway what one end of an edge to api has counted.
func (w *traffic) report(to gateway, role, client string, f snap.Figures) {
	end := func(name string) feedtest.Attributes {
		return feedtest.Attributes{"k8s.namespace.name": "prod", "k8s.deployment.name": name, "k8s.pod.uid": name + "-1",
			"k8s.pod.name": name + "-1", "host.id": name}
	}
	flow := feedtest.Flow{
		Resource: end(client), Start: w.at.Add(-time.Minute), At: w.at, Retransmits: int64(f.Retransmits),
		Tx: int64(f.Tx), Rx: int64(f.Rx), Attempts: map[string]int64{"": int64(f.Attempts), "refused": 1},
		Point: feedtest.Attributes{"netconn.role": role, "netconn.peer.scope": "remote", "server.port": 80,
			"netconn.peer.type": "pod", "netconn.peer.k8s.namespace.name": "prod", "netconn.peer.k8s.workload.name": "api"},
	}
	if role == "server" {
		flow.Resource, flow.Point["netconn.peer.k8s.workload.name"] = end("api"), client
		flow.Tx, flow.Rx = flow.Rx, flow.Tx
	}
	to.Add(feedtest.Metrics(feedtest.Delta, flow))
}

// run sends it. The gateway of the clients is started anew twice: under the same name, and under another one.
func (w *traffic) run() {
	end := w.at
	w.at = end.Add(-20 * time.Minute)
	clients, servers := w.gateway("clients"), w.gateway("servers")
	for minute := range uint64(20) {
		w.at = w.at.Add(5 * time.Second)
		switch minute {
		case 12:
			clients = w.gateway("clients")
		case 17:
			clients = w.gateway("clients-2")
		}
		w.at = w.at.Add(55 * time.Second)
		web := snap.Figures{Tx: 1000_000 - minute*40_000, Rx: 7 + minute, Attempts: 3, Retransmits: 1}
		job := snap.Figures{Tx: 500 + minute, Rx: 1}
		w.report(clients, "client", "web", web)
		w.report(servers, "server", "web", web)
		w.report(servers, "server", "job", job)
		w.flush(clients)
		w.flush(servers)
		web.Retransmits *= 2
		web.Attempts++ // the attempt that was refused, of each end
		job.Attempts++
		w.sent[w.at.Unix()] = map[string]snap.Figures{"web": web, "job": job}
	}
}

// want returns what was sent in a range.
func (w *traffic) want(r snap.Range) map[string]snap.Figures {
	sum := make(map[string]snap.Figures)
	for at, by := range w.sent {
		for client, f := range by {
			if at > r.From && at <= r.To {
				all := sum[client]
				all.Add(&f)
				sum[client] = all
			}
		}
	}
	return sum
}

// What two gateways were sent is what the store's edges add up to: through restarts of one of them, with both ends at
// different gateways, and with an edge that only the server reports; over the whole time, and over a part of it.
func TestBackendHistory(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *backend{
		"Prometheus":               func(t *testing.T) *backend { return startPrometheus(t, "") },
		"Prometheus, untranslated": func(t *testing.T) *backend { return startPrometheus(t, "otlp: {translation_strategy: NoTranslation}") },
		"VictoriaMetrics": func(t *testing.T) *backend {
			return startVictoria(t, "-opentelemetry.usePrometheusNaming")
		},
		"VictoriaMetrics, untranslated": func(t *testing.T) *backend { return startVictoria(t) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &traffic{start(t), time.Now().Truncate(time.Second), make(map[int64]map[string]snap.Figures)}
			w.run()
			s := New(Config{
				Client: http.DefaultClient, Endpoint: w.endpoint, Timeout: time.Minute, Cache: time.Millisecond,
				MaxSeries: 1000, MaxBytes: 1 << 20, Queries: 4,
			})
			defer s.Close()
			for _, window := range []int64{3600, 300, 600} {
				w.compare(s, s.Range(window, 0))
			}
			w.compare(s, s.Range(300, time.Now().Unix()-900)) // a part in which nothing restarts, 15 minutes ago
			for _, want := range []snap.Want{
				begins("client", names.TagName, "web"), begins("", names.TagName, "web"), begins("", names.TagNamespace, "prod"),
				begins("server", names.TagName, "web"),
			} {
				w.compareNarrowed(s, s.Range(3600, 0), want)
			}
		})
	}
}

// compare waits until what the source has of a range is what was sent in it.
func (w *traffic) compare(s *Source, r snap.Range) {
	w.t.Helper()
	want, got, steps := w.want(r), map[string]snap.Figures{}, map[string]snap.Figures{}
	held := func() bool {
		answer, err := s.Snapshot(w.t.Context(), r)
		if err != nil || answer.Partial != nil {
			w.t.Fatalf("%v, %+v", err, answer)
		}
		clear(got)
		clear(steps)
		for i, e := range answer.Edges {
			client := e.Client.Get(names.TagName)
			got[client] = counts(e.Figures)
			steps[client] = w.steps(answer, i)
		}
		return cmp.Equal(want, got) && cmp.Equal(want, steps)
	}
	for range 120 { // VictoriaMetrics shows what it has received a second later
		if held() {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	w.t.Errorf("%+v (-want +got):\n%s\nsteps:\n%s", r, cmp.Diff(want, got), cmp.Diff(want, steps))
}

// compareNarrowed compares a narrowed snapshot with what fulfils the want of the whole one. It has nothing else.
func (w *traffic) compareNarrowed(s *Source, r snap.Range, want snap.Want) {
	w.t.Helper()
	var figures [2][]string
	for i, wants := range [][]snap.Want{nil, {want}} {
		answer, err := s.Snapshot(w.t.Context(), r, wants...)
		if err != nil || answer.Partial != nil {
			w.t.Fatalf("%v, %+v", err, answer)
		}
		if i == 0 {
			answer.Edges = slices.DeleteFunc(slices.Clone(answer.Edges), func(e snap.Edge) bool {
				return (!want.Client || !want.Holds(e.Client[want.Tag])) && (!want.Server || !want.Holds(e.Server[want.Tag]))
			})
		}
		figures[i] = figuresOf(answer)
	}
	if diff := cmp.Diff(figures[0], figures[1]); diff != "" {
		w.t.Errorf("(-of all +narrowed):\n%s", diff)
	}
}

// counts returns figures without what is not counted by the test.
func counts(f snap.Figures) snap.Figures {
	return snap.Figures{Tx: f.Tx, Rx: f.Rx, Retransmits: f.Retransmits, Attempts: f.Attempts}
}

// steps adds up the steps of an edge.
func (w *traffic) steps(s *snap.Snapshot, i int) snap.Figures {
	w.t.Helper()
	var sum snap.Figures
	err := s.History.Read(context.Background(), [][]int{{i}}, snap.All, func(_ int, step snap.Step) { sum.Add(&step.Figures) })
	if err != nil {
		w.t.Fatal(err)
	}
	return counts(sum)
}
