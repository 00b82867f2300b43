//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// roles are the programs that the test binary can be instead of the tests; each gets its socket as descriptor 3.
var roles = map[string]func(){
	"close":            func() { unix.Close(3) },
	"send":             func() { unix.Write(3, make([]byte, 100)) },
	"accept":           func() { acceptForEver(3, 7) },
	"listen":           listen,
	"listen multipath": listenIdle,
	"dial":             dial,
	"dial6":            dialMapped,
	"open":             open,
	"flood":            flood,
	"open few":         openWithFewFiles,
}

func open() {
	s, err := Open(Options{})
	if err == nil {
		s.Close()
	}
	fmt.Println(err)
}

// openWithFewFiles opens with room for a few files more than there are: a parent may have left some open.
func openWithFewFiles() {
	files, err := strconv.ParseUint(os.Getenv("NETCONN_TEST_FILES"), 10, 64)
	there, listError := os.ReadDir("/proc/self/fd")
	files, err = files+uint64(len(there)-1), errors.Join(err, listError) // less the folder that was read
	if err = errors.Join(err, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: files, Max: files})); err != nil {
		fmt.Println(err)
		return
	}
	open()
}

func dial() {
	if group := os.Getenv("NETCONN_TEST_CGROUP"); group != "" {
		if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	c, err := net.Dial("tcp", os.Getenv("NETCONN_TEST_ADDRESS"))
	if err != nil {
		return
	}
	c.Write(make([]byte, 13))
	io.Copy(io.Discard, c)
	c.Close()
}

// dialMapped connects an IPv6 socket to the server's IPv4 address.
func dialMapped() {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	to := netip.MustParseAddrPort(serverAddress)
	err = errors.Join(err, unix.Connect(fd, &unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())}))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	unix.Write(fd, make([]byte, 13))
	io.ReadFull(reader(fd), make([]byte, 7))
}

func listen() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	err = errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Port: 9080}), unix.Listen(fd, 16))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write([]byte{'1'})
	answer, _ := strconv.Atoi(os.Getenv("NETCONN_TEST_ANSWER"))
	acceptForEver(fd, answer)
}

// listenIdle has a multipath listener and accepts nothing.
func listenIdle() {
	l, err := listenMultipath(os.Getenv("NETCONN_TEST_ADDRESS"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer l.Close()
	os.Stdout.Write([]byte{'1'})
	l.Accept() // nobody connects; without cgo, Go reports `select {}` as a deadlock
}

// acceptForEver answers each connection with so many bytes once it has got thirteen.
func acceptForEver(listener, answer int) {
	for {
		fd, _, err := unix.Accept(listener)
		if err != nil {
			return
		}
		io.CopyN(io.Discard, reader(fd), 13)
		unix.Write(fd, make([]byte, answer))
		unix.Close(fd)
	}
}

// as returns a command that runs this binary in a role, with files as its descriptors from 3 on.
func as(t *testing.T, role string, files ...*os.File) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), "NETCONN_TEST_ROLE="+role, "NETCONN_TEST_ADDRESS="+serverAddress)
	c.ExtraFiles = files
	c.Stderr = os.Stderr
	return c
}

func fileOf(t *testing.T, c interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.SetNonblock(int(f.Fd()), false); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestChildClosesAnInheritedSocket(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	file := fileOf(t, client)
	client.Close() // the child's is the last one but ours
	child := as(t, "close", file)
	w.client.Start(child)
	file.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	readEnd(t, server)
	server.Close()
	wantSelf(t, o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 0, 0}, outcome{conn.RoleServer, conn.Closed, "", 0, 0})[0].Process)
}

func TestTenProcessesShareASocket(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	client, server := w.connect()
	file := fileOf(t, client)
	client.Close()
	var children []*exec.Cmd
	for range 10 {
		child := as(t, "send", file)
		w.client.Start(child)
		children = append(children, child)
	}
	file.Close()
	for _, child := range children {
		if err := child.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	read(t, server, 1000)
	readEnd(t, server)
	server.Close()
	wantSelf(t, o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 1000, 0}, outcome{conn.RoleServer, conn.Closed, "", 0, 1000})[0].Process)
}

// exchange sends thirteen bytes and receives what there is.
func exchange(t *testing.T, client *testnet.Namespace) {
	t.Helper()
	c := client.Dial(serverAddress)
	write(t, c, 13)
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestReusePort(t *testing.T) {
	client, server := testnet.New(t), testnet.New(t)
	testnet.Link(client, server, "nc0", "10.77.0.1/24", "10.77.0.2/24")
	o := observe(t, Options{}, client, server)
	group := newCgroups(t, 2)
	for i := range 2 {
		child := as(t, "listen")
		child.Env = append(child.Env, "NETCONN_TEST_ANSWER="+strconv.Itoa(100+i)) // by which one knows who it was
		child.SysProcAttr = group[i].attr
		ready, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		server.Start(child)
		read(t, ready, 1)
	}
	for range 40 {
		exchange(t, client)
	}
	served := map[outcome]int{}
	for _, c := range o.waitEnded(80)[40:] {
		served[outcomeOf(c)]++
		i := c.Counts[conn.Sent] - 100
		if i >= uint64(len(group)) || c.Process.Cgroup != group[i].id {
			t.Fatalf("%+v is not on its owner, one of %+v", c, group)
		}
	}
	if len(served) != 2 {
		t.Errorf("not both servers served: %v", served)
	}
}

// A process that dials once and is gone when its report is read has a name and a cgroup all the same, and so has the
// cgroup, though it is gone as well.
func TestProcessThatLivesForAMoment(t *testing.T) {
	w := newWire(t)
	o := w.observe(t)
	go acceptOnce(w.listener)
	group := newCgroups(t, 1)[0]
	child := as(t, "dial")
	child.SysProcAttr = group.attr
	w.client.Start(child)
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(group.path); err != nil {
		t.Fatal(err)
	}
	client := o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 13, 7}, outcome{conn.RoleServer, conn.Closed, "", 7, 13})[0]
	wantEqual(t, "owner", processOf(child.Process.Pid, filepath.Base(child.Path), group.id, client.Process.CgroupV1), client.Process)
	if path := o.cgroups[groupKey{id: group.id}]; !strings.HasSuffix(path, filepath.Base(group.path)) {
		t.Errorf("path of cgroup %d: %q, want that of %s", group.id, path, group.path)
	}
}

// processOf returns what the kernel side reports of a process.
func processOf(pid int, executable string, group, groupV1 uint64) conn.Process {
	const room = len(sockProcess{}.Executable) - 1
	return conn.Process{
		PID: uint32(pid), Truncated: len(executable) >= room, Cgroup: group, CgroupV1: groupV1,
		Executable: executable[:min(len(executable), room)],
	}
}

// A process that is in a cgroup of each version is reported with both, and both cgroups have a path.
func TestBothVersionsOfCgroups(t *testing.T) {
	group, v1 := newCgroups(t, 1)[0], newMemoryCgroup(t)
	w := newWire(t)
	o := w.observe(t)
	made := filepath.Join(v1.path, "below")
	if err := os.Mkdir(made, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(made) })
	go acceptOnce(w.listener)
	child := as(t, "dial")
	child.Env = append(child.Env, "NETCONN_TEST_CGROUP="+made)
	child.SysProcAttr = group.attr
	w.client.Start(child)
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	client := o.wantEnded(outcome{conn.RoleClient, conn.Closed, "", 13, 7}, outcome{conn.RoleServer, conn.Closed, "", 7, 13})[0]
	below := inode(t, made)
	wantEqual(t, "owner", processOf(child.Process.Pid, filepath.Base(child.Path), group.id, below), client.Process)
	if path := o.cgroups[groupKey{below, true}]; !strings.HasSuffix(path, filepath.Base(v1.path)+"/below") {
		t.Errorf("path of the cgroup of version 1: %q, want that of %s", path, made)
	}
}

// newMemoryCgroup makes a cgroup of the memory controller in version 1.
func newMemoryCgroup(t *testing.T) cgroup {
	t.Helper()
	mount := t.TempDir()
	if err := unix.Mount("none", mount, "cgroup", 0, "memory"); err != nil {
		t.Skipf("the memory controller is not in version 1 here: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(mount, unix.MNT_DETACH) })
	path := filepath.Join(mount, "netconn-test-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
	return cgroup{path: path, id: inode(t, path)}
}

// inode returns the inode number of a file, which of a cgroup is the id.
func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func acceptOnce(l *net.TCPListener) {
	c, err := l.AcceptTCP()
	if err != nil {
		return
	}
	defer c.Close()
	io.CopyN(io.Discard, c, 13)
	c.Write(make([]byte, 7))
}

// cgroup is one that the test made, and how to start a process in it.
type cgroup struct {
	path string
	id   uint64
	attr *syscall.SysProcAttr
}

// newCgroups makes cgroups of version 2, mounted for the test alone.
func newCgroups(t *testing.T, n int) []cgroup {
	t.Helper()
	mount := t.TempDir()
	if err := unix.Mount("none", mount, "cgroup2", 0, ""); err != nil {
		testnet.Require(t, fmt.Errorf("mount cgroup2: %w", err))
	}
	t.Cleanup(func() { unix.Unmount(mount, unix.MNT_DETACH) })
	var made []cgroup
	for i := range n {
		path := filepath.Join(mount, "netconn-test-"+strconv.Itoa(os.Getpid())+"-"+strconv.Itoa(i))
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(path) })
		dir, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dir.Close() })
		made = append(made, cgroup{path, inode(t, path), &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}})
	}
	return made
}
