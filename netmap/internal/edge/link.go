package edge

import (
	"strconv"

	"github.com/netconn/netconn/internal/names"
)

// Role is the role of the end that reports.
type Role uint8

// The roles, in the order of names.Roles. Unknown: neither end saw the connection open.
const (
	Unknown Role = iota
	Client
	Server
)

func (r Role) String() string {
	return [...]string{names.RoleUnknown, names.RoleClient, names.RoleServer}[r]
}

// Scope is the distance between the two ends.
type Scope uint8

// The scopes, as in netconn.peer.scope.
const (
	ScopeUnknown Scope = iota
	ScopeContainer
	ScopePod
	ScopeNode
	ScopeRemote
)

func (s Scope) String() string {
	return [...]string{names.ScopeUnknown, names.ScopeContainer, names.ScopePod, names.ScopeNode, names.ScopeRemote}[s]
}

// Local reports whether both ends are on one host, so that one collector sees both.
func (s Scope) Local() bool { return s == ScopeContainer || s == ScopePod || s == ScopeNode }

// InPod reports whether both ends are in one pod or container, such as an application and its own sidecar.
func (s Scope) InPod() bool { return s == ScopeContainer || s == ScopePod }

// Link is what distinguishes the edges between two ends, and the role of the end that reports. Comparable.
type Link struct {
	Role            Role
	Scope           Scope
	Lookups         bool   // look-ups of DNS, else connections
	Port            uint16 // that the server listens on; 0: unknown
	OriginalPort    uint16 // that the client connected to, if it was translated; 0: not translated
	Transport       Value  // look-ups of both have none
	NAT             Value
	Original        Value // name of the original destination, if it was translated
	OriginalAddress Value
	Source          Value // workload and namespace in whose name the client connects, if it is the proxy of another pod
}

// Get returns the text of a tag, or "" if the edge does not have it.
func (l *Link) Get(t names.EdgeTag) string { return l.Value(t).String() }

// Value returns the value of a tag; the zero Value if the edge does not have it.
func (l *Link) Value(t names.EdgeTag) Value {
	switch t {
	case names.EdgePort:
		return portText(l.Port)
	case names.EdgeTransport:
		return l.Transport
	case names.EdgeScope:
		return Text(l.Scope.String())
	case names.EdgeNAT:
		return l.NAT
	case names.EdgeOriginal:
		return l.Original
	case names.EdgeOriginalPort:
		return portText(l.OriginalPort)
	case names.EdgeOriginalAddress:
		return l.OriginalAddress
	case names.EdgeSource:
		return l.Source
	}
	return Text(l.Role.String())
}

func portText(p uint16) Value {
	if p == 0 {
		return Value{}
	}
	return Text(strconv.Itoa(int(p)))
}
