package flow

import (
	"runtime"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

// crowd makes n live connections of 20 owners to 50 ports, all reported and credited.
func crowd(n int) (*Table, []conn.Conn) {
	table := newTable(Config{}, at(0))
	reports := make([]conn.Conn, n)
	for i := range reports {
		c := sent(dial(uint64(i+1), uint16(80+i%50)), 1, 1)
		c.Owner.ContainerID = string(rune('a' + i%20))
		c.RTT = time.Millisecond
		reports[i] = c
		table.Apply(c, at(1))
	}
	table.Collect(at(2), byPort)
	return table, reports
}

// The cost of one collection, with the reports before it, for each connection that changed.
func BenchmarkChanged(b *testing.B) {
	const n = 10_000
	table, reports := crowd(n)
	now := at(2)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(10 * time.Second)
		for i := range reports {
			reports[i].Counts[conn.Sent]++
			table.Apply(reports[i], now)
		}
		table.Collect(now, byPort)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/connection")
}

// The cost of one collection when nothing changed.
func BenchmarkIdle(b *testing.B) {
	table, _ := crowd(100_000)
	now := at(2)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(10 * time.Second)
		table.Collect(now, byPort)
	}
}

// The cost of one collection for each idle connection with an identity that is not settled, in the worst case:
// all wait.
func BenchmarkWaiting(b *testing.B) {
	const n = 10_000
	table := newTable(Config{}, at(0))
	for i := range n {
		table.Apply(dial(uint64(i+1), uint16(80+i%50)), at(1))
	}
	b.ReportAllocs()
	for b.Loop() {
		table.Collect(at(2), guess("", false))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/connection")
}

// The cost of a life: one report of the end of a connection that was not known, and its credit.
func BenchmarkShort(b *testing.B) {
	const n = 10_000
	table, reports := crowd(n)
	now := at(2)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(10 * time.Second)
		for i := range reports {
			reports[i].ID.Generation++
			table.Apply(ended(reports[i], conn.NoError), now)
		}
		table.Collect(now, byPort)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/connection")
}

// The cost of a full pass over connections that are idle.
func BenchmarkPass(b *testing.B) {
	const n = 100_000
	table, reports := crowd(n)
	now := at(2)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(10 * time.Second)
		for i := range reports {
			table.Apply(reports[i], now)
		}
		table.Reconcile(now)
		table.Collect(now, byPort)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/connection")
}

// The heap that a live connection takes between two collections.
func BenchmarkHeap(b *testing.B) {
	const n = 100_000
	var per float64
	for b.Loop() {
		before := heap()
		table, _ := crowd(n)
		table.Collect(at(12), byPort) // gives back the room that the first reports took
		per = float64(heap()-before) / n
		runtime.KeepAlive(table)
	}
	b.ReportMetric(per, "B/connection")
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The cost of finding the flow of a connection, among a thousand that are in use alike, and where most belong to few.
func BenchmarkPlace(b *testing.B) {
	table, reports := crowd(10_000)
	keys := make([]Key, len(reports))
	for i := range reports {
		keys[i], _ = byPort(reports[i])
		keys[i].Peer = conn.Peer{
			names.PeerType: names.TypePod, names.PeerScope: names.ScopeNode, names.PeerName: "database",
			names.PeerContainerName: "database",
		}
	}
	for name, n := range map[string]int{"a thousand": len(keys), "few": 8} {
		b.Run(name, func(b *testing.B) {
			i := 0
			for b.Loop() {
				table.place(&keys[i%n], nil, established)
				i++
			}
		})
	}
}
