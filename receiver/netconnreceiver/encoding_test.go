package netconnreceiver

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/pipeline"
)

// Protobuf's own encoder accepts every string of the metrics and the logs, whatever bytes the kernel and the host have
// for a name. The Collector's encoder does not look, so the next component would refuse the whole message. What the
// Kubernetes API says was decoded from JSON, so it is UTF-8, and of any characters.
func FuzzMessagesAreEncoded(f *testing.F) {
	f.Add("caf\xe9", "/system.slice/caf\xe9.service", "node\xff", "db\u202e")
	f.Add("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3", "/lxc.payload.a\xff/b", "", "\U0001F600")
	f.Add("app", "/kubepods.slice/kubepods-pod8f0c3a52_3f0e_4a52_9f0c_8f0c3a523f0e.slice/cri-containerd-"+
		strings.Repeat("5f", 32)+".scope", "n", "17\x00")
	f.Fuzz(func(t *testing.T, executable, path, host, cluster string) {
		r := newRig(t)
		strange(t, r, executable, path, host, cluster)
		r.start(t)
		r.scraper.run(signalMetrics, 1)
		r.scraper.run(signalLogs, 1)
		points, records := 0, 0
		for _, second := range []int64{1000, 1010, 1020} {
			r.scraper.machine.Now = func() time.Time { return at(second) }
			md, err := r.scraper.scrape(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			points += encodeMetrics(t, md)
			ld, err := r.scraper.scrapeLogs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			records += encodeLogs(t, ld)
		}
		if points == 0 || records == 0 {
			t.Errorf("%d points, %d records: the test wants both", points, records)
		}
	})
}

// strange gives the machine of a rig a client and a server with these names, and the cluster a pod.
func strange(t *testing.T, r *rig, executable, path, host, cluster string) {
	t.Helper()
	r.scraper.config.Events.Enabled = true
	root := r.scraper.config.RootPath
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/hostname"), []byte(host), 0o600); err != nil {
		t.Fatal(err)
	}
	r.scraper.machine.Host = owner.Host
	r.scraper.machine.Now = func() time.Time { return at(1000) }
	var peer conn.Peer
	for a := range peer {
		peer[a] = strings.ToValidUTF8(cluster, "\uFFFD")
	}
	r.sources = pipeline.Sources{&known{
		answer: conn.Final, zone: peer[0], peers: map[string]conn.Peer{"192.0.2.9": peer, "192.0.2.9:443": peer},
	}}
	r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
		h.Cgroup(conn.Cgroup{ID: 10, Path: "/" + path})
		c := report{From: netip.MustParseAddrPort("10.0.0.1:40000"), To: netip.MustParseAddrPort("192.0.2.9:443"), Role: "client"}.conn()
		c.Process = conn.Process{PID: 7, Cgroup: 10, Executable: executable, Truncated: true}
		c.ID.Cookie, c.Phase, c.SeenOpening = 1, conn.Closed, true
		h.Conn(c)
		c.ID.Cookie, c.Process.Cgroup, c.Phase, c.Error = 2, 0, conn.Failed, conn.Refused
		h.Conn(c)
		return nil
	}
}

// encode has protobuf's encoder take all keys and values.
func encode(t *testing.T, of pcommon.Map) {
	t.Helper()
	fields, err := structpb.NewStruct(of.AsRaw())
	if err == nil {
		_, err = proto.Marshal(fields)
	}
	if err != nil {
		t.Errorf("%q: %v", of.AsRaw(), err)
	}
}

func encodeMetrics(t *testing.T, md pmetric.Metrics) (points int) {
	t.Helper()
	for _, rm := range md.ResourceMetrics().All() {
		encode(t, rm.Resource().Attributes())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, attributes := range attributesOf(m) {
					encode(t, attributes)
					points++
				}
			}
		}
	}
	return points
}

// attributesOf returns the attributes of each point of a metric.
func attributesOf(m pmetric.Metric) (all []pcommon.Map) {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		for _, p := range m.Sum().DataPoints().All() {
			all = append(all, p.Attributes())
		}
	case pmetric.MetricTypeGauge:
		for _, p := range m.Gauge().DataPoints().All() {
			all = append(all, p.Attributes())
		}
	case pmetric.MetricTypeHistogram:
		for _, p := range m.Histogram().DataPoints().All() {
			all = append(all, p.Attributes())
		}
	}
	return all
}

func encodeLogs(t *testing.T, ld plog.Logs) (records int) {
	t.Helper()
	for _, rl := range ld.ResourceLogs().All() {
		encode(t, rl.Resource().Attributes())
		for _, sl := range rl.ScopeLogs().All() {
			for _, l := range sl.LogRecords().All() {
				encode(t, l.Attributes())
				if _, err := proto.Marshal(structpb.NewStringValue(l.Body().AsString())); err != nil {
					t.Errorf("body %q: %v", l.Body().AsString(), err)
				}
				records++
			}
		}
	}
	return records
}
