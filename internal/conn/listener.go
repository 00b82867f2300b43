package conn

import "net/netip"

// Listener is a report of the kernel on one listening socket.
type Listener struct {
	ID      ID
	Inode   uint32 // of its network namespace
	Local   netip.AddrPort
	Drops   uint64 // connections dropped because a queue was full, since netconn first saw the socket
	Closed  bool   // Drops is final
	Process Process
	Owner   Owner
}
