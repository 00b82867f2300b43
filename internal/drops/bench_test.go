//go:build linux

package drops

import (
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// BenchmarkDrop reports how long the program runs for a dropped packet, by the kernel's statistics, which read the clock
// twice a run. Most packets of this machine are those that a rule drops here.
func BenchmarkDrop(b *testing.B) {
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		testnet.Require(b, err)
	}
	defer stats.Close()
	n := testnet.New(b)
	n.Command("iptables", "-A", "OUTPUT", "-p", "udp", "-j", "DROP")
	r, err := Open()
	if err != nil {
		testnet.Require(b, err)
	}
	defer r.Close()
	fd := -1
	n.Do(func() { fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) })
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fd)
	before, err := r.program.Stats()
	if err != nil {
		b.Fatal(err)
	}
	to, payload := &unix.SockaddrInet4{Port: 9000, Addr: [4]byte{127, 0, 0, 1}}, make([]byte, 100)
	for b.Loop() {
		if err := unix.Sendto(fd, payload, 0, to); err != unix.EPERM {
			b.Fatalf("send: %v", err)
		}
	}
	after, err := r.program.Stats()
	if err != nil {
		b.Fatal(err)
	}
	runs := after.RunCount - before.RunCount
	b.ReportMetric(float64((after.Runtime-before.Runtime).Nanoseconds())/float64(runs), "ns/drop")
}
