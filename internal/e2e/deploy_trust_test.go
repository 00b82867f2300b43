//go:build linux

package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

const (
	netconnScope = "github.com/netconn/netconn/receiver/netconnreceiver"
	fortune      = 1e15 // bytes, which were never sent
)

// oneMetric returns a sum with one point, of a container that exists.
func oneMetric(scope, name string, value int64) pmetric.Metrics {
	all := pmetric.NewMetrics()
	rm := all.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("container.id", "c1")
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName(scope)
	m := sm.Metrics().AppendEmpty()
	m.SetName(name)
	m.SetEmptySum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	p := m.Sum().DataPoints().AppendEmpty()
	p.SetIntValue(value)
	p.SetTimestamp(1)
	p.Attributes().PutStr("netconn.peer.name", "reviews")
	return all
}

func oneRecord(scope, event string) plog.Logs {
	all := plog.NewLogs()
	sl := all.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	sl.Scope().SetName(scope)
	record := sl.LogRecords().AppendEmpty()
	record.SetEventName(event)
	record.Body().SetStr("a record")
	return all
}

func theMetric(all pmetric.Metrics) pmetric.Metric {
	return all.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
}

func pointOf(all pmetric.Metrics) pmetric.NumberDataPoint {
	return theMetric(all).Sum().DataPoints().At(0)
}

func withUnit(all pmetric.Metrics, unit string) pmetric.Metrics {
	theMetric(all).SetUnit(unit)
	return all
}

func withAttribute(all plog.Logs, key, value string) plog.Logs {
	all.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().PutStr(key, value)
	return all
}

func exportMetrics(t *testing.T, address string, all pmetric.Metrics, options ...grpc.DialOption) error {
	t.Helper()
	c := dialOTLP(t, address)
	if len(options) > 0 {
		var err error
		if c, err = grpc.NewClient(address, options...); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	_, err := pmetricotlp.NewGRPCClient(c).Export(t.Context(), pmetricotlp.NewExportRequestFromMetrics(all))
	return err
}

// forgedMetrics are what an application must not report.
func forgedMetrics() []pmetric.Metrics {
	return []pmetric.Metrics{
		oneMetric("", "netconn.io", fortune), oneMetric(netconnScope, "netconn.io", fortune), oneMetric(netconnScope, "requests", fortune),
		oneMetric("shop", "netconn.zone.io", fortune), oneMetric("shop", "otelcol_netconn_lost", fortune),
		// Prometheus has one name for all of these.
		oneMetric("shop", "netconn/io", fortune), oneMetric("shop", "netconn-io", fortune), oneMetric("shop", "_netconn.io", fortune),
		oneMetric("shop", "netconn io", fortune), oneMetric("shop", "netconn_io_bytes_total", fortune),
		withUnit(oneMetric("shop", "netconn", fortune), "io.bytes"), withUnit(oneMetric("shop", "", fortune), "netconn.io"),
		withUnit(oneMetric("shop", "dns.lookup.duration", fortune), "s"), oneMetric("shop", "dns/lookup_duration", fortune),
	}
}

// ownMetrics are what an application may report.
func ownMetrics() []pmetric.Metrics {
	ofConvention := oneMetric("shop", "dns.lookup.duration", 7)
	pointOf(ofConvention).Attributes().Clear()
	return []pmetric.Metrics{oneMetric("shop", "shop.netconn.requests", 7), ofConvention}
}

// An application cannot report connections: the agent drops what has a name or the scope of netconn, and passes on the
// rest.
func TestDeployForged(t *testing.T) {
	sink := newSignals(t)
	a := runAgentCollector(t, sink.address)
	for _, m := range append(forgedMetrics(), ownMetrics()...) {
		if err := exportMetrics(t, a.otlp, m); err != nil {
			t.Fatal(err)
		}
	}
	logs := plogotlp.NewGRPCClient(dialOTLP(t, a.otlp))
	for _, r := range []plog.Logs{
		oneRecord("", "netconn.connection.closed"), oneRecord(netconnScope, "requests"), oneRecord("shop", "netconn/connection.closed"),
		withAttribute(oneRecord("shop", ""), "event_name", "netconn.connection.closed"),
		withAttribute(oneRecord("shop", ""), "event.name", "netconn.connection.closed"),
		withAttribute(oneRecord("shop", "device.app.lifecycle"), "event.name", "device.app.lifecycle"),
	} {
		if _, err := logs.Export(t.Context(), plogotlp.NewExportRequestFromLogs(r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := exportMetrics(t, a.netconn, oneMetric(netconnScope, "netconn.io", 42)); err != nil {
		t.Fatal(err)
	}
	value := func(metric string) (values []int64) {
		for _, n := range sink.now(metric) {
			values = append(values, n.value)
		}
		return values
	}
	until(t, "what is true", func() bool {
		sink.mu.Lock()
		defer sink.mu.Unlock()
		return len(sink.numbers) >= 3 && len(sink.logs) >= 1
	})
	time.Sleep(time.Second) // five times as long as a batch waits
	if got := value("netconn.io"); len(got) != 1 || got[0] != 42 {
		t.Errorf("netconn.io is %v, want 42", got)
	}
	for _, own := range []string{"shop.netconn.requests", "dns.lookup.duration"} {
		if got := value(own); len(got) != 1 || got[0] != 7 {
			t.Errorf("the application's own %s is %v, want 7", own, got)
		}
	}
	sink.mu.Lock()
	defer sink.mu.Unlock()
	if len(sink.numbers) != 3 || len(sink.events) != 0 || len(sink.logs) != 1 {
		t.Errorf("%d metrics, %d events, %d other records; want 3, 0 and 1", len(sink.numbers), len(sink.events), len(sink.logs))
	}
}

// With components/tls the gateway takes telemetry from agents, which have certificates, and from no other client.
func TestDeployMutualTLS(t *testing.T) {
	folder := t.TempDir()
	issueCertificates(t, folder)
	sink := newSignals(t)
	t.Setenv("CERTIFICATES", folder)
	gateway := runGateway(t, sink.address, "file:"+root+"/deploy/components/tls/server.yaml")
	agent := runAgentCollector(t, gateway, "file:"+root+"/deploy/components/tls/client.yaml",
		"yaml:exporters::otlp_grpc::tls::server_name_override: netconn-gateway") // in a cluster, the name that it connects to

	authority, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	withoutCertificate := grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool, ServerName: "netconn-gateway"}))
	if err := exportMetrics(t, gateway, oneMetric(netconnScope, "netconn.io", fortune), withoutCertificate); err == nil {
		t.Error("the gateway takes telemetry from who has no certificate")
	}
	if err := exportMetrics(t, gateway, oneMetric(netconnScope, "netconn.io", fortune)); err == nil {
		t.Error("the gateway takes telemetry without TLS")
	}
	if err := exportMetrics(t, agent.netconn, oneMetric(netconnScope, "netconn.io", 42)); err != nil {
		t.Fatal(err)
	}
	until(t, "the agent's metric", func() bool { return len(sink.now("netconn.io")) > 0 })
	if got := sink.now("netconn.io"); len(got) != 1 || got[0].value != 42 {
		t.Errorf("%v", got)
	}
}

// issueCertificates writes ca.crt, and tls.crt and tls.key for the gateway and its clients.
func issueCertificates(t *testing.T, folder string) {
	t.Helper()
	template := func(serial int64) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "netconn-test"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}
	}
	authority, authorityKey := template(1), newKey(t)
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	leaf, leafKey := template(2), newKey(t)
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	leaf.DNSNames = []string{"netconn-gateway"}
	key, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(
		writePEM(folder, "ca.crt", "CERTIFICATE", signed(t, authority, authority, authorityKey.Public(), authorityKey)),
		writePEM(folder, "tls.crt", "CERTIFICATE", signed(t, leaf, authority, leafKey.Public(), authorityKey)),
		writePEM(folder, "tls.key", "PRIVATE KEY", key),
	)
	if err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signed(t *testing.T, certificate, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, certificate, parent, public, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func writePEM(folder, name, kind string, der []byte) error {
	return os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
