package pipeline

import (
	"testing"
	"time"

	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/testnet"
)

// The cost of a reading of this machine's rings when there is little to read, with all that is read by default.
func BenchmarkReadingOfThisMachine(b *testing.B) {
	o := Defaults()
	o.Mask, o.UDP = byDefault, UDPUsed
	p, err := Open(o, Machine{
		Open: openSockets, Ask: openTables, Host: owner.Host, Join: openSources, Now: time.Now,
		Resolve: openExchanges, Datagrams: openDatagrams,
	})
	testnet.Require(b, err)
	b.Cleanup(func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
	})
	b.ReportAllocs()
	before := processorTime(b)
	for b.Loop() {
		if err := p.Drain(time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "CPU-ns/reading")
}
