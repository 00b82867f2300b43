//go:build linux

package e2e

import (
	"testing"
	"time"
)

// A server that does not read: the client has a series that grows with the time, and the server has none.
func TestServerThatDoesNotRead(t *testing.T) {
	sink := newSink(t)
	run(t, setup{OTLP: sink.address, Receiver: []string{"collection_interval: 200ms"}})
	s := goShopping(t)
	connect("c", s.shop, s.stock, stockAddress)
	end := s.shop.begin("send c %d", 64<<20)
	waited := of(toStock(), "netconn.tcp.limited", "netconn.limited_by=receiver")
	shop := func() int64 { return sink.latest().find(s.shopID).series[waited].count }
	until(t, "the client to wait for the server", func() bool { return shop() > 0 })
	before, since := shop(), time.Now()
	until(t, "a second of waiting", func() bool { return shop() >= before+1000 })
	if took := time.Since(since); took < 700*time.Millisecond {
		t.Errorf("a second of waiting passed in %v", took)
	}
	if got := sink.latest().find(s.stockID).series[of(fromShop(), "netconn.tcp.limited", "netconn.limited_by=receiver")]; got.count != 0 {
		t.Errorf("the server waited for %d ms, and sent nothing", got.count)
	}
	s.stock.do("receive c %d", 64<<20)
	if err := end(); err != nil {
		t.Fatal(err)
	}
}
