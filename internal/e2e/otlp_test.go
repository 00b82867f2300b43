//go:build linux

package e2e

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

const (
	stockAddress   = "10.78.0.2:9080"
	refusedAddress = "10.78.0.2:9081"
)

// A shopping is two pods, each in a network namespace of its own: the shop opens connections to the stock.
type shopping struct {
	shop, stock                        *driver
	shopID, shopUID, stockID, stockUID string
}

func goShopping(t *testing.T) *shopping {
	t.Helper()
	client, server := testnet.New(t), testnet.New(t)
	testnet.Link(client, server, "nc0", "10.78.0.1/24", "10.78.0.2/24")
	s := &shopping{shopID: cgroup.NewID(), shopUID: cgroup.NewUID(), stockID: cgroup.NewID(), stockUID: cgroup.NewUID()}
	s.shop = startIn(t, "shop", cgroup.SystemdPod(s.shopUID, s.shopID), client.Namespace)
	s.stock = startIn(t, "stock", cgroup.CgroupfsPod(s.stockUID, s.stockID), server.Namespace)
	s.stock.do("listen %s", stockAddress)
	return s
}

// The attributes that all points of a flow have.

func toStock() []string {
	return []string{"netconn.role=client", "server.port=9080", "netconn.peer.type=pod",
		"netconn.peer.scope=node", "netconn.peer.name=stock", "netconn.peer.container.name=stock", "netconn.nat=none"}
}

func fromShop() []string {
	return []string{"netconn.role=server", "server.port=9080", "netconn.peer.type=pod",
		"netconn.peer.scope=node", "netconn.peer.name=shop", "netconn.peer.container.name=shop", "netconn.nat=none"}
}

// A refused attempt never met anybody, so its peer is an address, and an address is no attribute. Nor can anybody tell
// whether it was translated: connection tracking has forgotten it at once.
func toNoListener() []string {
	return []string{"netconn.role=client", "server.port=9081", "netconn.peer.type=private",
		"netconn.peer.scope=remote", "netconn.nat=unresolved"}
}

// What two pods say to each other arrives at an OTLP receiver with the names of both, to the byte.
func TestOTLP(t *testing.T) {
	began := time.Now()
	sink := newSink(t)
	run(t, setup{Receiver: []string{"collection_interval: 1s"}, OTLP: sink.address})
	sink.next(1)
	s := goShopping(t)

	for _, name := range []string{"big", "small", "broken"} {
		connect(name, s.shop, s.stock, stockAddress)
	}
	connected := time.Now()
	transfer("big", s.shop, s.stock, 1_000_003)
	transfer("big", s.stock, s.shop, 2_000_005)
	transfer("small", s.shop, s.stock, 13)
	middle := sink.want(s.whileOpen(), 1)

	s.shop.fail("connection refused", "dial refused %s", refusedAddress)
	refused := time.Now()
	transfer("small", s.stock, s.shop, 7)
	finish("small", s.stock, s.shop)
	finish("big", s.shop, s.stock)
	transfer("broken", s.shop, s.stock, 1000)
	s.shop.do("reset broken")
	s.stock.do("reset-by-peer broken")
	last := sink.want(s.atTheEnd(), 3)

	shop, stock := last.find(s.shopID), last.find(s.stockID)
	s.checkResources(t, shop, stock)
	checkLatencies(t, shop, stock, time.Since(began))
	checkStarts(t, middle.find(s.shopID), shop, connected, refused)
	checkMetrics(t, sink.all())
	checkHistory(t, sink.all())
}

func (s *shopping) whileOpen() counts {
	return counts{
		s.shopID: {
			of(toStock(), "netconn.io", "network.io.direction=transmit"): 1_000_016,
			of(toStock(), "netconn.io", "network.io.direction=receive"):  2_000_005,
			of(toStock(), "netconn.attempts"):                            3,
			of(toStock(), "netconn.active"):                              3,
		},
		s.stockID: {
			of(fromShop(), "netconn.io", "network.io.direction=receive"):  1_000_016,
			of(fromShop(), "netconn.io", "network.io.direction=transmit"): 2_000_005,
			of(fromShop(), "netconn.attempts"):                            3,
			of(fromShop(), "netconn.active"):                              3,
		},
	}
}

func (s *shopping) atTheEnd() counts {
	return counts{
		s.shopID: {
			of(toStock(), "netconn.io", "network.io.direction=transmit"): 1_001_016,
			of(toStock(), "netconn.io", "network.io.direction=receive"):  2_000_012,
			of(toStock(), "netconn.attempts"):                            3,
			of(toStock(), "netconn.closed"):                              3,
			of(toStock(), "netconn.active"):                              0,
			of(toNoListener(), "netconn.attempts", "error.type=refused"): 1,
		},
		s.stockID: {
			of(fromShop(), "netconn.io", "network.io.direction=receive"):  1_001_016,
			of(fromShop(), "netconn.io", "network.io.direction=transmit"): 2_000_012,
			of(fromShop(), "netconn.attempts"):                            3,
			of(fromShop(), "netconn.closed"):                              2,
			of(fromShop(), "netconn.closed", "error.type=reset"):          1,
			of(fromShop(), "netconn.active"):                              0,
		},
	}
}

// checkResources holds the two resources, and that between them they have every metric.
func (s *shopping) checkResources(t *testing.T, shop, stock resource) {
	t.Helper()
	for _, r := range []struct {
		got           resource
		name, id, uid string
	}{{shop, "shop", s.shopID, s.shopUID}, {stock, "stock", s.stockID, s.stockUID}} {
		want := thisHost(t)
		want["container.id"], want["k8s.pod.uid"], want["process.executable.name"] = r.id, r.uid, r.name
		want["service.instance.id"] = r.id + "/" + r.name
		if diff := cmp.Diff(want, r.got.attributes); diff != "" {
			t.Errorf("resource of the %s (-want +got):\n%s", r.name, diff)
		}
	}
	both := maps.Clone(shop.metrics)
	maps.Copy(both, stock.metrics)
	for _, rare := range []string{"netconn.tcp.limited", "netconn.tcp.timeouts"} { // a slow machine has them
		delete(both, rare)
	}
	if diff := cmp.Diff(defaultMetrics(), both); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// thisHost returns the attributes that every resource of this machine has.
func thisHost(t *testing.T) map[string]any {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	attributes := map[string]any{"host.name": name}
	if id, err := os.ReadFile("/etc/machine-id"); err == nil { // a container may have none
		attributes["host.id"] = strings.TrimSpace(string(id))
	}
	return attributes
}

// checkLatencies holds the histograms. A handshake is measured by who opens it, once a connection; the round-trip time
// by both, in each connection at least once; nothing took longer than the whole story.
func checkLatencies(t *testing.T, shop, stock resource, longest time.Duration) {
	t.Helper()
	handshakes := shop.series[of(toStock(), "netconn.tcp.handshake.duration")]
	if handshakes.histogram == nil || handshakes.histogram.count != 3 {
		t.Fatalf("handshakes of the shop: %+v, want 3", handshakes.histogram)
	}
	for name, s := range map[string]series{
		"handshakes":       handshakes,
		"rtt of the shop":  shop.series[of(toStock(), "netconn.tcp.rtt")],
		"rtt of the stock": stock.series[of(fromShop(), "netconn.tcp.rtt")],
	} {
		h := s.histogram
		if h == nil || h.count < 3 || h.min <= 0 || h.max < h.min || h.max > longest.Seconds() ||
			!within(h.sum/float64(h.count), h.min, h.max) {
			t.Errorf("%s: %+v", name, h)
			continue
		}
		want := []float64{100e-6, 300e-6, 1e-3, 3e-3, 10e-3, 30e-3, 100e-3, 300e-3}
		if name == "handshakes" {
			want = nil
		}
		if !slices.Equal(want, h.bounds) {
			t.Errorf("bounds of the %s: %v, want %v", name, h.bounds, want)
		}
		total := uint64(0)
		for _, n := range h.buckets {
			total += n
		}
		if len(h.buckets) != len(want)+1 || total != h.count {
			t.Errorf("buckets of the %s: %v, want %d in %d", name, h.buckets, h.count, len(want)+1)
		}
	}
}

// checkStarts holds that a series begins before what it counts, and keeps its beginning, and that a flow which came
// later has one of its own.
func checkStarts(t *testing.T, middle, last resource, connected, refused time.Time) {
	t.Helper()
	var collected time.Time
	for name, s := range middle.series {
		collected = s.at
		if s.start.After(connected) {
			t.Errorf("%s starts at %v, after the first traffic at %v", name, s.start, connected)
		}
		if got := last.series[name].start; !got.Equal(s.start) {
			t.Errorf("%s started at %v, and later at %v", name, s.start, got)
		}
	}
	refusal := last.series[of(toNoListener(), "netconn.attempts", "error.type=refused")].start
	if refusal.Before(collected) || refusal.After(refused) {
		t.Errorf("the refused attempt of %v is in a series that starts at %v; the collection before was at %v",
			refused, refusal, collected)
	}
}

// within allows for the rounding of a sum.
func within(mean, low, high float64) bool { return mean > low*0.999999 && mean < high*1.000001 }
