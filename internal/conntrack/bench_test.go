//go:build linux

package conntrack

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// What a look-up costs from either source, alone and with others, of one connection that is translated.
func BenchmarkAsk(b *testing.B) {
	n := testnet.New(b)
	redirect(n, "iptables", "80", "9080")
	l := n.Listen("127.0.0.1:9080")
	client, _ := n.Connect(l, "127.0.0.2:80")
	for name, source := range map[string]Source{"bpf": SourceBPF, "netlink": SourceNetlink} {
		for _, together := range []int{1, 64, 4000} {
			b.Run(fmt.Sprintf("%s/%d", name, together), func(b *testing.B) {
				x := openTables(b, source)
				lookups := make([]Lookup, together)
				for i := range lookups {
					lookups[i] = Lookup{Namespace: n.Inode, Process: uint32(os.Getpid()), Tuple: tupleOf(client)}
				}
				b.ReportAllocs()
				before := processorTime(b)
				for b.Loop() {
					if a := x.LookUp(time.Now(), lookups); a[together-1].Result != Found {
						b.Fatal(a[together-1].Result)
					}
				}
				b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N*together), "CPU-ns/look-up")
			})
		}
	}
}

// processorTime is what the process has used: on a machine with other work the time of the clock tells less.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// What it costs to know a namespace: to search it, and to read its interfaces.
func BenchmarkSearch(b *testing.B) {
	x := openTables(b, SourceNone)
	for b.Loop() {
		x.registry.search(time.Now())
	}
}

func BenchmarkView(b *testing.B) {
	n := testnet.New(b)
	x := openTables(b, SourceNone)
	x.LookUp(time.Now(), []Lookup{{Namespace: n.Inode, Process: uint32(os.Getpid()), Tuple: conn.Tuple{
		Source: netip.MustParseAddrPort("127.0.0.1:1"), Destination: netip.MustParseAddrPort("127.0.0.1:2"),
	}}})
	known := x.registry.byInode[n.Inode]
	for b.Loop() {
		known.interfaces = nil
		if _, err := x.registry.interfacesOf(time.Now(), known); err != nil {
			b.Fatal(err)
		}
	}
}
