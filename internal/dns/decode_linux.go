package dns

import (
	"bytes"
	"errors"
	"net/netip"
	"time"
	"unsafe"

	"github.com/netconn/netconn/internal/clock"
	"github.com/netconn/netconn/internal/conn"
)

var (
	errRecord = errors.New("decode a record of DNS: too short")
	errKind   = errors.New("decode a record of DNS: unknown kind")
)

// record reads the bytes of the ring as one of the structs of bpf/records.h. It copies, because they may be unaligned.
func record[T any](raw []byte) (r T, err error) {
	if len(raw) < int(unsafe.Sizeof(r)) {
		return r, errRecord
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r)), raw)
	return r, nil
}

// maxStrings bounds the strings that a decoder remembers.
const maxStrings = 4096

// decoder turns records into reports. It remembers names, because most records repeat one.
type decoder struct {
	executables map[string]string
	questions   map[Name]string
	message     Message
	clock       clock.Clock // at the begin of the batch
	malformed   uint64
}

func newDecoder() decoder {
	return decoder{executables: make(map[string]string), questions: make(map[Name]string)}
}

// response hands over one record. A response that cannot be read counts as malformed and is handed over without a name:
// it is an answer to a query.
func (d *decoder) response(raw []byte, h Handler) error {
	r, err := record[kernelDnsRecord](raw)
	if err != nil {
		return err
	}
	message := raw[unsafe.Sizeof(r):]
	if len(message) < int(r.Captured) {
		return errRecord
	}
	readErr := d.message.Read(message[:r.Captured], int(r.Size))
	if readErr != nil {
		d.malformed++
	}
	l := conn.Lookup{
		Namespace: conn.Namespace{Inode: r.Netns, Cookie: r.NetnsCookie},
		Tuple:     conn.Tuple{Source: endpoint(r.Local, r.LocalPort), Destination: endpoint(r.Remote, r.RemotePort)},
		Protocol:  conn.Protocol(r.Protocol),
		Role:      conn.RoleClient,
		Process:   d.process(&r.Process),
		At:        d.clock.At(r.TimeNs),
		Answered:  true,
		Rcode:     conn.Rcode(d.message.Rcode),
		Latency:   time.Duration(r.LatencyNs),
		Timeouts:  uint64(r.Resent),
	}
	if kernelRole(r.Role) == kernelRoleROLE_SERVER {
		l.Role = conn.RoleServer
	}
	var addresses []Address
	if readErr == nil && d.message.HasName {
		l.Question, addresses = d.question(), d.message.Addresses
	}
	h(l, addresses)
	return nil
}

// unanswered returns the report on queries that had no response.
func (d *decoder) unanswered(k *kernelDnsKey, q *kernelDnsQuery) conn.Lookup {
	l := conn.Lookup{
		Namespace: conn.Namespace{Inode: q.Netns, Cookie: q.NetnsCookie},
		Tuple:     conn.Tuple{Source: endpoint(q.Local, q.LocalPort), Destination: endpoint(k.Remote, k.RemotePort)},
		Protocol:  conn.Protocol(k.Protocol),
		Role:      conn.RoleClient,
		Process:   d.process(&q.Process),
		At:        d.clock.At(q.TimeNs),
		Timeouts:  uint64(q.Resent) + 1,
	}
	if k.Server != 0 {
		l.Role = conn.RoleServer
	}
	return l
}

func (d *decoder) process(p *kernelProcess) conn.Process {
	name := unsafe.Slice((*byte)(unsafe.Pointer(&p.Executable[0])), len(p.Executable))
	if end := bytes.IndexByte(name, 0); end >= 0 {
		name = name[:end]
	}
	return conn.Process{PID: p.Pid, Truncated: len(name) >= len(p.Executable)-1, Cgroup: p.Cgroup,
		CgroupV1: p.CgroupV1, Executable: d.executable(name)}
}

func (d *decoder) executable(chars []byte) string {
	if known, ok := d.executables[string(chars)]; ok {
		return known
	}
	if len(d.executables) >= maxStrings {
		clear(d.executables)
	}
	name := string(chars)
	d.executables[name] = name
	return name
}

// question returns the name of the message. What is behind it in its memory is another name's, and must not count.
func (d *decoder) question() string {
	n := d.message.Question
	clear(n.labels[n.size:])
	if known, ok := d.questions[n]; ok {
		return known
	}
	if len(d.questions) >= maxStrings {
		clear(d.questions)
	}
	name := n.String()
	d.questions[n] = name
	return name
}

func endpoint(address [16]byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(address).Unmap(), port)
}
