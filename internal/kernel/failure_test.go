//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// wantFailure dials, wants it to fail, and wants one attempt reported with this reason.
func wantFailure(t *testing.T, w wire, address, reason string) conn.Conn {
	t.Helper()
	o := w.observe(t)
	if c, err := w.client.TryDial(net.Dialer{}, address); err == nil {
		c.Close()
		t.Fatalf("%s answered", address)
	}
	got := o.wantEnded(outcome{conn.RoleClient, conn.Failed, reason, 0, 0})[0]
	wantEqual(t, "address that was asked for", address, got.Tuple.Destination.String())
	if !got.SeenOpening || got.Sequence != (conn.Sequence{}) {
		t.Errorf("an attempt without an answer: %+v", got)
	}
	wantSelf(t, got.Process)
	return got
}

func TestRefused(t *testing.T) {
	wantFailure(t, newWire(t), "10.77.0.2:81", "refused")
}

func TestTimedOut(t *testing.T) {
	w := newWire(t)
	w.client.Sysctl("net.ipv4.tcp_syn_retries", "1")
	w.server.Command("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "82", "-j", "DROP")
	got := wantFailure(t, w, "10.77.0.2:82", "timed_out")
	if got.Counts[conn.Retransmits] == 0 || got.Counts[conn.Retransmits] != got.Counts[conn.SegmentsSent]-1 {
		t.Errorf("retransmits: %+v, want all segments but the first", got.Counts)
	}
}

func TestUnreachable(t *testing.T) {
	for reason, reject := range map[string]string{"host_unreachable": "icmp-host-unreachable", "network_unreachable": "icmp-net-unreachable"} {
		t.Run(reason, func(t *testing.T) {
			w := newWire(t)
			w.server.Command("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "83", "-j", "REJECT", "--reject-with", reject)
			o := w.observe(t)
			fd := w.client.Socket(unix.AF_INET)
			defer unix.Close(fd)
			if err := unix.Connect(fd, unreachable); err == nil {
				t.Fatal("connected")
			}
			o.wantEnded(outcome{conn.RoleClient, conn.Failed, reason, 0, 0})
		})
	}
}

var unreachable = &unix.SockaddrInet4{Addr: [4]byte{10, 77, 0, 2}, Port: 83}

// The neighbour does not answer ARP: the kernel itself says that the host is unreachable.
func TestNoNeighbour(t *testing.T) {
	w := newWire(t)
	wantFailure(t, w, "10.77.0.99:85", "host_unreachable")
}

// Without a route connect() fails before there is an attempt: nothing was sent, and the socket never left its first
// state.
func TestNoRouteIsNoAttempt(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	if _, err := w.client.TryDial(net.Dialer{}, "192.0.2.1:80"); !errors.Is(err, unix.ENETUNREACH) {
		t.Fatalf("dial: %v", err)
	}
	client, server := w.connect()
	client.Close()
	server.Close()
	o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 0, 0}, outcome{conn.RoleServer, conn.Closed, "", 0, 0})
}

// On one machine an ICMP error arrives while connect() still holds the socket, and leaves its trace in sk_err_soft
// only: a socket that is given up then was not cancelled for no reason. But SO_ERROR takes the trace away, and what
// remains cannot be told from a cancel.
func TestUnreachableInsideConnect(t *testing.T) {
	for reason, asks := range map[string]bool{"host_unreachable": false, "cancelled": true} {
		t.Run(reason, func(t *testing.T) {
			for range 20 {
				if unreachableInsideConnect(t, reason, asks) {
					return
				}
			}
			testnet.Require(t, errors.New("the error arrived later each time"))
		})
	}
}

// unreachableInsideConnect reports whether the error arrived while connect() held the socket, and no other after it: a
// busy machine may put it off, or let the first SYN's time run out.
func unreachableInsideConnect(t *testing.T, reason string, asks bool) (inside bool) {
	t.Helper()
	w := newWire(t)
	w.server.Command("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "83", "-j", "REJECT", "--reject-with", "icmp-host-unreachable")
	o := w.observe(t)
	fd := w.client.Socket(unix.AF_INET)
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, unreachable); !errors.Is(err, unix.EINPROGRESS) {
		t.Fatalf("connect: %v", err)
	}
	// Errors that found the socket held are counted (LINUX_MIB_LOCKDROPPEDICMPS).
	if inside = counted(t, w.client, "TcpExtLockDroppedIcmps") == 1; !inside {
		unix.Close(fd)
		return false
	}
	if asks {
		if soft, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); soft != int(unix.EHOSTUNREACH) || err != nil {
			t.Errorf("the socket's error is %d, %v", soft, err)
		}
	}
	unix.Close(fd)
	if counted(t, w.client, "TcpExtTCPSynRetrans") > 0 {
		return false // a second error arrived, after connect()
	}
	o.wantEnded(outcome{conn.RoleClient, conn.Failed, reason, 0, 0})
	return true
}

// counted returns one of the kernel's counters of a namespace.
func counted(t *testing.T, n *testnet.Namespace, name string) (count int) {
	t.Helper()
	out, err := n.Output("nstat", "-asz", name)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(out, name)
	if _, err := fmt.Sscan(after, &count); err != nil {
		t.Fatalf("read %s of %q: %v", name, out, err)
	}
	return count
}

func TestCancelled(t *testing.T) {
	w := newWire(t)
	w.server.Command("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "82", "-j", "DROP")
	o := w.observe(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	w.client.Do(func() {
		if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", "10.77.0.2:82"); err == nil {
			c.Close()
			t.Error("a dropped SYN was answered")
		}
	})
	o.wantEnded(outcome{conn.RoleClient, conn.Failed, "cancelled", 0, 0})
}

// No local port is free: the application did not give up, and no SYN was sent.
func TestNoPort(t *testing.T) {
	w := newWire(t)
	w.client.Sysctl("net.ipv4.ip_local_port_range", "40000 40000")
	client, server := w.connect()
	defer client.Close()
	defer server.Close()
	o := w.observe(t)
	if _, err := w.client.TryDial(net.Dialer{}, serverAddress); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Fatalf("dial: %v", err)
	}
	for _, c := range o.waitEnded(1) {
		wantEqual(t, "attempt", outcome{conn.RoleClient, conn.Failed, "not_sent", 0, 0}, outcomeOf(c))
	}
}

func TestAttemptInProgressIsNotReported(t *testing.T) {
	w := newWire(t)
	w.server.Command("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "82", "-j", "DROP")
	o := w.observe(t)
	fd := w.client.Socket(unix.AF_INET)
	defer unix.Close(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 77, 0, 2}, Port: 82}); !errors.Is(err, unix.EINPROGRESS) {
		t.Fatal(err)
	}
	o.snapshot(true)
	wantEqual(t, "live connections", 0, len(o.live))
	wantEqual(t, "ended connections", 0, len(o.ended))
}

func TestKeepaliveTimeout(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	write(t, client, 100)
	read(t, server, 100)
	control(t, client, func(fd int) error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 300) })
	w.server.Command("iptables", "-A", "INPUT", "-j", "DROP")
	write(t, client, 100)
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, unix.ETIMEDOUT) {
		t.Fatalf("read: %v", err)
	}
	client.Close()
	o.wantEnded(outcome{conn.RoleClient, conn.Closed, "timed_out", 200, 0})
}

func TestAbortedByAdministrator(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	write(t, client, 100)
	read(t, server, 100)
	w.client.Command("ss", "-K", "dst", "10.77.0.2")
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNABORTED) {
		testnet.Require(t, fmt.Errorf("the kernel does not close sockets for ss -K: %w", err))
	}
	o.wantEnded(
		outcome{conn.RoleClient, conn.Closed, "aborted", 100, 0},
		outcome{conn.RoleServer, conn.Closed, "reset", 0, 100},
	)
}

func TestListenQueueOverflow(t *testing.T) {
	w := newWire(t)
	w.client.Sysctl("net.ipv4.tcp_syn_retries", "1")
	fd := w.server.Socket(unix.AF_INET)
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Port: 90}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	o := w.observe(t)
	answered, failed := 0, 0
	for range 4 { // a queue of length 0 holds one
		c, err := w.client.TryDial(net.Dialer{Timeout: 400 * time.Millisecond}, "10.77.0.2:90")
		if err != nil {
			failed++
			continue
		}
		answered++
		defer c.Close()
	}
	if failed == 0 {
		t.Fatal("no attempt was dropped")
	}
	o.snapshot(false)
	var drops uint64
	for _, l := range o.listeners {
		if l.Local.Port() == 90 {
			drops = l.Drops
		}
	}
	if drops < uint64(failed) {
		t.Errorf("listener dropped %d, and %d attempts failed", drops, failed)
	}
	cancelled := 0
	for _, c := range o.waitEnded(failed) {
		if c.Role == conn.RoleClient && c.Phase == conn.Failed && c.Error == conn.Cancelled {
			cancelled++
		}
	}
	wantEqual(t, "attempts that were given up", failed, cancelled)
}
