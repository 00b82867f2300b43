//go:build linux

package e2e

import (
	"syscall"
	"testing"
	"time"
)

// What was carried after the last collection arrives when the collector ends or replaces its components, also where a
// collection would have come much later.
func TestLastCollection(t *testing.T) {
	for name, end := range map[string]func(*collector) error{
		"SIGTERM": func(c *collector) error { return c.Stop() },
		"SIGHUP":  func(c *collector) error { return c.Reload() },
	} {
		for _, temporality := range []string{"cumulative", "delta"} {
			t.Run(name+" "+temporality, func(t *testing.T) {
				sink := newSink(t)
				c := run(t, setup{OTLP: sink.address, Receiver: []string{
					"collection_interval: 10m", "temporality: " + temporality,
				}})
				c.awaitReady()
				pollFor(3*time.Second, func() bool { return len(sink.all()) > 0 }) // it has nothing on a quiet machine
				s := goShopping(t)
				for _, name := range []string{"open", "ended"} {
					connect(name, s.shop, s.stock, stockAddress)
					transfer(name, s.shop, s.stock, 1_000_003)
				}
				finish("ended", s.shop, s.stock)
				s.shop.fail("connection refused", "dial refused %s", refusedAddress)
				if err := end(c); err != nil {
					t.Fatal(err)
				}
				want := counts{s.shopID: {
					of(toStock(), "netconn.io", "network.io.direction=transmit"): 2_000_006,
					of(toStock(), "netconn.attempts"):                            2,
					of(toStock(), "netconn.closed"):                              1,
					of(toStock(), "netconn.active"):                              1,
					of(toNoListener(), "netconn.attempts", "error.type=refused"): 1,
				}}
				got := make(map[string]int64)
				for _, c := range sink.all() {
					for series, n := range c.find(s.shopID).counts() {
						got[series] = max(got[series], n)
					}
				}
				for series, n := range want[s.shopID] {
					if got[series] != n {
						t.Errorf("%s: %d, want %d", series, got[series], n)
					}
				}
				if name == "SIGHUP" {
					c.Signal(syscall.SIGTERM)
					c.exit()
				}
			})
		}
	}
}
