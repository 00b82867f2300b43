package edge

// Role tells which end reports.
type Role uint8

// The roles. Unknown: it was not seen who connected.
const (
	Unknown Role = iota
	Client
	Server
)

func (r Role) String() string { return [...]string{"unknown", "client", "server"}[r] }

// Scope tells how far the two ends are from each other.
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
	return [...]string{"unknown", "container", "pod", "node", "remote"}[s]
}

// Local tells whether both ends are on one host, so that one collector sees both.
func (s Scope) Local() bool { return s == ScopeContainer || s == ScopePod || s == ScopeNode }

// Link is what tells the edges between two ends apart, and who reports. Comparable.
type Link struct {
	Role            Role
	Scope           Scope
	Port            uint16 // that the server listens on; 0: not known
	OriginalPort    uint16 // that the client asked for, where it was translated; 0: not translated
	Transport       Value
	NAT             Value
	Original        Value // name of what the client asked for, where it was translated
	OriginalAddress Value
}

// Get returns the text of a tag, empty if the edge does not have it.
func (l *Link) Get(t LinkTag) string {
	switch t {
	case Port:
		return port(l.Port)
	case Transport:
		return l.Transport.String()
	case ScopeTag:
		return l.Scope.String()
	case NAT:
		return l.NAT.String()
	case Original:
		return l.Original.String()
	case OriginalPort:
		return port(l.OriginalPort)
	case OriginalAddress:
		return l.OriginalAddress.String()
	}
	return l.Role.String()
}

// Value returns the same as Get as a Value.
func (l *Link) Value(t LinkTag) Value {
	switch t {
	case Transport:
		return l.Transport
	case NAT:
		return l.NAT
	case Original:
		return l.Original
	case OriginalAddress:
		return l.OriginalAddress
	}
	return Text(l.Get(t))
}
