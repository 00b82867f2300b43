//go:build linux

package conntrack

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// deafen lets the kernel keep no more than a few events, makes more of them, and returns once some were lost.
func deafen(t *testing.T, x *Tables, noisy *testnet.Namespace) {
	t.Helper()
	fd := x.registry.events.fd
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil { // the kernel's least: 2 KiB or so
		t.Fatal(err)
	}
	for range 100 {
		noisy.Command("ip", "address", "add", "10.80.0.1/32", "dev", "lo")
		noisy.Command("ip", "address", "delete", "10.80.0.1/32", "dev", "lo")
		if dropped(t, x, fd) > 0 {
			return
		}
	}
	t.Fatal("the socket lost nothing: the test shows nothing")
}

// dropped returns how many events did not find room in a socket of the room.
func dropped(t *testing.T, x *Tables, fd int) (drops int) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	var table []byte
	var err error
	x.room.do(func() { table, err = os.ReadFile("/proc/thread-self/net/netlink") })
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line) // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
		if len(fields) == 10 && fields[9] == fmt.Sprint(st.Ino) {
			if _, err := fmt.Sscan(fields[8], &drops); err != nil {
				t.Fatal(err)
			}
			return drops
		}
	}
	t.Fatalf("no socket %d in:\n%s", st.Ino, table)
	return 0
}

// hasID tells whether the room has an id still.
func hasID(t *testing.T, x *Tables, id int32) bool {
	t.Helper()
	answers, err := request(x.registry.route, unix.RTM_GETNSID, netlink.Dump, make([]byte, sizeofRtgenmsg))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range answers {
		if theirs, _ := parseNamespaceID(m.Data); theirs == id {
			return true
		}
	}
	return false
}

// What happened while more was told than the socket holds is found out afterwards: other routes, and namespaces that are no more.
func TestEventsThatWereLost(t *testing.T) {
	pod, node, other := chain(t)
	testnet.Link(pod, other, "up1", "10.79.1.1/24", "10.79.1.2/24")
	x := openTables(t, Options{})
	wantEqual(t, "outside the pod", outer(t, x, pod), node.Inode)
	inode, process, end := guest(t)
	n, _ := x.registry.find(time.Now().Add(time.Hour), sought{inode: inode}, process)
	if n == nil {
		t.Fatal("the child's namespace is not found")
	}

	deafen(t, x, node)
	pod.Command("ip", "route", "replace", "default", "via", "10.79.1.2")
	end()
	for hasID(t, x, n.id) {
		time.Sleep(time.Millisecond) // the kernel ends namespaces in the background
	}
	x.Ask(time.Now(), nil)
	wantEqual(t, "outside the pod after its route has changed", outer(t, x, pod), other.Inode)
	if x.registry.ids[n.id] != nil || x.registry.inodes[inode] != nil {
		t.Error("a namespace that has ended is known still")
	}
}
