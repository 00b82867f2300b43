// Package conn is the vocabulary that every other package speaks. It holds values only: nothing here reads,
// writes or keeps state, all types are comparable, and an address is never an IPv4-mapped one.
//
// The words, used in one sense everywhere:
//
//   - connection: the life of one socket, from connect or accept to close; a TCP connection has two ends, and
//     each is a connection.
//   - owner: the container or host process that a connection belongs to.
//   - peer: the other end, as far as it is known.
//   - original destination: the address that the client asked for; actual: the endpoint that is really there.
//   - translation: a conntrack entry with a reply that is not the reverse of its original.
//   - route: all translations between the two ends of a connection.
//   - report: what the kernel says of a connection at one moment.
//   - flow: connections that are counted together.
//   - snapshot: one pass over every socket that is tracked.
//
// A Conn is made of parts, so that a package that keeps some of it embeds a part and forgets no field: Socket,
// Timing, Counts, Process and Owner.
//
// A new TCP counter is added in eight places: its row in bpf/records.h and the kernel's field in bpf/kernel.h, a
// constant and a row in counts.go in the same order, a name in internal/names, a metric in the receiver's
// metadata.yaml and its row in the receiver's table of metrics, and a story of the receiver's tests. A new
// attribute of the peer is added in three: a constant and its key in internal/names, a description in the
// receiver's metadata.yaml, and the package that knows it.
package conn

import "time"

// ID names a connection for the life of the kernel. A socket that connects again keeps its cookie, so every attempt
// has a generation of its own.
type ID struct {
	Cookie     uint64 // socket cookie
	Generation uint32
}

// Conn is one report of the kernel on one connection. Counts are absolute: a later report replaces an earlier one.
type Conn struct {
	Socket
	Timing
	Counts  Counts
	Process Process
	Owner   Owner // of Process; the reader of the report fills it, as the kernel does not know it
}

// Socket says which socket a report is about, and how far its connection has come.
type Socket struct {
	ID          ID
	Namespace   Namespace // that the socket is in
	Tuple       Tuple     // as the socket has it, before any translation; Source is local
	Sequence    Sequence
	Protocol    Protocol
	Role        Role // as the kernel's counters show it
	PortsRole   Role // if Role is unknown: as the port numbers show it, which another evidence may refute
	Phase       Phase
	Error       Error
	SeenOpening bool // netconn saw the attempt, so it counts as one
	Transparent bool // a listener on another port accepted it (TPROXY)
	// ConnectHook: a BPF program ran in connect(), so the application may have asked for another destination.
	ConnectHook bool
	Datagrams   *Datagrams // of UDP; nil: a TCP socket
}

// Timing is when a connection began and how long its parts took. A duration of zero is not known.
type Timing struct {
	Handshake         time.Duration // from SYN to established; zero for an accepted socket
	Age               time.Duration // from SYN or accept to this report; zero for a socket older than netconn
	Opened            time.Time     // SYN or accept; for a socket older than netconn, the time of the report
	RTT, RTTVariation time.Duration // smoothed, as in TCP_INFO; zero before the first sample
}

// Reported returns when the kernel made the report: for the last one, when the connection ended.
func (t Timing) Reported() time.Time { return t.Opened.Add(t.Age) }

// End is what is kept of one end of a connection, to find its route and for the other end to know it.
type End struct {
	Socket
	Process uint32 // that opened it
	Owner   Owner
}

// End returns what is kept of the connection.
func (c Conn) End() End { return End{Socket: c.Socket, Process: c.Process.PID, Owner: c.Owner} }

// ServerPort returns the port that the server end listens on, or 0 where the role is unknown.
func (s *Socket) ServerPort() uint16 {
	switch s.Role {
	case RoleClient:
		return s.Tuple.Destination.Port()
	case RoleServer:
		return s.Tuple.Source.Port()
	}
	return 0
}
