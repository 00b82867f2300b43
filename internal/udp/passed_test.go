//go:build linux

package udp

import (
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// adopt takes a socket from file 3, sends a datagram with it, and waits until file 3 is closed at the other end.
func adopt() error {
	control := make([]byte, unix.CmsgSpace(4))
	_, size, _, _, err := unix.Recvmsg(3, make([]byte, 1), control, 0)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(control[:size])
	if err != nil {
		return err
	}
	files, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	if _, err := unix.Write(files[0], make([]byte, 100)); err != nil {
		return err
	}
	_, err = unix.Read(3, make([]byte, 1))
	return err
}

// A socket that is passed to a process of another cgroup stays that of the process that opened it, also if only that
// cgroup is counted. It ends with the last process that has it.
func TestPassed(t *testing.T) {
	for name, all := range map[string]bool{"used": false, "all": true} {
		t.Run(name, func(t *testing.T) {
			n := testnet.New(t)
			w := observe(t, Options{All: all}, n)
			if !all {
				attachedHere(t, w)
			}
			c, s := pair(t, n, n, "127.0.0.1:9000")
			send(t, c, 7)
			receive(t, s, 1)

			ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			theirs, ours := os.NewFile(uintptr(ends[0]), "theirs"), os.NewFile(uintptr(ends[1]), "ours")
			defer ours.Close()
			child := shot(t, "netconn-test-udp-passed", "")
			child.Env = append(child.Env, "NETCONN_TEST_ROLE=adopt")
			child.ExtraFiles = []*os.File{theirs}
			n.Start(child)
			theirs.Close()
			pass(t, ours, c)
			c.Close()
			receive(t, s, 1)
			clients := w.want(figures{client, open, 107, 0, 2, 0}, figures{server, open, 0, 107, 0, 2})[:1]
			ours.Close()
			if err := child.Wait(); err != nil {
				t.Fatal(err)
			}
			clients = append(clients, w.want(figures{client, closed, 107, 0, 2, 0}, figures{server, open, 0, 107, 0, 2})[0])
			for _, c := range clients {
				if c.Process.PID != uint32(os.Getpid()) {
					t.Errorf("the %v owner is process %d, want %d, which opened it", c.Phase, c.Process.PID, os.Getpid())
				}
			}
		})
	}
}

// pass gives another process a socket.
func pass(t *testing.T, to *os.File, c *net.UDPConn) {
	t.Helper()
	control(t, c, func(fd int) error { return unix.Sendmsg(int(to.Fd()), []byte{0}, unix.UnixRights(fd), nil, 0) })
}
