//go:build linux

package kubernetes

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// BenchmarkLookup looks up one of ten thousand pods, as each connection does at a collection that is news of it.
func BenchmarkLookup(b *testing.B) {
	const pods = 10_000
	s := storeOf(Config{Node: "node-1"})
	s.putNode(&node{key: key{name: "node-1"}, zone: "a", region: "r"}, start)
	addresses, ids := make([]netip.Addr, pods), make([]string, pods)
	for i := range pods {
		addresses[i], ids[i] = netip.AddrFrom4([4]byte{10, 244, byte(i >> 8), byte(i)}), fmt.Sprintf("%064x", i)
		p := podAt(fmt.Sprint("p", i), 0, time.Second, addresses[i])
		p.containers = []container{{name: "app", ids: ids[i : i+1], tag: "v1", runs: true}}
		s.putPod(p, start)
	}
	at, now, i := after(time.Minute), after(time.Hour), 0
	b.Run("address", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			i++
			s.Address(conn.Query{Address: addresses[i%pods], Port: 80, At: at, Now: now})
		}
	})
	b.Run("container", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			i++
			s.Container(ids[i%pods])
		}
	})
	b.Run("unknown", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Address(conn.Query{Address: netip.MustParseAddr("203.0.113.1"), Port: 443, At: at, Now: now})
		}
	})
}

// BenchmarkPut takes the pods of a large cluster, each with a sidecar, as the first list does and then as a change
// does. The memory is what they take when all are known.
func BenchmarkPut(b *testing.B) {
	const pods = 10_000
	for b.Loop() {
		b.StopTimer()
		before := heapInUse()
		s := newStore(Config{Node: "node-0"})
		described := make([]*pod, pods)
		for round := range 2 {
			for i := range described {
				described[i] = describePod(crowdPod(i, 100))
				described[i].ready = described[i].ready.Add(time.Duration(round))
			}
			b.StartTimer()
			for _, p := range described {
				s.putPod(p, start)
			}
			b.StopTimer()
		}
		clear(described)
		b.ReportMetric(float64(heapInUse()-before)/pods, "B/pod")
		b.ReportMetric(float64(s.Stats().Pods), "pods")
		b.StartTimer()
	}
}
