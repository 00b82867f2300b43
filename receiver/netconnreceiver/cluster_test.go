package netconnreceiver

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/pipeline"
)

// join is the cluster of a story: what it knows, it knows from the beginning.
func (s *story) join(kubernetes.Config, func() time.Time) (pipeline.Cluster, error) {
	if s.Pods == nil {
		return pipeline.Cluster{}, nil
	}
	find := func(what string) (conn.Peer, kubernetes.Answer) {
		if p, ok := s.Pods[what]; ok {
			return p.Peer, kubernetes.Final
		}
		return conn.Peer{}, kubernetes.Unknown
	}
	return pipeline.Cluster{
		Container: find,
		Pod:       find,
		Address: func(q kubernetes.Query) (conn.Peer, kubernetes.Answer) {
			if p, a := find(netip.AddrPortFrom(q.Address, q.Port).String()); a == kubernetes.Final {
				return p, a
			}
			return find(q.Address.String())
		},
		Service: func(to netip.AddrPort) string { return s.Names[to] },
		Here:    func() (zone, region string) { return "zone-a", "east" },
		Synced:  func() bool { return true },
		Faults:  func() []kubernetes.Fault { return nil },
		Health:  func() kubernetes.Health { return kubernetes.Health{} },
		Close:   func() {},
	}, nil
}

// What comes and goes while the receiver runs is told when it does, once, beside what was missing from the start.
func TestClusterFaultsAreTold(t *testing.T) {
	r := newRig(t)
	var faults []kubernetes.Fault
	away := kubernetes.Fault{About: "pods", Err: errors.New("watch pods: connection refused")}
	again := kubernetes.Fault{About: "pods", Err: errors.New("watch pods: connection refused, again")}
	r.cluster = pipeline.Cluster{
		Here: func() (zone, region string) { return "", "" }, Synced: func() bool { return true },
		Faults: func() []kubernetes.Fault { return faults }, Health: func() kubernetes.Health { return kubernetes.Health{} },
		Close: func() { r.closed++ },
	}
	r.scraper.config.NodeName = "node-1"
	r.start(t)
	r.scraper.reportTo(signalMetrics, r)
	missing := r.noCgroups(t)
	for _, now := range [][]kubernetes.Fault{nil, {away}, {again}, nil, nil} {
		faults = now
		scrapeOnce(t, r)
	}
	r.scraper.reportTo(signalMetrics, nil) // it has shut down
	faults = []kubernetes.Fault{away}
	scrapeOnce(t, r)
	want := []string{
		"Something is missing. " + missing, "Something does not work. " + away.Err.Error(), "Something does not work. " + away.Err.Error(),
		"StatusRecoverableError " + missing, "StatusRecoverableError " + missing + "\n" + away.Err.Error(), "StatusRecoverableError " + missing,
	}
	if got := r.told(); !slices.Equal(got, want) {
		t.Errorf("told:\n%q\nwant:\n%q", got, want)
	}
	if err := r.scraper.shutdown(t.Context()); err != nil || r.closed != 2 {
		t.Errorf("closed %d of 2, %v", r.closed, err)
	}
}

// The first collection is too early for the API: the next one has everything, with the zone. If there is still none, it
// is not waited for.
func TestTheFirstCollectionWaitsForTheZone(t *testing.T) {
	for name, c := range map[string]struct {
		zone   string // at the second collection
		synced bool   // at the first one
		want   []string
	}{
		"it comes":      {zone: "zone-a", want: []string{"none", "zone-a"}},
		"it does not":   {want: []string{"none", ""}},
		"there is none": {synced: true, want: []string{"", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			zone, now := "", time.Unix(1_700_000_000, 0)
			r.cluster = pipeline.Cluster{
				Here: func() (string, string) { return zone, "" }, Synced: func() bool { return c.synced },
				Faults: func() []kubernetes.Fault { return nil }, Health: func() kubernetes.Health { return kubernetes.Health{} },
				Container: func(string) (conn.Peer, kubernetes.Answer) { return conn.Peer{}, kubernetes.Unknown },
				Close:     func() {},
			}
			r.scraper.machine.Now = func() time.Time { return now }
			r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
				h.Listener(conn.Listener{Process: conn.Process{Executable: "shop"}, Drops: 1})
				return nil
			}
			r.start(t)
			var got []string
			for range 2 {
				md, err := r.scraper.scrape(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, zoneOf(md))
				now = now.Add(r.scraper.config.CollectionInterval)
				zone = c.zone
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// zoneOf returns the zone of the first resource; none: there is no resource.
func zoneOf(md pmetric.Metrics) string {
	if md.ResourceMetrics().Len() == 0 {
		return "none"
	}
	zone, _ := md.ResourceMetrics().At(0).Resource().Attributes().AsRaw()["cloud.availability_zone"].(string)
	return zone
}

// A cluster that cannot be joined costs the names of peers.
func TestClusterCannotBeJoined(t *testing.T) {
	r := newRig(t)
	r.clusterErr = errors.New("use the service account of this pod for the Kubernetes API: no such file")
	r.start(t)
	scrapeOnce(t, r)
	if got := r.told(); len(got) != 3 || got[0] != "Something is missing. "+r.clusterErr.Error() {
		t.Errorf("told %q", got)
	}
}

func scrapeOnce(t *testing.T, r *rig) {
	t.Helper()
	if _, err := r.scraper.scrape(t.Context()); err != nil {
		t.Fatal(err)
	}
}
