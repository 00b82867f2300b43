package netconnreceiver

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/pipeline"
)

// known is a source that knows all it knows from the beginning.
type known struct {
	peers    map[string]conn.Peer // by container, pod, address and port, and address
	services map[netip.AddrPort]string
	faults   []conn.Fault
	zone     string
	answer   conn.Answer // about the zone
	closed   int
}

// join is the source of a story.
func (s *story) join(pipeline.Options, func() time.Time) (pipeline.Sources, []error) {
	if s.Pods == nil {
		return nil, nil
	}
	k := &known{peers: make(map[string]conn.Peer), services: s.Names, zone: "zone-a", answer: conn.Final}
	for what, p := range s.Pods {
		k.peers[what] = p.Peer
	}
	return pipeline.Sources{k}, nil
}

func (k *known) Peer(q conn.Query) (conn.Peer, conn.Answer) {
	if q.Here {
		p, a := k.find(q.Owner.ContainerID, q.Owner.PodUID)
		p[names.PeerZone], p[names.PeerRegion] = cmp.Or(p[names.PeerZone], "zone-a"), cmp.Or(p[names.PeerRegion], "east")
		return p, a
	}
	return k.find(netip.AddrPortFrom(q.Address, q.Port).String(), q.Address.String())
}

func (k *known) find(by ...string) (conn.Peer, conn.Answer) {
	for _, what := range by {
		if p, ok := k.peers[what]; ok {
			return p, conn.Final
		}
	}
	return conn.Peer{}, conn.Unknown
}

func (k *known) Service(_ conn.Protocol, to netip.AddrPort) string { return k.services[to] }
func (k *known) Here() (zone, region string, a conn.Answer) {
	return k.zone, strings.Replace(k.zone, "zone-a", "east", 1), k.answer
}
func (*known) Warnings() []string     { return nil }
func (k *known) Faults() []conn.Fault { return k.faults }
func (k *known) Close()               { k.closed++ }

// What comes and goes while the receiver runs is told when it does, once, beside what was missing from the start.
func TestClusterFaultsAreTold(t *testing.T) {
	r := newRig(t)
	away := conn.Fault{About: "pods", Err: errors.New("watch pods: connection refused")}
	again := conn.Fault{About: "pods", Err: errors.New("watch pods: connection refused, again")}
	source := &known{answer: conn.Final}
	r.sources = pipeline.Sources{source}
	r.scraper.config.NodeName = "node-1"
	r.start(t)
	r.scraper.reportTo(signalMetrics, r)
	missing := r.noCgroups(t)
	for _, now := range [][]conn.Fault{nil, {away}, {again}, nil, nil} {
		source.faults = now
		scrapeOnce(t, r)
	}
	r.scraper.reportTo(signalMetrics, nil) // it has shut down
	source.faults = []conn.Fault{away}
	scrapeOnce(t, r)
	want := []string{
		"Something is missing. " + missing, "Something does not work. " + away.Err.Error(), "Something does not work. " + away.Err.Error(),
		"StatusRecoverableError " + missing, "StatusRecoverableError " + missing + "\n" + away.Err.Error(), "StatusRecoverableError " + missing,
	}
	if got := r.told(); !slices.Equal(got, want) {
		t.Errorf("told:\n%q\nwant:\n%q", got, want)
	}
	if err := r.scraper.shutdown(t.Context()); err != nil || r.closed != 1 || source.closed != 1 {
		t.Errorf("closed %d, its source %d, %v", r.closed, source.closed, err)
	}
}

// The first collections are too early for the API: a later one has everything, with the zone, also where the interval is
// short. After StartPatience no more is waited for, and what was written without a zone stays so.
func TestTheFirstCollectionWaitsForTheZone(t *testing.T) {
	for name, c := range map[string]struct {
		zones  []string // that the API knows, by collection
		synced bool     // from the first collection on
		every  time.Duration
		want   []string
	}{
		"it comes late, for a short interval": {zones: []string{"", "", "", "", "zone-a"}, every: 2 * time.Second,
			want: []string{"none", "none", "none", "none", "zone-a"}},
		"it comes too late, for a short interval": {zones: []string{"", "", "", "zone-a"}, every: 5 * time.Second,
			want: []string{"none", "none", "", ""}},
		"it comes":       {zones: []string{"", "zone-a", "zone-a"}, want: []string{"none", "zone-a", "zone-a"}},
		"it comes late":  {zones: []string{"", "", "zone-a"}, want: []string{"none", "", ""}},
		"there is none":  {zones: []string{"", "", ""}, synced: true, want: []string{"", "", ""}},
		"it is there":    {zones: []string{"zone-a", "zone-a", "zone-a"}, want: []string{"zone-a", "zone-a", "zone-a"}},
		"it is replaced": {zones: []string{"zone-a", "zone-b", ""}, want: []string{"zone-a", "zone-a", "zone-a"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			source, now := &known{}, time.Unix(1_700_000_000, 0)
			r.sources = pipeline.Sources{source}
			r.scraper.config.CollectionInterval = cmp.Or(c.every, r.scraper.config.CollectionInterval)
			r.scraper.machine.Now = func() time.Time { return now }
			r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
				h.Listener(conn.Listener{Process: conn.Process{Executable: "shop"}, Drops: 1})
				return nil
			}
			start(t, r.scraper)
			var got []string
			for _, source.zone = range c.zones {
				if c.synced || source.zone != "" {
					source.answer = conn.Final
				}
				md, err := r.scraper.scrape(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, zoneOf(md))
				now = now.Add(r.scraper.config.CollectionInterval)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A logs receiver without one of metrics gives its events the zone too.
func TestEventsHaveTheZone(t *testing.T) {
	r := newRig(t)
	r.sources = pipeline.Sources{&known{zone: "zone-a", answer: conn.Final}}
	r.scraper.config.Events.Enabled = true
	r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
		h.Conn(conn.Conn{Socket: conn.Socket{ID: conn.ID{Cookie: 1}, Phase: conn.Failed, Error: conn.Refused, SeenOpening: true}})
		return nil
	}
	start(t, r.scraper)
	r.scraper.run(signalLogs, 1)
	ld, err := r.scraper.scrapeLogs(t.Context())
	if err != nil || ld.ResourceLogs().Len() != 1 {
		t.Fatalf("%d resources, %v", ld.ResourceLogs().Len(), err)
	}
	if got := ld.ResourceLogs().At(0).Resource().Attributes().AsRaw()["cloud.availability_zone"]; got != "zone-a" {
		t.Errorf("the zone is %v", got)
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
	r.sourceErr = errors.New("use the service account of this pod for the Kubernetes API: no such file")
	r.start(t)
	scrapeOnce(t, r)
	if got := r.told(); len(got) != 3 || got[0] != "Something is missing. "+r.sourceErr.Error() {
		t.Errorf("told %q", got)
	}
}

func scrapeOnce(t *testing.T, r *rig) {
	t.Helper()
	if _, err := r.scraper.scrape(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A fault that lasts is logged once a minute, and any other once.
func TestLastingFaultsAreLoggedAgain(t *testing.T) {
	r := newRig(t)
	full := conn.Fault{About: "max_resources", Err: errors.New("name all connections"), Lasts: true}
	away := conn.Fault{About: "pods", Err: errors.New("watch pods")}
	for second := range int64(150) {
		r.scraper.status.update([]conn.Fault{full, away}, at(1000+second))
	}
	logged := map[string]int{}
	for _, l := range r.logs.All() {
		logged[l.ContextMap()["error"].(string)]++
	}
	if logged["name all connections"] != 3 || logged["watch pods"] != 1 {
		t.Errorf("logged %v", logged)
	}
}
