//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// runWithin starts the distribution in a cgroup with a limit of memory.
func runWithin(t *testing.T, limit int64, s setup) *collector {
	t.Helper()
	m, err := cgroup.NewMemory(fmt.Sprintf("netconn-limit-%d", os.Getpid()), limit)
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { // after the end of the collector
		if err := m.Remove(); err != nil {
			t.Error(err)
		}
	})
	enter := exec.Command("sh", "-c", `echo $$ >"$0" && exec /proc/self/fd/3 "$@"`, m.Members())
	return launchBy(t, enter, nil, []string{"NETCONN_TEST_CONFIGURATION=" + s.text(t)}, "env:NETCONN_TEST_CONFIGURATION")
}

// A crowd is many connections of this process, both ends.
type crowd [][2]int

// Payload of each connection of a crowd, from its client and back.
const crowdSent, crowdReceived = 1009, 2003

// gather opens connections in a namespace.
func gather(t *testing.T, in *testnet.Namespace, n int) (all crowd) {
	t.Helper()
	in.Do(func() {
		listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		check(t, err)
		defer unix.Close(listener)
		server := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 9080}
		check(t, unix.Bind(listener, server))
		check(t, unix.Listen(listener, 128))
		for range n {
			client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			check(t, err)
			check(t, unix.Connect(client, server))
			accepted, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
			check(t, err)
			all = append(all, [2]int{client, accepted})
			carry(t, client, accepted, crowdSent)
			carry(t, accepted, client, crowdReceived)
		}
	})
	return all
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// carry sends a payload that fits into a socket's buffer.
func carry(t *testing.T, from, to, n int) {
	t.Helper()
	_, err := unix.Write(from, make([]byte, n))
	check(t, err)
	buffer := make([]byte, n)
	for read := 0; read < n; {
		got, err := unix.Read(to, buffer)
		check(t, err)
		read += got
	}
}

// close closes the last one first. It is beyond the limit, and would find room once others have ended.
func (c crowd) close() {
	for _, ends := range slices.Backward(c) {
		unix.Close(ends[0])
		unix.Close(ends[1])
	}
}

// total returns what a collection has of a metric: in the series of this process, and in overflow.
func total(c collection, metric string) (own, overflow int64) {
	for _, r := range c.resources {
		for name, s := range r.series {
			switch {
			case metricOf(name) != metric:
			case strings.Contains(name, "otel.metric.overflow=true"):
				overflow += s.count
			case r.key() == filepath.Base(os.Args[0]):
				own += s.count
			}
		}
	}
	return own, overflow
}

// A collector in a real cgroup follows as many connections as fit into the limit of its memory. It counts the rest in
// overflow, says so in its status while it lasts, and stays below the limit.
func TestMemoryLimit(t *testing.T) {
	const (
		limit       = 112 << 20 // a little more than the collector needs without connections
		connections = 4500
		ends        = 2 * connections
	)
	sink := newSink(t)
	in := testnet.New(t)
	c := runWithin(t, limit, setup{Receiver: []string{"collection_interval: 1s"}, OTLP: sink.address})
	c.awaitReady()
	follows := regexp.MustCompile(`"max_connections": (\d+), "sockets": (\d+), "memory_limit": 117440512`).FindStringSubmatch(c.Log())
	if follows == nil {
		t.Fatal("the log does not say which limit follows from the memory")
	}
	most, _ := strconv.ParseInt(follows[1], 10, 64)
	if most < 1000 || most > ends*3/4 {
		t.Fatalf("the collector follows %d connections, which %d do not exceed", most, ends)
	}

	all := gather(t, in, connections)
	until(t, "most of the connections", func() bool {
		own, _ := total(sink.latest(), "netconn.active")
		return own > most*3/4
	})
	const fault = "name all connections: max_connections is reached"
	until(t, "a degraded status", func() bool { return strings.Contains(c.Log(), fault) })
	all.close()
	for metric, want := range map[string]int64{
		"netconn.attempts": ends, "netconn.closed": ends,
		"netconn.io": connections * 2 * (crowdSent + crowdReceived),
	} {
		// Other programs of the machine are in overflow, too.
		until(t, metric, func() bool {
			own, overflow := total(sink.latest(), metric)
			return own+overflow >= want
		})
		own, overflow := total(sink.latest(), metric)
		t.Logf("%s: %d and %d in overflow, of %d", metric, own, overflow, want)
		if own > want || overflow < want/10 {
			t.Errorf("%s: want %d in all", metric, want)
		}
	}
	// When the status gets better depends on the other programs of the machine. internal/pipeline tests when it does.
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
}
