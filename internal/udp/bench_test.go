//go:build linux

package udp

import (
	"errors"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/attach"
	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// BenchmarkDatagram reports how long the programs run for a datagram, each side on its own, by the kernel's statistics.
// These read the clock twice a run.
func BenchmarkDatagram(b *testing.B) {
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		testnet.Require(b, err)
	}
	defer stats.Close()
	n := testnet.New(b)
	s, err := Open(Options{Root: "/", All: true})
	if err != nil {
		testnet.Require(b, err)
	}
	defer s.Close()
	nothing := attachNothing(b, s)
	for name, connected := range map[string]bool{"connected": true, "unconnected": false} {
		b.Run(name, func(b *testing.B) {
			var client, server int
			n.Do(func() { client, server, err = sockets(connected) })
			if err != nil {
				b.Fatal(err)
			}
			defer unix.Close(client)
			defer unix.Close(server)
			out, in := programTime(b, s.objects.NetconnEgress), programTime(b, s.objects.NetconnIngress)
			empty := programTime(b, nothing)
			hook := programTime(b, s.objects.NetconnSend4)
			buffer := make([]byte, 100)
			for b.Loop() {
				_, err := unix.Write(client, buffer)
				if !connected {
					err = unix.Sendto(client, buffer, 0, serverAddress)
				}
				_, readErr := unix.Read(server, buffer)
				if err != nil && connected || readErr != nil {
					b.Fatal(errors.Join(err, readErr))
				}
			}
			b.ReportMetric(empty(), "ns/nothing")
			b.ReportMetric(out(), "ns/sent")
			b.ReportMetric(in(), "ns/received")
			b.ReportMetric(hook(), "ns/sendmsg")
		})
	}
}

// attachNothing attaches a program that does nothing, to see what the statistics take.
func attachNothing(b *testing.B, s *Sockets) *ebpf.Program {
	b.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "nothing", Type: ebpf.CGroupSKB, AttachType: ebpf.AttachCGroupInetEgress, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	set := attach.NewSet(s.tree, attach.Program{Program: p, At: ebpf.AttachCGroupInetEgress})
	if err := set.Add(attach.RootID); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { set.Close() })
	return p
}

// BenchmarkIdle reports what a reading of 10,000 UDP sockets takes that have exchanged a datagram each, and are idle since
// the reading before.
func BenchmarkIdle(b *testing.B) {
	const idle = 10_000
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		b.Fatal(err)
	}
	limit.Cur = max(limit.Cur, idle+1000)
	limit.Max = max(limit.Max, limit.Cur)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		testnet.Require(b, err)
	}
	n := testnet.New(b)
	s, err := Open(Options{Root: "/", All: true})
	if err != nil {
		testnet.Require(b, err)
	}
	defer s.Close()
	reported := map[uint64]bool{}
	read := func() {
		if err := s.Snapshot(false, time.Now(), func(c conn.Conn) {
			if c.Namespace.Inode == n.Inode {
				reported[c.ID.Cookie] = true
			}
		}); err != nil {
			b.Fatal(err)
		}
	}
	for range idle / 2 {
		var client, server int
		n.Do(func() { client, server, err = pairOf() })
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { errors.Join(unix.Close(client), unix.Close(server)) })
	}
	if read(); len(reported) != idle {
		b.Fatalf("%d sockets are reported, want %d", len(reported), idle)
	}
	var before, after unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		read()
	}
	if err := unix.Getrusage(unix.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(spent)/float64(b.N)/1e6, "ms-of-CPU/reading")
	b.ReportMetric(boolean(s.overFiles), "over-files")
}

// pairOf returns a client and its own server, with a datagram between them, in the namespace of the thread.
func pairOf() (client, server int, err error) {
	if server, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	if client, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	if err := unix.Bind(server, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, 0, err
	}
	address, err := unix.Getsockname(server)
	if err != nil {
		return 0, 0, err
	}
	return client, server, errors.Join(unix.Connect(client, address), unix.Send(client, []byte{1}, 0))
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var serverAddress = &unix.SockaddrInet4{Port: 9000, Addr: [4]byte{127, 0, 0, 1}}

// sockets returns a client and a server, in the namespace of the thread.
func sockets(connected bool) (client, server int, err error) {
	if server, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	if client, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	if err := unix.Bind(server, serverAddress); err != nil {
		return 0, 0, err
	}
	if connected {
		err = unix.Connect(client, serverAddress)
	}
	return client, server, err
}

// programTime returns the mean time of a program's runs since now, in nanoseconds.
func programTime(b *testing.B, p *ebpf.Program) func() float64 {
	b.Helper()
	read := func() (time.Duration, uint64) {
		info, err := p.Stats()
		if err != nil {
			b.Fatal(err)
		}
		return info.Runtime, info.RunCount
	}
	time0, runs0 := read()
	return func() float64 {
		spent, runs := read()
		if runs == runs0 {
			return 0
		}
		return float64((spent - time0).Nanoseconds()) / float64(runs-runs0)
	}
}
