//go:build linux

package kernel

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// However bytes come and go, they are counted once.
func TestWaysToSendAndReceive(t *testing.T) {
	const n = 123_457
	plainWrite := func(t *testing.T, c *net.TCPConn) { write(t, c, n) }
	plainRead := func(t *testing.T, c *net.TCPConn) { read(t, c, n) }
	for name, way := range map[string]struct {
		send, receive func(*testing.T, *net.TCPConn)
	}{
		"sendfile":     {sendfile(n), plainRead},
		"splice":       {spliceOut(n), spliceIn(n)},
		"MSG_PEEK":     {plainWrite, peekThenRead(n)},
		"MSG_WAITALL":  {plainWrite, waitAll(n)},
		"MSG_ZEROCOPY": {zeroCopy(n), plainRead},
		"io_uring":     {uringSend(n), plainRead},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire(t)
			o := w.observe(t)
			client, server := w.connect()
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				way.send(t, client)
			}()
			way.receive(t, server)
			<-sent
			client.Close()
			readEnd(t, server)
			server.Close()
			o.wantEnded(
				outcome{conn.RoleClient, conn.Closed, "", n, 0},
				outcome{conn.RoleServer, conn.Closed, "", 0, n},
			)
		})
	}
}

// onFD runs a blocking operation on a connection's own descriptor.
func onFD(t *testing.T, c *net.TCPConn, f func(fd int) error) {
	file, err := c.File() // blocking
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	if err := errors.Join(unix.SetNonblock(int(file.Fd()), false), f(int(file.Fd()))); err != nil {
		t.Error(err)
	}
}

func sendfile(n int) func(*testing.T, *net.TCPConn) {
	return func(t *testing.T, c *net.TCPConn) {
		file, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Error(err)
			return
		}
		defer file.Close()
		if err := file.Truncate(int64(n)); err != nil {
			t.Error(err)
		}
		onFD(t, c, func(fd int) error {
			for left := n; left > 0; {
				sent, err := unix.Sendfile(fd, int(file.Fd()), nil, left)
				if err != nil {
					return err
				}
				left -= sent
			}
			return nil
		})
	}
}

// throughPipe moves n bytes through a pipe: first by in, which fills it, then by out.
func throughPipe(n int, in, out func(pipe, n int) (int64, error)) error {
	var pipe [2]int
	if err := unix.Pipe(pipe[:]); err != nil {
		return err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	for n > 0 {
		got, err := in(pipe[1], min(n, 32<<10))
		if err != nil {
			return err
		}
		n -= int(got)
		for got > 0 {
			put, err := out(pipe[0], int(got))
			if err != nil {
				return err
			}
			got -= put
		}
	}
	return nil
}

func spliceOut(n int) func(*testing.T, *net.TCPConn) {
	return func(t *testing.T, c *net.TCPConn) {
		onFD(t, c, func(fd int) error {
			fill := func(pipe, n int) (int64, error) { k, err := unix.Write(pipe, make([]byte, n)); return int64(k), err }
			return throughPipe(n, fill, func(pipe, n int) (int64, error) { return unix.Splice(pipe, nil, fd, nil, n, 0) })
		})
	}
}

func spliceIn(n int) func(*testing.T, *net.TCPConn) {
	return func(t *testing.T, c *net.TCPConn) {
		onFD(t, c, func(fd int) error {
			empty := func(pipe, n int) (int64, error) { k, err := unix.Read(pipe, make([]byte, n)); return int64(k), err }
			return throughPipe(n, func(pipe, n int) (int64, error) { return unix.Splice(fd, nil, pipe, nil, n, 0) }, empty)
		})
	}
}

func peekThenRead(n int) func(*testing.T, *net.TCPConn) {
	return func(t *testing.T, c *net.TCPConn) {
		onFD(t, c, func(fd int) error {
			for range 5 {
				if _, _, err := unix.Recvfrom(fd, make([]byte, 10_000), unix.MSG_PEEK); err != nil {
					return err
				}
			}
			return nil
		})
		read(t, c, n)
	}
}

func waitAll(n int) func(*testing.T, *net.TCPConn) {
	return func(t *testing.T, c *net.TCPConn) {
		onFD(t, c, func(fd int) error {
			if got, _, err := unix.Recvfrom(fd, make([]byte, n), unix.MSG_WAITALL); err != nil || got != n {
				return errors.Join(err, io.ErrUnexpectedEOF)
			}
			return nil
		})
	}
}

func zeroCopy(n int) func(*testing.T, *net.TCPConn) {
	return func(t *testing.T, c *net.TCPConn) {
		onFD(t, c, func(fd int) error {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1); err != nil {
				return err
			}
			for left := n; left > 0; {
				sent, err := unix.SendmsgN(fd, make([]byte, left), nil, nil, unix.MSG_ZEROCOPY)
				if err != nil {
					return err
				}
				left -= sent
			}
			return nil
		})
	}
}

func uringSend(n int) func(*testing.T, *net.TCPConn) {
	return func(t *testing.T, c *net.TCPConn) {
		onFD(t, c, func(fd int) error { return sendByRing(fd, make([]byte, n)) })
	}
}

// A multipath connection is reported as what TCP sees of it: its subflows, each a connection. Their bytes are the
// payload.
func TestMultipath(t *testing.T) {
	client, server := testnet.New(t), testnet.New(t)
	testnet.Link(client, server, "nc0", "10.77.0.1/24", "10.77.0.2/24")
	o := observe(t, Options{}, client, server)
	var l net.Listener
	var here net.Conn
	var err error
	config, dialer := net.ListenConfig{}, net.Dialer{}
	config.SetMultipathTCP(true)
	dialer.SetMultipathTCP(true)
	server.Do(func() { l, err = config.Listen(t.Context(), "tcp", serverAddress) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client.Do(func() { here, err = dialer.Dial("tcp", serverAddress) })
	if err != nil {
		t.Fatal(err)
	}
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if multipath, err := here.(*net.TCPConn).MultipathTCP(); !multipath || err != nil {
		testnet.Require(t, errors.Join(err, errors.New("the kernel does not speak multipath TCP")))
	}
	write(t, here, 50_000)
	read(t, there, 50_000)
	write(t, there, 777)
	read(t, here, 777)
	here.Close()
	readEnd(t, there)
	there.Close()
	ends := o.wantEnded(
		outcome{conn.RoleClient, conn.Closed, "", 50_000, 777},
		outcome{conn.RoleServer, conn.Closed, "", 777, 50_000},
	)
	wantEqual(t, "sequence of the other end", ends[0].Sequence.Reverse(), ends[1].Sequence)
	wantSelf(t, ends[0].Process)
	wantSelf(t, ends[1].Process)
}

// The second connection carries data in its SYN; they are counted once, and so are the connections.
func TestFastOpen(t *testing.T) {
	client, server := testnet.New(t), testnet.New(t)
	testnet.Link(client, server, "nc0", "10.77.0.1/24", "10.77.0.2/24")
	for _, n := range []*testnet.Namespace{client, server} {
		n.Sysctl("net.ipv4.tcp_fastopen", "3")
	}
	listener := server.Socket(unix.AF_INET)
	defer unix.Close(listener)
	if err := errors.Join(
		unix.SetsockoptInt(listener, unix.IPPROTO_TCP, unix.TCP_FASTOPEN, 16),
		unix.Bind(listener, &unix.SockaddrInet4{Port: 9080}), unix.Listen(listener, 16)); err != nil {
		t.Fatal(err)
	}
	o := observe(t, Options{}, client, server)
	inSYN := 0
	for range 2 {
		fd := client.Socket(unix.AF_INET)
		to := &unix.SockaddrInet4{Addr: [4]byte{10, 77, 0, 2}, Port: 9080}
		if n, err := unix.SendmsgN(fd, make([]byte, 500), nil, to, unix.MSG_FASTOPEN); n != 500 || err != nil {
			t.Fatal(n, err)
		}
		accepted, _, err := unix.Accept(listener)
		if err != nil {
			t.Fatal(err)
		}
		read(t, reader(accepted), 500)
		if info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO); err != nil {
			t.Fatal(err)
		} else if info.Options&tcpiOptSynData != 0 {
			inSYN++
		}
		if _, err := unix.Write(accepted, make([]byte, 300)); err != nil {
			t.Fatal(err)
		}
		read(t, reader(fd), 300)
		unix.Close(fd)
		readEnd(t, eofReader(accepted))
		unix.Close(accepted)
	}
	wantEqual(t, "connections with data in the SYN", 1, inSYN)
	ends := o.wantEnded(
		outcome{conn.RoleClient, conn.Closed, "", 500, 300}, outcome{conn.RoleClient, conn.Closed, "", 500, 300},
		outcome{conn.RoleServer, conn.Closed, "", 300, 500}, outcome{conn.RoleServer, conn.Closed, "", 300, 500},
	)
	for i := range 2 {
		wantEqual(t, "sequence of the other end", ends[i].Sequence.Reverse(), ends[i+2].Sequence)
	}
}

const tcpiOptSynData = 32 // include/uapi/linux/tcp.h

// eofReader reads a plain descriptor, with io.Reader's end.
type eofReader int

func (r eofReader) Read(p []byte) (int, error) {
	n, err := unix.Read(int(r), p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}
