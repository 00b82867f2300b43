package conntrack

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// The groups of rtnetlink that tell of what a view is made of, and of ids that are no more.
const eventGroups = 1<<(unix.RTNLGRP_LINK-1) |
	1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1) |
	1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1) |
	1<<(unix.RTNLGRP_NSID-1)

// An event tells that something changed in the namespace with an id, or that it is gone.
type event struct {
	id   int32
	gone bool
}

// events is a socket that hears what happens in every namespace which has an id in the room (NETLINK_LISTEN_ALL_NSID, Linux 4.2).
type events struct {
	fd     int
	buffer [1 << 16]byte
	extra  [64]byte
}

func openEvents(r *room) (e *events, err error) {
	e = &events{}
	r.do(func() {
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

// read hands over what has come. Missed means that more had come than the socket holds.
func (e *events) read(handle func(event)) (missed bool) {
	for {
		n, extra, _, _, err := unix.Recvmsg(e.fd, e.buffer[:], e.extra[:], 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOBUFS):
			missed = true
		case err != nil: // EAGAIN: that was all
			return missed
		default:
			parseEvents(e.buffer[:n], e.extra[:extra], handle)
		}
	}
}

// parseEvents reads the messages of one datagram. What happens in the room itself comes without an id, and tells only which ids are gone.
func parseEvents(data, extra []byte, handle func(event)) {
	messages, err := syscall.ParseNetlinkMessage(data)
	if err != nil {
		return
	}
	from, known := origin(extra)
	for _, m := range messages {
		switch {
		case m.Header.Type == unix.RTM_DELNSID && !known:
			id, _ := parseNamespaceID(m.Data)
			handle(event{id: id, gone: true})
		case m.Header.Type != unix.RTM_NEWNSID && m.Header.Type != unix.RTM_DELNSID && known:
			handle(event{id: from})
		}
	}
}

// origin returns the id of the namespace that a datagram is from, if it is not from the socket's own.
func origin(extra []byte) (id int32, known bool) {
	messages, err := unix.ParseSocketControlMessage(extra)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_NETLINK && m.Header.Type == unix.NETLINK_LISTEN_ALL_NSID {
			n, ok := number(m.Data)
			return int32(n), ok
		}
	}
	return 0, false
}
