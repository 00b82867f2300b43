//go:build linux

package dns

import (
	"cmp"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// BenchmarkCost measures what the programs add to traffic on loopback: a DNS exchange, and a TCP exchange of 100 bytes
// that is not DNS. It compares short slices without and with the programs at the root cgroup, in turn, and reports the
// median ratio, and the kernel's own figure of a run of each program.
//
//	go test ./internal/dns -run '^$' -bench Cost -benchtime 1x
func BenchmarkCost(b *testing.B) {
	n := testnet.New(b)
	n.Command("ip", "address", "add", "10.99.53.1/24", "dev", "lo")
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		testnet.Require(b, err)
	}
	defer stats.Close()
	for name, dial := range map[string]func(testing.TB, *testnet.Namespace) func(){"dns": dnsExchange, "tcp": tcpExchange} {
		b.Run(name, func(b *testing.B) {
			exchange := dial(b, n)
			runs := make(map[string][]float64) // ns
			var ratios []float64
			for range 15 {
				off := slice(exchange)
				r, err := Open(Options{Mode: All, Root: "/"})
				if err != nil {
					testnet.Require(b, err)
				}
				on := slice(exchange)
				for name, p := range map[string]*ebpf.Program{"egress": r.objects.DnsEgress, "ingress": r.objects.DnsIngress} {
					if s, err := p.Stats(); err == nil && s.RunCount > 0 {
						runs[name] = append(runs[name], float64(s.Runtime.Nanoseconds())/float64(s.RunCount))
					}
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
				ratios = append(ratios, on.Seconds()/(off.Seconds()+slice(exchange).Seconds())*2)
			}
			b.ReportMetric(median(ratios), "ratio")
			for name, all := range runs {
				b.ReportMetric(median(all), name+"-ns/run")
			}
		})
	}
}

// slice returns how long an exchange takes, as the median of many.
func slice(exchange func()) time.Duration {
	all := make([]time.Duration, 3000)
	for i := range all {
		begin := time.Now()
		exchange()
		all[i] = time.Since(begin)
	}
	return median(all)
}

func median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// dnsExchange returns a query and its response, between two sockets that stay.
func dnsExchange(tb testing.TB, n *testnet.Namespace) (exchange func()) {
	var server net.PacketConn
	var client net.Conn
	var err error
	n.Do(func() {
		if server, err = listenUDP("10.99.53.1:53"); err == nil {
			client, err = net.Dial("udp", "10.99.53.1:53")
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { server.Close(); client.Close() })
	name := strings.Repeat("ok.", 4) + "example.com."
	query := packed(tb, dnsmessage.Message{Header: dnsmessage.Header{ID: 5}, Questions: question(name, dnsmessage.TypeA)})
	response := scripted(query, true)
	buffer := make([]byte, 2000)
	return func() {
		_, errs := client.Write(query)
		_, from, err := server.ReadFrom(buffer)
		if err == nil {
			_, err = server.WriteTo(response, from)
		}
		if err == nil {
			_, err = client.Read(buffer)
		}
		if cmp.Or(errs, err) != nil {
			tb.Fatal(errs, err)
		}
	}
}

// tcpExchange returns a request of 100 bytes and its response, on a connection that stays.
func tcpExchange(tb testing.TB, n *testnet.Namespace) (exchange func()) {
	var l net.Listener
	var client, server net.Conn
	var err error
	n.Do(func() {
		if l, err = net.Listen("tcp", "10.99.53.1:8080"); err != nil {
			return
		}
		if client, err = net.Dial("tcp", "10.99.53.1:8080"); err == nil {
			server, err = l.Accept()
		}
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close(); client.Close(); server.Close() })
	buffer := make([]byte, 100)
	return func() {
		for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
			_, err := way[0].Write(buffer)
			if err == nil {
				_, err = way[1].Read(buffer)
			}
			if err != nil {
				tb.Fatal(err)
			}
		}
	}
}
