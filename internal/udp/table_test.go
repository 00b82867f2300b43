//go:build linux

package udp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/clock"
	"github.com/netconn/netconn/internal/conn"
)

// script is a table with the reports that it hands over, and a clock.
type script struct {
	table
	now time.Time
	got []conn.Conn
}

func newScript() *script { return &script{table: newTable(), now: time.Unix(1000, 0)} }

func (s *script) take(c conn.Conn) { s.got = append(s.got, c) }

// report takes a record of the socket 1, with so many bytes sent to its first peer.
func (s *script) report(sent uint64, change func(*datagramsDatagramRecord)) {
	r := datagramsDatagramRecord{Cookie: 1, Netns: 4, NetnsCookie: 5, RemotePort: 53}
	r.Remote = netip.MustParseAddr("10.0.0.2").As16()
	r.First.Local, r.First.LocalPort = netip.MustParseAddr("10.0.0.1").As16(), 40000
	r.First.Counts.Sent, r.First.Counts.DatagramsSent = sent, uint32(sent/10)
	if change != nil {
		change(&r)
	}
	s.socket(&r, false, s.at(), s.take)
}

// at is a reading at the script's time. The monotonic clock began at second 900.
func (s *script) at() reading {
	return reading{now: s.now, clock: clock.Clock{Wall: time.Unix(900, 0)}}
}

func (s *script) wait(d time.Duration) []exchangeID {
	s.now = s.now.Add(d)
	return s.expire(s.now, s.take)
}

// said returns generation, phase and bytes of the reports since the last call.
func (s *script) said() (all [][3]uint64) {
	for _, c := range s.got {
		all = append(all, [3]uint64{uint64(c.ID.Generation), uint64(c.Phase), c.Counts[conn.Sent]})
	}
	s.got = nil
	return all
}

func (s *script) want(t *testing.T, what string, want ...[3]uint64) {
	t.Helper()
	if diff := cmp.Diff(want, s.said()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// An exchange that is silent for a minute is closed. If it continues, it is another connection, without the counts of
// the one before.
func TestSilentExchange(t *testing.T) {
	s := newScript()
	s.report(100, nil)
	s.want(t, "the first report", [3]uint64{1, uint64(open), 100})
	s.wait(idleAfter - time.Second)
	s.report(100, nil) // a pass that reports all
	s.want(t, "nothing new", [3]uint64{1, uint64(open), 100})
	s.wait(2 * time.Second)
	s.want(t, "a minute later", [3]uint64{1, uint64(closed), 100})
	s.report(100, nil)
	s.want(t, "a pass that reports all")
	s.report(130, nil)
	s.want(t, "it continues", [3]uint64{2, uint64(open), 30})
	s.report(150, func(r *datagramsDatagramRecord) { r.Closed = 1 })
	s.want(t, "the end", [3]uint64{2, uint64(closed), 50})
	s.report(120, nil)
	s.want(t, "a live report that the end has overtaken")
	s.wait(time.Second)
	if len(s.sockets)+len(s.exchanges) > 0 {
		t.Errorf("%d sockets and %d exchanges stay", len(s.sockets), len(s.exchanges))
	}
}

// A socket that closes after its exchange has become silent is forgotten, and not reported again.
func TestSilentExchangeEnds(t *testing.T) {
	s := newScript()
	s.report(100, nil)
	s.wait(2 * idleAfter)
	s.said()
	s.report(100, func(r *datagramsDatagramRecord) { r.Closed = 1 })
	s.want(t, "the end")
	s.wait(time.Second)
	if len(s.sockets)+len(s.exchanges) > 0 {
		t.Errorf("%d sockets and %d exchanges stay", len(s.sockets), len(s.exchanges))
	}
}

// The end of a socket may be lost. It is taken as closed when three passes over all sockets have missed it.
func TestLostEnd(t *testing.T) {
	s := newScript()
	s.report(100, nil)
	further := exchangeID{cookie: 1, remote: netip.MustParseAddrPort("10.0.0.3:53")}
	x := datagramsDatagramExchange{}
	x.Counts.Sent = 7
	s.further(further, &x, true, s.at(), s.take)
	s.said()
	for range lostAfter {
		s.passed()
		s.wait(time.Second)
	}
	if s.sockets[1].closed {
		t.Fatal("closed too early")
	}
	s.passed()
	if forget := s.wait(time.Second); len(forget) != 1 || forget[0] != further {
		t.Errorf("to forget: %v", forget)
	}
	s.wait(2 * idleAfter)
	s.want(t, "the first exchange", [3]uint64{1, uint64(closed), 100})
	s.wait(time.Second)
	if len(s.sockets)+len(s.exchanges) > 0 {
		t.Errorf("%d sockets and %d exchanges stay", len(s.sockets), len(s.exchanges))
	}
}

// An exchange of a socket that was never reported waits for the socket, and not for ever.
func TestStrayExchange(t *testing.T) {
	s := newScript()
	id := exchangeID{cookie: 1, remote: netip.MustParseAddrPort("10.0.0.3:53")}
	x := datagramsDatagramExchange{}
	for n := range lostAfter + 1 {
		if got := s.further(id, &x, true, s.at(), s.take); got != (n == lostAfter) {
			t.Errorf("after %d passes: forget is %t", n+1, got)
		}
		s.wait(time.Second)
	}
	if len(s.got)+len(s.strays) > 0 {
		t.Errorf("%v, and %d strays stay", s.got, len(s.strays))
	}
}

// The rest of a socket is an exchange without a peer, beside the first one.
func TestRest(t *testing.T) {
	s := newScript()
	s.report(100, func(r *datagramsDatagramRecord) { r.Rest.Received, r.Rest.Drops = 9, 2 })
	if len(s.got) != 2 {
		t.Fatalf("%d reports", len(s.got))
	}
	rest := s.got[1]
	if rest.Tuple.Destination.IsValid() || rest.Role != unknown || rest.Counts[conn.Received] != 9 ||
		rest.Counts[conn.DatagramDrops] != 2 || rest.ID == s.got[0].ID {
		t.Errorf("%+v", rest)
	}
}

// Every field of a record is in the report.
func TestRecord(t *testing.T) {
	s := newScript()
	s.report(100, func(r *datagramsDatagramRecord) {
		r.Process.Pid, r.Process.Cgroup, r.Process.CgroupV1 = 6, 7, 8
		copy(r.Process.Executable[:], []int8{'a', 'p', 'p'})
		r.Flags = hooked
		r.First.Counts = datagramsDatagramCounts{Sent: 1, Received: 2, DatagramsSent: 3, DatagramsReceived: 4, Drops: 5, Errors: 6}
		r.First.Error, r.First.SentHash, r.First.ReceivedHash = uint16(unix.EHOSTUNREACH), 11, 12
		r.First.Actual, r.First.ActualPort = netip.MustParseAddr("10.0.0.9").As16(), 99
		r.First.OpenedNs = uint64(time.Second)
	})
	want := conn.Conn{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: 1, Generation: 1}, Namespace: conn.Namespace{Inode: 4, Cookie: 5}, Protocol: conn.UDP,
			Tuple: conn.Tuple{
				Source: netip.MustParseAddrPort("10.0.0.1:40000"), Destination: netip.MustParseAddrPort("10.0.0.2:53"),
			},
			Role: client, Error: conn.HostUnreachable, ConnectHook: true,
			Datagrams: &conn.Datagrams{
				Actual: netip.MustParseAddrPort("10.0.0.9:99"), SentHash: 11, ReceivedHash: 12,
			},
		},
		Timing: conn.Timing{Opened: time.Unix(901, 0), Age: 99 * time.Second},
		Counts: conn.Counts{
			conn.Sent: 1, conn.Received: 2, conn.SegmentsSent: 3, conn.SegmentsReceived: 4, conn.DatagramDrops: 5,
			conn.DatagramErrors: 6,
		},
		Process: conn.Process{PID: 6, Cgroup: 7, CgroupV1: 8, Executable: "app"},
	}
	if diff := cmp.Diff([]conn.Conn{want}, s.got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Who speaks first is the client. If that was not seen, the port shows it, or nothing does.
func TestRole(t *testing.T) {
	for _, tt := range []struct {
		answered, bound, late bool
		want                  conn.Role
	}{
		{false, false, false, client}, {true, false, false, server}, {false, true, false, client},
		{true, true, false, server}, {false, false, true, client}, {true, false, true, client},
		{false, true, true, unknown}, {true, true, true, server},
	} {
		if got := role(tt.answered, tt.bound, tt.late); got != tt.want {
			t.Errorf("answered %t, bound %t, late %t: %v, want %v", tt.answered, tt.bound, tt.late, got, tt.want)
		}
	}
}

func TestReason(t *testing.T) {
	for errno, want := range map[unix.Errno]conn.Error{
		0: conn.NoError, unix.ECONNREFUSED: conn.Refused, unix.EHOSTUNREACH: conn.HostUnreachable,
		unix.ENETUNREACH: conn.NetworkUnreachable, unix.EMSGSIZE: conn.Other,
	} {
		if got := reason(uint16(errno)); got != want {
			t.Errorf("%v is %v, want %v", errno, got, want)
		}
	}
}
