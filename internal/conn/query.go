package conn

import (
	"net/netip"
	"time"
)

// Query asks a source of peers who is at the other end of a connection.
type Query struct {
	Here      bool       // the other end is on this machine, and Owner is its owner
	Owner     Owner      // of the other end, as far as it is known
	Address   netip.Addr // of the other end, where that is not on this machine
	Port      uint16     // that it listens on; 0 if it is the client, because a client's port identifies no pod
	Protocol  Protocol   // of Port
	Namespace Namespace  // that Address is reached from
	At        time.Time  // a moment at which it had the address: when the connection began, or else was first seen
	Now       time.Time
}

// Answer is how certain an answer to a query is.
type Answer uint8

const (
	Unknown     Answer = iota // there is none, but a later one may be
	Provisional               // a later one may be better
	Final                     // it will stay; an empty peer: the source does not know it, and never will
)

// String returns the value of the attribute netconn.answer.
func (a Answer) String() string { return [...]string{"unknown", "provisional", "final"}[a] }

// A Fault is something that does not work now.
type Fault struct {
	About string // the same for as long as the fault is the same
	Err   error  // a sentence, with what is missing because of it
	Lasts bool   // it is worth a line of the log a minute
}
