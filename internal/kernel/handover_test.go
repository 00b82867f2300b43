//go:build linux

package kernel

import (
	"errors"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// service is a listener that this process opens, and processes that accept from it.
type service struct {
	client, server *testnet.Namespace
	o              *observer
	listener       *os.File
}

// listenHere opens the listener, older than netconn or not. With multipath it is that of most servers written in Go.
func listenHere(t *testing.T, multipath, older bool) *service {
	t.Helper()
	s := &service{client: testnet.New(t), server: testnet.New(t)}
	testnet.Link(s.client, s.server, "nc0", "10.77.0.1/24", "10.77.0.2/24")
	if !older {
		s.o = observe(t, Options{}, s.client, s.server)
	}
	protocol := unix.IPPROTO_TCP
	if multipath {
		protocol = unix.IPPROTO_MPTCP
	}
	var err error
	s.server.Do(func() {
		fd, socketErr := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
		if err = socketErr; err != nil {
			return
		}
		s.listener = os.NewFile(uintptr(fd), "listener")
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
			unix.Bind(fd, &unix.SockaddrInet4{Port: 9080}), unix.Listen(fd, 16),
		)
	})
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOPROTOOPT) {
		t.Skipf("no multipath TCP: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.listener.Close() })
	if older {
		s.o = observe(t, Options{}, s.client, s.server)
	}
	return s
}

// serve starts a process in a cgroup that accepts from the listener; nil: in this process's cgroup.
func (s *service) serve(t *testing.T, in *cgroup) {
	t.Helper()
	child := as(t, "accept", s.listener)
	if in != nil {
		child.SysProcAttr = in.attr
	}
	s.server.Start(child)
}

// servers returns the processes of the server's ends, once n connections have ended.
func (s *service) servers(n int) (owners []conn.Process) {
	for _, c := range s.o.waitEnded(2 * n)[n:] {
		owners = append(owners, c.Process)
	}
	return owners
}

func wantCgroup(t *testing.T, want cgroup, owners ...conn.Process) {
	t.Helper()
	for _, p := range owners {
		if p.Cgroup != want.id || p.PID == uint32(os.Getpid()) {
			t.Fatalf("the owner is %+v, want the process in cgroup %d", p, want.id)
		}
	}
}

// The workers of a server are in the cgroup of the process that listens: that one is the owner, whichever serves.
func TestPrefork(t *testing.T) {
	s := listenHere(t, false, false)
	for range 3 {
		s.serve(t, nil)
	}
	for range 20 {
		exchange(t, s.client)
	}
	for _, p := range s.servers(20) {
		wantSelf(t, p)
	}
}

// A process in another cgroup that has the listener, too, serves in its own name, whether the one that opened the
// listener still has it (a supervisor, a restart that drains) or not.
func TestListenerPassedOn(t *testing.T) {
	for name, c := range map[string]struct{ multipath, keeps, older bool }{
		"the opener keeps it":      {keeps: true},
		"the opener closes it":     {},
		"multipath TCP":            {multipath: true},
		"multipath TCP, and kept":  {multipath: true, keeps: true},
		"older":                    {older: true},
		"older multipath TCP":      {multipath: true, older: true},
		"older multipath TCP kept": {multipath: true, keeps: true, older: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := listenHere(t, c.multipath, c.older)
			group := newCgroups(t, 1)[0]
			s.serve(t, &group)
			if !c.keeps {
				s.listener.Close()
			}
			for range 5 {
				exchange(t, s.client)
			}
			wantCgroup(t, group, s.servers(5)...)
		})
	}
}

// Once a process was seen to serve, the listener is its own: a connection is from the beginning, and also if no close
// of the server tells.
func TestListenerChangesItsOwner(t *testing.T) {
	for name, multipath := range map[string]bool{"TCP": false, "multipath TCP": true} {
		t.Run(name, func(t *testing.T) {
			s := listenHere(t, multipath, false)
			s.o.wantComplete()
			group := newCgroups(t, 1)[0]
			s.serve(t, &group)
			exchange(t, s.client)
			s.servers(1)
			s.o.snapshot(false)
			for _, l := range s.o.listeners {
				wantCgroup(t, group, l.Process)
			}
			wantEqual(t, "listeners", 1, len(s.o.listeners))
			c := s.client.Dial(serverAddress)
			s.o.snapshot(false)
			wantCgroup(t, group, s.o.liveOf(conn.RoleServer).Process)
			reset(t, c)
			wantCgroup(t, group, s.servers(2)...)
		})
	}
}

// The same for a listener that is older than netconn and has no file. No close of the server tells whose a connection
// is that its client resets. Another agent on the host may have given the listener a cookie.
func TestOlderListenerChangesItsOwner(t *testing.T) {
	for name, others := range map[string]int{"one agent": 0, "another agent is older": 1} {
		t.Run(name, func(t *testing.T) {
			for range others {
				observe(t, Options{})
			}
			s := listenHere(t, true, true)
			group := newCgroups(t, 1)[0]
			s.serve(t, &group)
			exchange(t, s.client)
			s.servers(1)
			reset(t, s.client.Dial(serverAddress))
			wantCgroup(t, group, s.servers(2)...)
		})
	}
}

// reset closes a connection without a FIN.
func reset(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if err := errors.Join(c.SetLinger(0), c.Close()); err != nil {
		t.Fatal(err)
	}
}

// A server that closes before it has read everything sends a reset instead of a FIN.
func TestServerResets(t *testing.T) {
	s := listenHere(t, false, false)
	group := newCgroups(t, 1)[0]
	s.serve(t, &group)
	c := s.client.Dial(serverAddress)
	write(t, c, 20) // of which it reads 13
	c.Read(make([]byte, 100))
	c.Close()
	wantCgroup(t, group, s.servers(1)...)
}

// A process that is passed one connection and not the listener, as the session of an SSH server is, does not become
// the owner: the listener's stays. A listener on another port does not change that.
func TestConnectionPassedOn(t *testing.T) {
	for name, listens := range map[string]bool{"it does not listen": false, "it listens on another port": true} {
		t.Run(name, func(t *testing.T) {
			s := listenHere(t, false, false)
			group := newCgroups(t, 1)[0]
			c := s.client.Dial(serverAddress)
			fd, _, err := unix.Accept4(int(s.listener.Fd()), unix.SOCK_CLOEXEC)
			if err != nil {
				t.Fatal(err)
			}
			accepted := os.NewFile(uintptr(fd), "accepted")
			files := []*os.File{accepted}
			if listens {
				files = append(files, fileOf(t, s.server.Listen("10.77.0.2:9081")))
			}
			session := as(t, "close", files...)
			session.SysProcAttr = group.attr
			s.server.Start(session)
			accepted.Close()
			readEnd(t, c)
			c.Close()
			wantSelf(t, s.servers(1)[0])
		})
	}
}

// A listener that closes passes its unaccepted connections to another listener on its port.
func TestMigratedRequests(t *testing.T) {
	s := listenHere(t, false, false)
	if !s.server.HasSysctl("net.ipv4.tcp_migrate_req") {
		t.Skip("requests are not migrated before Linux 5.14")
	}
	s.server.Sysctl("net.ipv4.tcp_migrate_req", "1")
	var clients []*net.TCPConn
	for range 5 {
		clients = append(clients, s.client.Dial(serverAddress))
	}
	group := newCgroups(t, 1)[0]
	child := as(t, "listen")
	child.SysProcAttr = group.attr
	ready, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.server.Start(child)
	read(t, ready, 1)
	s.listener.Close()
	for _, c := range clients {
		write(t, c, 13)
		readEnd(t, c)
		c.Close()
	}
	wantCgroup(t, group, s.servers(5)...)
}
