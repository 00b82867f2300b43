package names

// Values of network.io.direction.
const (
	Transmit = "transmit"
	Receive  = "receive"
)

// Values of netconn.limited_by.
const (
	Receiver   = "receiver"
	SendBuffer = "send_buffer"
)

// Values of network.transport.
const (
	TCP = "tcp"
	UDP = "udp"
)

// Values of netconn.role. The role is unknown if the opening was not seen.
const (
	RoleUnknown = "unknown"
	RoleClient  = "client"
	RoleServer  = "server"
)

// Roles returns the values of netconn.role.
func Roles() []string { return []string{RoleUnknown, RoleClient, RoleServer} }

// Values of netconn.peer.scope: where the peer is, seen from the local end.
const (
	ScopeUnknown   = "unknown"
	ScopeContainer = "container" // the same container
	ScopePod       = "pod"       // another container of the same pod
	ScopeNode      = "node"      // elsewhere on this machine
	ScopeRemote    = "remote"
)

// Scopes returns the values of netconn.peer.scope, from the nearest to the farthest; unknown comes first.
func Scopes() []string {
	return []string{ScopeUnknown, ScopeContainer, ScopePod, ScopeNode, ScopeRemote}
}

// Values of netconn.peer.type.
const (
	TypeContainer = "container"
	TypePod       = "pod"
	TypeService   = "service" // an address that stands for several endpoints; which one answers is not known
	TypeNode      = "node"    // a machine of the cluster, but none of its pods that is known
	TypeHost      = "host"    // a process of this machine, outside any container
	TypePrivate   = "private" // an address that is not routed on the internet
	TypePublic    = "public"
	TypeUnknown   = "unknown"
)

// Types returns the values of netconn.peer.type.
func Types() []string {
	return []string{TypeContainer, TypePod, TypeService, TypeNode, TypeHost, TypePrivate, TypePublic, TypeUnknown}
}

// Values of netconn.nat.
const (
	NATUnresolved  = "unresolved"
	NATNone        = "none"
	NATRedirect    = "redirect"  // the destination, in the server's namespace
	NATDestination = "dnat"      // the destination, elsewhere
	NATSource      = "snat"      // the source
	NATBoth        = "dnat+snat" // the destination and the source
	NATTransparent = "tproxy"    // nothing was translated: the server took what was addressed to another port
)

// NATs returns the values of netconn.nat.
func NATs() []string {
	return []string{NATUnresolved, NATNone, NATRedirect, NATDestination, NATSource, NATBoth, NATTransparent}
}

// ErrorTypes returns the values of error.type.
func ErrorTypes() []string {
	return []string{
		"refused", "timed_out", "reset", "host_unreachable", "network_unreachable", "cancelled", "not_sent", "aborted",
		"lost", OtherError,
	}
}

// OtherError is the value of error.type for an error without a name of its own, as the semantic conventions have it.
const OtherError = "_OTHER"
