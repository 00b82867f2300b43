// Package conn is the vocabulary that every other package speaks. It holds values only: nothing here reads, writes or
// keeps state, everything is comparable, and addresses are never IPv4-mapped.
//
// The words, used in one sense everywhere:
//
//   - connection: the life of one socket, from connect or accept to close; the two ends of it are two connections.
//   - owner: the container or host process that a connection belongs to.
//   - peer: the other end, as far as it is known.
//   - original destination: what the client asked for; actual: who is really there.
//   - translation: a conntrack entry whose reply is not the reverse of its original.
//   - route: all that was translated between the two ends of a connection.
//   - flow: connections that are counted together.
//   - snapshot: one pass over every socket that is tracked.
package conn

import (
	"net/netip"
	"time"
)

// ID names a connection for the life of the kernel. A socket that connects again keeps its cookie, so every attempt
// has a generation of its own.
type ID struct {
	Cookie     uint64
	Generation uint32
}

// Tuple is the pair of addresses of a packet. A socket's tuple is that of the packets it sends: Source is local.
type Tuple struct {
	Source, Destination netip.AddrPort
}

// Reverse returns the tuple of the packets that answer.
func (t Tuple) Reverse() Tuple { return Tuple{Source: t.Destination, Destination: t.Source} }

// Role tells which end of a connection a socket is.
type Role uint8

const (
	RoleUnknown Role = iota // the socket is older than netconn, and its counters do not tell
	RoleClient              // it connected
	RoleServer              // it was accepted
)

// String returns the value of the attribute netconn.role.
func (r Role) String() string {
	switch r {
	case RoleClient:
		return "client"
	case RoleServer:
		return "server"
	}
	return "unknown"
}

// Phase tells how far a connection has come.
type Phase uint8

const (
	Open   Phase = iota // established, not closed yet
	Closed              // was established; its counters are final
	Failed              // never became established
)

// Error is the reason why a connection failed or ended other than by agreement.
type Error uint8

const (
	NoError Error = iota
	Refused
	TimedOut
	Reset
	HostUnreachable
	NetworkUnreachable
	Cancelled // by the application, before there was an answer
	NotSent   // for a reason on this side: no local port was free, for one
	Aborted   // by an administrator (ss -K)
	Lost      // the kernel's report of the end was lost
	Other     // an errno that has no name here, or one that the application had taken before the end was seen
	Errors    // how many there are
)

// String returns the value of the attribute error.type; NoError is the empty string, and Other is the value that the
// semantic conventions keep for it.
func (e Error) String() string {
	return [Errors]string{
		"", "refused", "timed_out", "reset", "host_unreachable", "network_unreachable", "cancelled", "not_sent", "aborted",
		"lost", "_OTHER",
	}[e]
}

// Sequence holds the two initial sequence numbers of a TCP connection. Both ends know both, and no address translation
// changes them, so they pair the ends of a connection on one machine whatever lies between. The zero value means that
// the connection was never established.
type Sequence struct {
	Local, Remote uint32
}

// Reverse returns the same two numbers as the other end has them.
func (s Sequence) Reverse() Sequence { return Sequence{Local: s.Remote, Remote: s.Local} }

// Counters are what the kernel counted on one socket. All but the two gauges only grow. For a socket older than netconn they
// start at zero when netconn first saw it.
type Counters struct {
	Sent, Received                 uint64        // payload bytes, without SYN and FIN, retransmitted bytes once
	SegmentsSent, SegmentsReceived uint32        // packets with data or not, retransmitted ones each time
	Retransmits                    uint32        // segments
	OutOfOrder                     uint32        // packets that arrived before an earlier one
	Reordering                     uint32        // reordering events seen by the sender
	CE                             uint32        // segments that the receiver saw marked "congestion experienced"
	Lost                           uint32        // segments that the sender took for lost, retransmitted ones each time
	RTT, RTTVariation              time.Duration // smoothed, as in TCP_INFO; zero: no sample yet
}

// Process is what the kernel knew of the task that opened the connection (or the listener that accepted it), at that
// moment; it may be long gone. The zero value: unknown.
type Process struct {
	PID        uint32 // in the initial process namespace
	Cgroup     uint64 // id of its cgroup
	Executable string // name of the executable file, at most 31 bytes
}

// Owner is the container or the host service that a connection belongs to. Comparable; the zero value: unknown.
type Owner struct {
	ContainerID string // 64 hexadecimal digits, or empty: a host process
	PodUID      string // a UUID, or empty: not in a pod, or a static pod
	Unit        string // systemd unit of a host process; sessions and transient units folded into their slice
	Executable  string // of the container's first process; of the process itself on the host
}

// End is what is kept of an end of a connection: for the other end on the same machine to know, and to find its route.
type End struct {
	ID          ID
	Cookie      uint64 // of Namespace
	Namespace   uint32
	Process     uint32 // that opened it
	Tuple       Tuple  // as its socket has it
	Role        Role
	Phase       Phase
	Error       Error
	SeenOpening bool
	Transparent bool
	Owner       Owner
}

// NAT is how the addresses of a connection were translated on the way between its two ends.
type NAT uint8

const (
	NATUnresolved  NAT = iota // not known
	NATNone                   // they were not
	NATRedirect               // the destination, in the namespace that it belongs to
	NATDestination            // the destination, elsewhere
	NATSource                 // the source
	NATBoth                   // the destination and the source
	NATTransparent            // the server took what was addressed to another port (TPROXY): nothing was translated
)

// String returns the value of the attribute netconn.nat.
func (n NAT) String() string {
	return [...]string{"unresolved", "none", "redirect", "dnat", "snat", "dnat+snat", "tproxy"}[n]
}

// Route is who is really at the two ends of a connection, and what was asked for. The zero value: nothing is known beyond
// the socket.
type Route struct {
	NAT            NAT
	Client, Server netip.AddrPort // actual; invalid: no other than the sockets have
	Asked          netip.AddrPort // original destination; invalid: that of the sockets, as far as is known
	Port           uint16         // that a packet to the server has when it enters the server's namespace; 0: that of the socket
}

// Conn is one report of the kernel on one connection. Counters are absolute: a later report replaces an earlier one.
type Conn struct {
	ID          ID
	Namespace   uint32 // inode of the network namespace of the socket
	Cookie      uint64 // of that namespace; an inode is soon another one's, a cookie never (Linux 5.14); 0: not known
	Tuple       Tuple  // as the socket has it, before any translation; Source is local
	Role        Role
	Phase       Phase
	Error       Error
	SeenOpening bool // netconn saw the attempt, so it counts as one
	Transparent bool // it was accepted by a listener on another port (TPROXY)
	Sequence    Sequence
	Handshake   time.Duration // from SYN to established; zero for an accepted socket, and unknown for one older than netconn
	Age         time.Duration // from SYN or accept to this report; zero for one older than netconn
	Moment      time.Time     // at which both ends had their addresses: that of SYN or accept, or of the report of one older than netconn
	Counters    Counters
	Process     Process
	Owner       Owner // of Process; filled by the reader of the report, the kernel does not know it
}

// Remote returns who is really at the other end of a socket with this tuple, as far as the route tells.
func (r Route) Remote(t Tuple) (remote netip.AddrPort, known bool) {
	switch {
	case !r.Client.IsValid():
		return t.Destination, false
	case r.Client == t.Source:
		return r.Server, true
	}
	return r.Client, true
}

// End returns what is kept of the connection.
func (c Conn) End() End {
	return End{
		ID: c.ID, Cookie: c.Cookie, Namespace: c.Namespace, Process: c.Process.PID, Tuple: c.Tuple, Role: c.Role, Phase: c.Phase,
		Error: c.Error, SeenOpening: c.SeenOpening, Transparent: c.Transparent, Owner: c.Owner,
	}
}

// ServerPort returns the port that the server end listens on, or 0 where the role is unknown.
func (c Conn) ServerPort() uint16 {
	switch c.Role {
	case RoleClient:
		return c.Tuple.Destination.Port()
	case RoleServer:
		return c.Tuple.Source.Port()
	}
	return 0
}

// Listener is a report of the kernel on one listening socket.
type Listener struct {
	ID        ID
	Namespace uint32
	Local     netip.AddrPort
	Drops     uint64 // connections dropped because a queue was full, since netconn first saw it
	Closed    bool   // Drops is final
	Process   Process
	Owner     Owner
}

// Losses are what could not be itemised because a buffer was full, in sums that only grow. They keep totals true.
type Losses struct {
	Opened, Failed, Closed uint64 // of connections that were never reported before
	Sent, Received         uint64 // payload bytes that no report will hold
	Retransmits            uint64
	Known                  uint64 // ends of connections that were reported before: they look open still
}

// Peer is who is at the other end, by the names that its attributes have. Comparable. Empty: not known.
type Peer struct {
	Type          PeerType
	Scope         Scope
	Name          string // for grouping: workload, else service, else executable or unit, else configured network
	ContainerName string
	ContainerID   string
	ImageTag      string // of its container's image
	Proxy         Proxy

	// What Kubernetes knows.
	Namespace        string
	Workload         string // what made the pod: a Deployment, not its ReplicaSet; a CronJob, not its Job
	WorkloadKind     string
	Pod              string // its name
	Node             string // that it runs on, or is
	Zone, Region     string // of that node
	Service          string // service.name of its own telemetry
	ServiceNamespace string // service.namespace of its own telemetry
}

// Proxy is a value of the attribute netconn.peer.proxy: what a proxy is there for. Empty: not a proxy, or not known.
type Proxy string

const (
	ProxySidecar Proxy = "sidecar" // of one pod
	ProxyZtunnel Proxy = "ztunnel" // of one node
	ProxyGateway Proxy = "gateway" // of a cluster or a namespace
)

// PeerType is a value of the attribute netconn.peer.type.
type PeerType string

const (
	PeerContainer PeerType = "container"
	PeerPod       PeerType = "pod"
	PeerService   PeerType = "service" // an address that stands for others: which one answers is not known
	PeerNode      PeerType = "node"    // a machine of the cluster, and none of its pods that is known
	PeerHost      PeerType = "host"    // a process of this machine, outside of any container
	PeerPrivate   PeerType = "private" // an address that is not routed on the internet
	PeerPublic    PeerType = "public"
	PeerUnknown   PeerType = "unknown"
)

// Scope is a value of the attribute netconn.peer.scope: where the peer is, seen from the local end.
type Scope string

const (
	ScopeContainer Scope = "container" // the same container
	ScopePod       Scope = "pod"       // another container of the same pod
	ScopeNode      Scope = "node"      // elsewhere on this machine
	ScopeRemote    Scope = "remote"
	ScopeUnknown   Scope = "unknown"
)
