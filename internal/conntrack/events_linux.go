package conntrack

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// eventGroups are the groups of rtnetlink that report changes of interfaces, addresses, routes and rules, and deleted
// ids.
const eventGroups = 1<<(unix.RTNLGRP_LINK-1) |
	1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1) |
	1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1) |
	1<<(unix.RTNLGRP_IPV4_RULE-1) | 1<<(unix.RTNLGRP_IPV6_RULE-1) |
	1<<(unix.RTNLGRP_NSID-1)

// event says that something has changed in the namespace with an id, or that the namespace was deleted.
type event struct {
	id      int32
	deleted bool
}

// events is a socket that receives the events of every namespace with an id in the home namespace
// (NETLINK_LISTEN_ALL_NSID, Linux 4.2).
type events struct {
	fd     int
	buffer [1 << 16]byte
	extra  [64]byte
}

func openEvents(home *homeThread) (e *events, err error) {
	e = &events{}
	home.do(func() {
		e.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	})
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	if err := unix.SetsockoptInt(e.fd, unix.SOL_NETLINK, unix.NETLINK_LISTEN_ALL_NSID, 1); err != nil {
		return nil, errors.Join(fmt.Errorf("listen to all namespaces (it takes CAP_NET_BROADCAST): %w", err), e.Close())
	}
	if err := unix.Bind(e.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: eventGroups}); err != nil {
		return nil, errors.Join(fmt.Errorf("bind netlink socket: %w", err), e.Close())
	}
	return e, nil
}

func (e *events) Close() error { return unix.Close(e.fd) }

// read passes the events that have arrived to handle, and reports whether some were lost because the socket was full.
func (e *events) read(handle func(event)) (lost bool) {
	for {
		n, extra, _, _, err := unix.Recvmsg(e.fd, e.buffer[:], e.extra[:], 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOBUFS):
			lost = true
		case err != nil: // EAGAIN: the socket is empty
			return lost
		default:
			parseEvents(e.buffer[:n], e.extra[:extra], handle)
		}
	}
}

// parseEvents reads the messages of one datagram. Those of the home namespace come without an id, and only its deleted
// ids matter. The ids that other namespaces give and delete are of no interest.
func parseEvents(data, extra []byte, handle func(event)) {
	messages, err := syscall.ParseNetlinkMessage(data)
	if err != nil {
		return
	}
	from, foreign := parseOrigin(extra)
	for _, m := range messages {
		switch nsid := m.Header.Type == unix.RTM_NEWNSID || m.Header.Type == unix.RTM_DELNSID; {
		case nsid && !foreign && m.Header.Type == unix.RTM_DELNSID:
			id, _ := parseNsid(m.Data)
			handle(event{id: id, deleted: true})
		case !nsid && foreign:
			handle(event{id: from})
		}
	}
}

// parseOrigin reads the control message that has the id of the namespace that a datagram is from. There is none in a
// datagram from the socket's own namespace.
func parseOrigin(extra []byte) (id int32, foreign bool) {
	messages, err := unix.ParseSocketControlMessage(extra)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_NETLINK && m.Header.Type == unix.NETLINK_LISTEN_ALL_NSID {
			n, ok := parseUint32(m.Data)
			return int32(n), ok
		}
	}
	return 0, false
}
