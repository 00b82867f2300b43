//go:build linux

package kernel

import (
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

// infoOf returns what the kernel says of a socket.
func infoOf(t *testing.T, c *net.TCPConn) (info unix.TCPInfo) {
	t.Helper()
	control(t, c, func(fd int) error {
		i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			info = *i
		}
		return err
	})
	return info
}

// times are milliseconds by what limits a sender.
type times struct{ busy, receiver, buffer uint64 }

func timesOf(c conn.Counts) times {
	return times{c[conn.Busy], c[conn.LimitedByReceiver], c[conn.LimitedByBuffer]}
}

// timesIn returns those of TCP_INFO, whose busy time has both others in it.
func timesIn(i unix.TCPInfo) times {
	return times{(i.Busy_time - i.Rwnd_limited - i.Sndbuf_limited) / 1000, i.Rwnd_limited / 1000, i.Sndbuf_limited / 1000}
}

// wantTimes wants each time between two others, that were read before it and after it.
func wantTimes(t *testing.T, before, got, after times) {
	t.Helper()
	for _, c := range []struct {
		name               string
		before, got, after uint64
	}{
		{"busy", before.busy, got.busy, after.busy},
		{"limited by the receiver", before.receiver, got.receiver, after.receiver},
		{"limited by the buffer", before.buffer, got.buffer, after.buffer},
	} {
		if c.got < c.before || c.got > c.after {
			t.Errorf("%s for %d ms; TCP_INFO has %d ms before and %d ms after", c.name, c.got, c.before, c.after)
		}
	}
}

// stuff writes until the kernel takes no more for a while.
func stuff(t *testing.T, c *net.TCPConn, patience time.Duration) {
	t.Helper()
	c.SetWriteDeadline(time.Now().Add(patience))
	defer c.SetWriteDeadline(time.Time{})
	for chunk := make([]byte, 1<<20); ; {
		if _, err := c.Write(chunk); err != nil {
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Fatal(err)
			}
			return
		}
	}
}

// A server that does not read: nothing moves, and each snapshot has the connection, with more time.
func TestReceiverThatDoesNotRead(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, _ := w.connect()
	stuff(t, client, 300*time.Millisecond)
	o.snapshot(false)
	var last times
	for range 3 {
		time.Sleep(50 * time.Millisecond)
		before := timesIn(infoOf(t, client))
		o.snapshot(false)
		after := timesIn(infoOf(t, client))
		got := timesOf(o.liveOf(conn.RoleClient).Counts)
		wantTimes(t, before, got, after)
		wantEqual(t, "snapshot of the connection that waits", 1, o.liveCount)
		if got.receiver < last.receiver+40 {
			t.Errorf("limited by the receiver for %d ms, then for %d ms", last.receiver, got.receiver)
		}
		last = got
	}
	client.Close()
}

// A path with a delay, and a buffer that holds less than what is on it.
func TestBufferThatIsTooSmall(t *testing.T) {
	w := newWire(t)
	w.client.Command("tc", "qdisc", "add", "dev", "nc0", "root", "tbf", "rate", "8mbit", "burst", "3000", "latency", "400ms")
	o := w.observe(t)
	client, server := w.connect()
	if err := client.SetWriteBuffer(1); err != nil { // the kernel has a least size
		t.Fatal(err)
	}
	go client.Write(make([]byte, 100_000))
	read(t, server, 100_000)
	before := timesIn(infoOf(t, client))
	o.snapshot(false)
	wantTimes(t, before, timesOf(o.liveOf(conn.RoleClient).Counts), timesIn(infoOf(t, client)))
	if before.buffer+before.busy == 0 {
		t.Errorf("nothing limited the sender: %+v", before)
	}
}

// tcp_disconnect leaves the times in the socket: the next connection has its own only.
func TestTimesOfASocketThatConnectsAgain(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	stuff(t, client, 300*time.Millisecond)
	var first times
	control(t, client, func(fd int) error {
		disconnect(t, fd)
		first = timesIn(infoOf(t, client))
		server.Close()
		err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 77, 0, 2}, Port: 9080})
		if errors.Is(err, unix.EINPROGRESS) { // Go's sockets do not block
			return nil
		}
		return err
	})
	again, err := w.listener.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	write(t, client, 10)
	read(t, again, 10)
	o.snapshot(false)
	got, both := timesOf(o.liveOf(conn.RoleClient).Counts), timesIn(infoOf(t, client))
	wantTimes(t, times{}, got, times{both.busy - first.busy, both.receiver - first.receiver, both.buffer - first.buffer})
	if first.receiver == 0 {
		t.Errorf("the first connection did not wait: %+v", first)
	}
}

// Each expiry of the retransmission timer counts, and each series of them.
func TestTimeouts(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	rule := []string{"INPUT", "-p", "tcp", "-j", "DROP"}
	w.server.Command("iptables", append([]string{"-A"}, rule...)...)
	write(t, client, 10)
	time.Sleep(time.Second)
	w.server.Command("iptables", append([]string{"-D"}, rule...)...)
	read(t, server, 10)
	o.until("the answer", func() bool { return infoOf(t, client).Unacked == 0 })
	want := infoOf(t, client)
	o.snapshot(false)
	got := o.liveOf(conn.RoleClient).Counts
	wantEqual(t, "timeouts", uint64(want.Total_rto), got[conn.Timeouts])
	wantEqual(t, "recoveries", uint64(want.Total_rto_recoveries), got[conn.Recoveries])
	if want.Total_rto == 0 {
		t.Skip("TCP_INFO has no timeouts before Linux 6.7")
	}
}
