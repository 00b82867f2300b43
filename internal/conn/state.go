package conn

import "github.com/netconn/netconn/internal/names"

// Role says which end of a connection a socket is.
type Role uint8

const (
	RoleUnknown Role = iota // the socket is older than netconn, and its counters do not show the role
	RoleClient              // it connected
	RoleServer              // it was accepted
)

// String returns the value of the attribute netconn.role.
func (r Role) String() string {
	switch r {
	case RoleClient:
		return names.RoleClient
	case RoleServer:
		return names.RoleServer
	}
	return names.RoleUnknown
}

// Phase says how far a connection has come.
type Phase uint8

const (
	Open   Phase = iota // established, not closed yet
	Closed              // was established; its counters are final
	Failed              // never became established
)

// Error is the reason why a connection failed, or ended other than by agreement.
type Error uint8

const (
	NoError Error = iota
	Refused
	TimedOut
	Reset
	HostUnreachable
	NetworkUnreachable
	Cancelled // by the application, before there was an answer
	NotSent   // for a reason on this side, such as no free local port
	Aborted   // by an administrator (ss -K)
	Lost      // the kernel's report of the end was lost
	Other     // an errno without a name here, or one that the application took before netconn saw the end
	Errors    // how many there are
)

var errorTypes = append([]string{NoError: ""}, names.ErrorTypes()...)

// String returns the value of the attribute error.type; NoError is the empty string.
func (e Error) String() string { return errorTypes[e] }
