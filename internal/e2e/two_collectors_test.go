//go:build linux

package e2e

import "testing"

// Two collectors on one machine report the same, and a collector that ends takes nothing from the other.
func TestTwoCollectors(t *testing.T) {
	sinks := []*sink{newSink(t), newSink(t)}
	var collectors []*collector
	for _, s := range sinks {
		collectors = append(collectors, run(t, setup{Receiver: []string{"collection_interval: 1s"}, OTLP: s.address}))
		s.next(1)
	}
	s := goShopping(t)
	connect("big", s.shop, s.stock, stockAddress)
	transfer("big", s.shop, s.stock, 1_000_016)
	transfer("big", s.stock, s.shop, 2_000_005)
	connect("second", s.shop, s.stock, stockAddress)
	connect("third", s.shop, s.stock, stockAddress)
	for _, sink := range sinks {
		sink.want(s.whileOpen(), 1)
	}
	collectors[0].end()
	transfer("big", s.stock, s.shop, 1)
	want := s.whileOpen()
	want[s.shopID][of(toStock(), "netconn.io", "network.io.direction=receive")]++
	want[s.stockID][of(fromShop(), "netconn.io", "network.io.direction=transmit")]++
	sinks[1].want(want, 3)
}
