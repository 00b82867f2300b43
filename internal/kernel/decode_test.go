//go:build linux

package kernel

import (
	"errors"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

// bytesOf returns a record as the kernel would write it.
func bytesOf[T any](r T) []byte {
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r))...)
}

// executable and cgroupPath return C strings.
func executable(text string) (c [len(sockProcess{}.Executable)]int8) { fill(c[:], text); return c }
func cgroupPath(text string) (c [len(sockCgroupRecord{}.Path)]int8)  { fill(c[:], text); return c }

func fill(chars []int8, text string) {
	for i := range min(len(chars), len(text)) {
		chars[i] = int8(text[i])
	}
}

func cgroupRecord(id uint64, v1 uint32, path string) sockCgroupRecord {
	return sockCgroupRecord{Kind: uint32(sockRecordKindRECORD_CGROUP), Id: id, V1: v1, Path: cgroupPath(path)}
}

func sampleConnection() sockConnectionRecord {
	return sockConnectionRecord{
		Kind: uint32(sockRecordKindRECORD_CONNECTION), Generation: 2, Cookie: 77,
		Process:  sockProcess{Cgroup: 5, CgroupV1: 18, Pid: 42, Executable: executable("curl")},
		Counters: sockCounters{Count64: [...]uint64{1, 2}, Count32: [...]uint32{18, 19, 20, 3, 4, 5, 6, 7, 8, 16, 21, 22, 1}, RttUs: 9, RttVariationUs: 10},
		TimeNs:   111, AgeNs: 11, HandshakeNs: 12,
		Local: netip.MustParseAddr("::ffff:10.0.0.1").As16(), LocalPort: 4711,
		Remote: netip.MustParseAddr("2001:db8::1").As16(), RemotePort: 443,
		IsnLocal: 13, IsnRemote: 14, Netns: 15, NetnsCookie: 17, Error: uint16(unix.ETIMEDOUT),
		Role: uint8(sockRoleROLE_SERVER), Phase: uint8(sockPhasePHASE_CLOSED), SeenOpening: 1, Transparent: 1,
		ConnectHook: 1,
	}
}

func TestDecode(t *testing.T) {
	connection, listeners, cgroups := []conn.Conn(nil), []conn.Listener(nil), []conn.Cgroup(nil)
	h := Handler{
		Conn:     func(c conn.Conn) { connection = append(connection, c) },
		Listener: func(l conn.Listener) { listeners = append(listeners, l) },
		Cgroup:   func(c conn.Cgroup) { cgroups = append(cgroups, c) },
	}
	d := newDecoder()
	d.clock.Wall, d.tick = time.Unix(1, 0), 10*time.Millisecond
	process := sockProcess{Cgroup: 5, Pid: 42, Executable: executable("nginx")}
	for _, raw := range [][]byte{
		bytesOf(sampleConnection()),
		bytesOf(sockListenerRecord{Kind: uint32(sockRecordKindRECORD_LISTENER), Netns: 15, Cookie: 78, Process: process,
			Local: netip.IPv6Unspecified().As16(), Drops: 3, Generation: 1, LocalPort: 80, Closed: 1}),
		bytesOf(cgroupRecord(9, 0, "/a/b")), bytesOf(cgroupRecord(9, 1, "/c")),
		bytesOf(cgroupRecord(10, 0, "/"+strings.Repeat("x", len(sockCgroupRecord{}.Path)))),
	} {
		if err := d.decode(raw, h); err != nil {
			t.Fatal(err)
		}
		if err := d.decode(raw, Handler{}); err != nil {
			t.Fatalf("without anybody to hand it to: %v", err)
		}
	}
	address := netip.MustParseAddrPort
	wantEqual(t, "connection", []conn.Conn{{
		Socket: conn.Socket{
			ID: conn.ID{Cookie: 77, Generation: 2}, Namespace: conn.Namespace{Inode: 15, Cookie: 17},
			Tuple: conn.Tuple{Source: address("10.0.0.1:4711"), Destination: address("[2001:db8::1]:443")},
			Role:  conn.RoleServer, Phase: conn.Closed, Error: conn.TimedOut, SeenOpening: true,
			Transparent: true, ConnectHook: true, Sequence: conn.Sequence{Local: 13, Remote: 14}, Protocol: conn.TCP,
		},
		Timing: conn.Timing{
			Handshake: 12, Age: 11, Opened: time.Unix(1, 100), RTT: 9 * time.Microsecond, RTTVariation: 10 * time.Microsecond,
		},
		Counts: conn.Counts{
			conn.Sent: 1, conn.Received: 2, conn.SegmentsSent: 3, conn.SegmentsReceived: 4, conn.Retransmits: 5,
			conn.OutOfOrder: 6, conn.Reordering: 7, conn.CE: 8, conn.SegmentsLost: 16,
			conn.Busy: 180, conn.LimitedByReceiver: 190, conn.LimitedByBuffer: 200, conn.Timeouts: 21, conn.Recoveries: 22,
			conn.Bypassed: 1,
		},
		Process: conn.Process{PID: 42, Cgroup: 5, CgroupV1: 18, Executable: "curl"},
	}}, connection)
	wantEqual(t, "listener", []conn.Listener{{
		ID:      conn.ID{Cookie: 78, Generation: 1},
		Inode:   15,
		Local:   address("[::]:80"),
		Drops:   3,
		Closed:  true,
		Process: conn.Process{PID: 42, Cgroup: 5, Executable: "nginx"},
	}}, listeners)
	wantEqual(t, "cgroups", []conn.Cgroup{{ID: 9, Path: "/a/b"}, {ID: 9, V1: true, Path: "/c"}, {ID: 10}}, cgroups)
}

// A field that is added to a report and forgotten in its conversion stays zero.
func TestEveryFieldIsDecoded(t *testing.T) {
	raw := make([]byte, unsafe.Sizeof(sockConnectionRecord{}))
	for i := range raw {
		raw[i] = 1 // role client, phase closed, and no errno is 0
	}
	r, err := record[sockConnectionRecord](raw)
	if err != nil {
		t.Fatal(err)
	}
	r.Process.Executable = executable(strings.Repeat("x", len(r.Process.Executable)-1))
	d := newDecoder()
	d.clock.Wall = time.Unix(1, 0)
	c := d.connection(r)
	c.Datagrams = &conn.Datagrams{} // package udp's, as the two counters are
	c.Counts[conn.DatagramDrops], c.Counts[conn.DatagramErrors] = 1, 1
	c.Owner = conn.Owner{ // package owner's
		ContainerID: "x", PodUID: "x", Unit: "x", Executable: "x", Named: true, StaticPod: true,
	}
	wantNonZero(t, "Conn", reflect.ValueOf(c))

	l, err := record[sockListenerRecord](raw)
	if err != nil {
		t.Fatal(err)
	}
	l.Process.Executable = r.Process.Executable
	listener := newDecoder().listener(l)
	listener.Owner = c.Owner
	wantNonZero(t, "Listener", reflect.ValueOf(listener))
}

func wantNonZero(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch {
	case v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[conn.Conn]().PkgPath():
		for i := range v.NumField() {
			wantNonZero(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case v.Kind() == reflect.Array:
		for i := range v.Len() {
			wantNonZero(t, path+"["+strconv.Itoa(i)+"]", v.Index(i))
		}
	case v.IsZero():
		t.Errorf("%s is not decoded", path)
	}
}

func TestTruncatedName(t *testing.T) {
	room := len(sockProcess{}.Executable) - 1 // for the terminating zero
	for length, want := range map[int]bool{0: false, 1: false, room - 1: false, room: true, room + 1: true} {
		p := newDecoder().process(&sockProcess{Executable: executable(strings.Repeat("x", length))})
		if p.Truncated != want || len(p.Executable) != length {
			t.Errorf("%d bytes: %+v, want truncated: %t", length, p, want)
		}
	}
	odd := "caf\xe9" // bytes of the file system, not characters
	wantEqual(t, "name", odd, newDecoder().process(&sockProcess{Executable: executable(odd)}).Executable)
}

func TestReason(t *testing.T) {
	for _, c := range []struct {
		errno unix.Errno
		phase sockPhase
		want  conn.Error
	}{
		{0, sockPhasePHASE_CLOSED, conn.NoError},
		{0, sockPhasePHASE_FAILED, conn.NotSent},
		{unix.ECONNREFUSED, sockPhasePHASE_FAILED, conn.Refused},
		{unix.ETIMEDOUT, sockPhasePHASE_FAILED, conn.TimedOut},
		{unix.ECONNRESET, sockPhasePHASE_CLOSED, conn.Reset},
		{unix.EPIPE, sockPhasePHASE_CLOSED, conn.Reset},
		{unix.EHOSTUNREACH, sockPhasePHASE_FAILED, conn.HostUnreachable},
		{unix.ENETUNREACH, sockPhasePHASE_FAILED, conn.NetworkUnreachable},
		{unix.ECONNABORTED, sockPhasePHASE_CLOSED, conn.Aborted},
		{unix.EPROTO, sockPhasePHASE_CLOSED, conn.Other},
		{unix.Errno(sockUnknownErrorERROR_UNKNOWN), sockPhasePHASE_CLOSED, conn.Other},
	} {
		r := sockConnectionRecord{Error: uint16(c.errno), Phase: uint8(c.phase)}
		if got := reason(&r); got != c.want {
			t.Errorf("%v in phase %d: %v, want %v", c.errno, c.phase, got, c.want)
		}
	}
}

func TestCancelledAfterASYN(t *testing.T) {
	r := sockConnectionRecord{Phase: uint8(sockPhasePHASE_FAILED), Counters: sockCounters{Count32: [sockCount32COUNTS32]uint32{sockCount32SEGMENTS_SENT: 1}}}
	wantEqual(t, "reason", conn.Cancelled, reason(&r))
}

// Names are remembered within bounds, and stay what they are when the memory is given up.
func TestNames(t *testing.T) {
	d := newDecoder()
	for i := range 3 * maxNames {
		want := strconv.Itoa(i / 2)
		if got := d.name([]byte(want)); got != want {
			t.Fatalf("name %q, want %q", got, want)
		}
	}
	if len(d.names) > maxNames {
		t.Errorf("%d names are remembered", len(d.names))
	}
}

func TestDecodeRefuses(t *testing.T) {
	whole := bytesOf(sampleConnection())
	for name, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"nothing":      {nil, errShort},
		"half a kind":  {whole[:3], errShort},
		"only a kind":  {whole[:4], errShort},
		"a byte short": {whole[:len(whole)-1], errShort},
		"unknown kind": {make([]byte, 600), errKind},
	} {
		if err := newDecoder().decode(c.raw, Handler{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Whatever is in the ring, decoding neither panics nor lets a mapped address out.
func FuzzDecode(f *testing.F) {
	f.Add(bytesOf(sampleConnection()))
	f.Add(bytesOf(sockCgroupRecord{Kind: uint32(sockRecordKindRECORD_CGROUP)}))
	f.Add(bytesOf(sockListenerRecord{Kind: uint32(sockRecordKindRECORD_LISTENER)}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		err := newDecoder().decode(raw, Handler{
			Conn: func(c conn.Conn) {
				if c.Tuple.Source.Addr().Is4In6() || c.Tuple.Destination.Addr().Is4In6() || c.Role > conn.RoleServer ||
					c.Phase > conn.Failed || c.Error >= conn.Errors {
					t.Errorf("%+v", c)
				}
			},
			Listener: func(conn.Listener) {},
			Cgroup:   func(conn.Cgroup) {},
		})
		if err != nil && !errors.Is(err, errShort) && !errors.Is(err, errKind) {
			t.Error(err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw, sum := bytesOf(sampleConnection()), uint64(0)
	h := Handler{Conn: func(c conn.Conn) { sum += c.Counts[conn.Sent] }}
	d := newDecoder()
	b.ReportAllocs()
	for b.Loop() {
		if err := d.decode(raw, h); err != nil {
			b.Fatal(err)
		}
	}
}
