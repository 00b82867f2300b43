package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/clock"
	"github.com/netconn/netconn/internal/conn"
)

var (
	errShort = errors.New("decode record: too short")
	errKind  = errors.New("decode record: unknown kind")
)

// record reads the bytes of a ring as one of the structs of bpf/records.h. It copies, because the ring's memory is
// reused and may be unaligned.
func record[T any](raw []byte) (r T, err error) {
	if len(raw) < int(unsafe.Sizeof(r)) {
		return r, errShort
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r)), raw)
	return r, nil
}

// maxNames bounds the names that a decoder remembers, for machines whose programs have random names.
const maxNames = 4096

// decoder turns records into reports. It remembers names, because almost every record repeats one.
type decoder struct {
	names map[string]string
	clock clock.Clock   // at the begin of the batch
	tick  time.Duration // a jiffy
}

func newDecoder() *decoder { return &decoder{names: map[string]string{}, tick: tick()} }

// tick returns the duration of a jiffy, in which the kernel counts some times. The coarse clocks advance once a jiffy.
func tick() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &t) // fails for a clock that does not exist only
	return time.Duration(t.Nano())
}

// decode hands one record to the handler's function for its kind.
func (d *decoder) decode(raw []byte, h Handler) error {
	kind, err := record[uint32](raw)
	if err != nil {
		return err
	}
	switch sockRecordKind(kind) {
	case sockRecordKindRECORD_CONNECTION:
		return deliver(raw, h.Conn, d.connection)
	case sockRecordKindRECORD_LISTENER:
		return deliver(raw, h.Listener, d.listener)
	case sockRecordKindRECORD_CGROUP:
		return deliver(raw, h.Cgroup, newCgroup)
	}
	return fmt.Errorf("%w: %d", errKind, kind)
}

// deliver passes records by value: with a pointer each of them would be allocated.
func deliver[R, V any](raw []byte, to func(V), convert func(R) V) error {
	r, err := record[R](raw)
	if err == nil && to != nil {
		to(convert(r))
	}
	return err
}

func (d *decoder) connection(r sockConnectionRecord) conn.Conn {
	return conn.Conn{
		Socket: conn.Socket{
			ID:        conn.ID{Cookie: r.Cookie, Generation: r.Generation},
			Namespace: conn.Namespace{Inode: r.Netns, Cookie: r.NetnsCookie},
			Tuple: conn.Tuple{
				Source:      endpoint(r.Local, r.LocalPort),
				Destination: endpoint(r.Remote, r.RemotePort),
			},
			Sequence:    conn.Sequence{Local: r.IsnLocal, Remote: r.IsnRemote},
			Protocol:    conn.TCP,
			Role:        role(r.Role),
			PortsRole:   role(r.PortsRole),
			Phase:       phase(r.Phase),
			Error:       reason(&r),
			SeenOpening: r.SeenOpening != 0,
			Transparent: r.Transparent != 0,
			ConnectHook: r.ConnectHook != 0,
		},
		Timing: conn.Timing{
			Handshake:    time.Duration(r.HandshakeNs),
			Age:          time.Duration(r.AgeNs),
			Opened:       d.clock.At(r.TimeNs - r.AgeNs),
			RTT:          time.Duration(r.Counters.RttUs) * time.Microsecond,
			RTTVariation: time.Duration(r.Counters.RttVariationUs) * time.Microsecond,
		},
		Counts:  d.counts(&r.Counters),
		Process: d.process(&r.Process),
	}
}

func (d *decoder) listener(r sockListenerRecord) conn.Listener {
	return conn.Listener{
		ID:      conn.ID{Cookie: r.Cookie, Generation: r.Generation},
		Inode:   r.Netns,
		Local:   endpoint(r.Local, r.LocalPort),
		Drops:   uint64(r.Drops),
		Closed:  r.Closed != 0,
		Process: d.process(&r.Process),
	}
}

func newCgroup(r sockCgroupRecord) conn.Cgroup {
	path, truncated := text(r.Path[:])
	if truncated {
		path = nil
	}
	return conn.Cgroup{ID: r.Id, V1: r.V1 != 0, Path: string(path)}
}

// counts relies on one order of the counters in bpf/records.h and in package conn.
func (d *decoder) counts(c *sockCounters) (all conn.Counts) {
	copy(all[:conn.WideCounters], c.Count64[:])
	for i, n := range c.Count32 {
		all[int(conn.WideCounters)+i] = uint64(n)
	}
	for i := conn.Busy; i <= conn.LimitedByBuffer; i++ {
		all[i] = all[i] * uint64(d.tick) / uint64(time.Millisecond)
	}
	return all
}

func (d *decoder) process(p *sockProcess) conn.Process {
	name, truncated := text(p.Executable[:])
	return conn.Process{
		PID: p.Pid, Truncated: truncated, Cgroup: p.Cgroup, CgroupV1: p.CgroupV1, Executable: d.name(name),
	}
}

func endpoint(address [16]byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(address).Unmap(), port)
}

func role(r uint8) conn.Role {
	switch r {
	case uint8(sockRoleROLE_CLIENT):
		return conn.RoleClient
	case uint8(sockRoleROLE_SERVER):
		return conn.RoleServer
	}
	return conn.RoleUnknown
}

func phase(p uint8) conn.Phase {
	switch p {
	case uint8(sockPhasePHASE_CLOSED):
		return conn.Closed
	case uint8(sockPhasePHASE_FAILED):
		return conn.Failed
	}
	return conn.Open
}

// reason names the errno that the kernel left in the socket. EPIPE is left by a reset after the other side had closed
// (tcp_reset). ERROR_UNKNOWN is among the rest.
func reason(r *sockConnectionRecord) conn.Error {
	switch unix.Errno(r.Error) {
	case 0:
		return withoutErrno(r)
	case unix.ECONNREFUSED:
		return conn.Refused
	case unix.ETIMEDOUT:
		return conn.TimedOut
	case unix.ECONNRESET, unix.EPIPE:
		return conn.Reset
	case unix.EHOSTUNREACH:
		return conn.HostUnreachable
	case unix.ENETUNREACH:
		return conn.NetworkUnreachable
	case unix.ECONNABORTED:
		return conn.Aborted
	}
	return conn.Other
}

// withoutErrno returns the reason of an end that left no errno: the application cancelled the attempt, or no SYN was
// sent.
func withoutErrno(r *sockConnectionRecord) conn.Error {
	switch {
	case phase(r.Phase) != conn.Failed:
		return conn.NoError
	case r.Counters.Count32[sockCount32SEGMENTS_SENT] == 0:
		return conn.NotSent
	}
	return conn.Cancelled
}

// name returns the string of a name; only a new one is allocated.
func (d *decoder) name(chars []byte) string {
	if name, known := d.names[string(chars)]; known {
		return name
	}
	if len(d.names) >= maxNames {
		clear(d.names)
	}
	name := string(chars)
	d.names[name] = name
	return name
}

// text returns the bytes of a C string before its terminating zero. A string that leaves no room for a longer one may
// have been truncated.
func text(chars []int8) (text []byte, truncated bool) {
	text = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(chars))), len(chars))
	if end := bytes.IndexByte(text, 0); end >= 0 {
		text = text[:end]
	}
	return text, len(text) >= len(chars)-1
}
