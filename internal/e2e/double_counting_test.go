//go:build linux

package e2e

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet/mesh/bookinfo"
)

// What goes through a service is counted once by the client and once by the server, on whichever resource: not once
// for the service's address and once for the server's, as other tools did (2,664 bytes were shown as 5,328).
func TestServiceBytesOnce(t *testing.T) {
	const payload = 2664
	s := newTestbed(t)
	b := randomBytes(2)
	address := netip.AddrFrom4([4]byte{10, 98, b[0], b[1]}) // used nowhere else on this machine
	vip, listen := at(address, 80), at(stockAddr, 9080)
	service(vip, listen, 0)(s)
	s.stock.ensure(listen.String())
	s.shop.do("dial c %s", vip)
	s.stock.do("accept sc %s", listen)
	exchange(s.shop.driver, s.stock.driver, "c", payload, 0)
	s.sink.want(expect([]hop{s.toStock(vip, listen, 1, 1, payload, 0)}), 3)
	got := make(map[string]int64)
	for _, r := range s.sink.latest().resources {
		for name, v := range r.series {
			if metricOf(name) == "netconn.io" && ours(r, name, s.shop.id, s.stock.id, address.String()) {
				got[attributeOf(name, "netconn.role")+" "+attributeOf(name, "network.io.direction")] += v.count
			}
		}
	}
	want := map[string]int64{"client transmit": payload, "client receive": 0, "server receive": payload, "server transmit": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bytes of all resources (-want +got):\n%s", diff)
	}
}

// ours reports whether a series is about one of these: on their resource, or with one of them in its attributes.
func ours(r resource, name string, these ...string) bool {
	return slices.ContainsFunc(these, func(s string) bool { return r.key() == s || strings.Contains(name, s) })
}

func attributeOf(name, key string) string {
	_, after, _ := strings.Cut(name, key+"=")
	value, _, _ := strings.Cut(strings.TrimSuffix(after, "}"), ",")
	return value
}

// What a pod receives crosses two hops, from the node to its sidecar and from there to its application: in each scope
// it is counted once on the pod. The scope distinguishes them, so a sum over one of them is what the pod received.
func TestPodBytesOnceAScope(t *testing.T) {
	rules := rulesNamed(t, "sidecar-redirect.nft")
	o := bookinfo.Options{Rules: &rules}
	sink := newSink(t)
	run(t, setup{Receiver: []string{"collection_interval: 500ms", meshMetrics()}, OTLP: sink.address})
	sink.next(1)
	w := newBookinfo(t, o)
	if err := w.Ask(requests); err != nil {
		t.Fatal(err)
	}
	until(t, "both ends of everything to agree", func() bool { return w.Balanced() == nil })
	last := sink.want(expect(hopsOf(t, w, o)), 3)
	for _, pod := range []string{"productpage", "details", "reviews-v1", "reviews-v3", "ratings"} {
		served, asking := applicationOf(t, w, pod)
		got := make(map[string]int64)
		for _, m := range w.Members {
			if m.Pod == nil || m.Pod.Name != pod {
				continue
			}
			for name, v := range last.find(m.ID).series {
				if metricOf(name) == "netconn.io" && attributeOf(name, "network.io.direction") == "receive" {
					got[attributeOf(name, "netconn.role")+" "+attributeOf(name, "netconn.peer.scope")] += v.count
				}
			}
		}
		// Each hop between the two containers has both of its ends in the pod, so both roles.
		want := map[string]int64{
			"server node": served.received, "server pod": served.received + asking.sent,
			"client pod": served.sent + asking.received, "client node": asking.received,
		}
		maps.DeleteFunc(want, func(_ string, n int64) bool { return n == 0 })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("bytes that the pod %s received (-want +got):\n%s", pod, diff)
		}
	}
}

type traffic struct{ sent, received int64 }

// applicationOf returns what a pod's application itself has counted, as a server and as a client.
func applicationOf(t *testing.T, w *bookinfo.Deployment, pod string) (served, asking traffic) {
	t.Helper()
	legs, err := w.Find(pod, appIn(pod)).Legs()
	if err != nil {
		t.Fatal(err)
	}
	if len(legs) == 0 {
		t.Fatal(fmt.Errorf("%s has served no request", pod))
	}
	for _, l := range legs {
		of := &asking
		if l.Accepted {
			of = &served
		}
		of.sent += l.Sent
		of.received += l.Received
	}
	return served, asking
}
