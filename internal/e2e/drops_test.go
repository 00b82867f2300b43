//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// With drops: on, the kernel's drops are reported by their reason: those of a rule by the container that sent them, those
// of a full buffer by the container that did not read, and those for a port without a socket by the host. What the
// buffer dropped is what the socket itself counts. Packets for another host are no loss, and are in a counter of
// their own.
func TestDrops(t *testing.T) {
	const ruled, absent, elsewhere = 5, 7, 20
	sink, telemetry := newSignals(t), freeAddress(t)
	run(t, setup{
		Receiver: []string{"collection_interval: 500ms", "udp: all", "drops: on", "attributes: {network.transport: true}"},
		OTLP:     sink.address, Telemetry: telemetry,
	})
	sink.await(t)
	here, there := testnet.New(t), testnet.New(t)
	testnet.Link(here, there, "nc0", "10.79.0.1/24", "10.79.0.2/24")
	here.Command("iptables", "-A", "OUTPUT", "-p", "udp", "--dport", "9001", "-j", "DROP")
	here.Command("ip", "neigh", "add", "10.79.0.9", "lladdr", "02:00:00:00:00:01", "dev", "nc0")
	appID, statsID := cgroup.NewID(), cgroup.NewID()
	app := startIn(t, "app", cgroup.SystemdPod(cgroup.NewUID(), appID), here.Namespace)
	stats := startIn(t, "stats", cgroup.SystemdPod(cgroup.NewUID(), statsID), there.Namespace)
	of := map[string]string{appID: "app", statsID: "stats"}
	hostBefore := dropsOf(sink, map[string]string{"": "host"})
	excluded := func() float64 {
		return readPage(t, telemetry).values[named("otelcol_netconn_drops_excluded", "netconn_drop_reason=otherhost")]
	}
	excludedBefore := excluded()

	app.do("udp-dial ruled 10.79.0.2:9001")
	for range ruled {
		app.fail("operation not permitted", "udp-send ruled 100")
	}
	app.do("udp-listen free 10.79.0.1:0")
	for range absent {
		app.do("udp-send-to free 10.79.0.2:9002 100")
		app.fail("connection refused", "dial refused 10.79.0.2:9003")
	}
	for range elsewhere {
		app.do("udp-send-to free 10.79.0.9:9004 100")
	}
	fillBuffer(t, app, stats, there)

	sink.settle(t, map[string]int64{
		"app netfilter_drop udp": ruled, "stats socket_rcvbuff udp, but for the socket's own": 0,
		"stats netconn.udp.drops, but for the socket's own": 0,
	}, func() map[string]int64 {
		got, own := dropsOf(sink, of), socketDrops(t, there, 9000)
		got["stats socket_rcvbuff udp, but for the socket's own"] = got["stats socket_rcvbuff udp"] - own
		delete(got, "stats socket_rcvbuff udp")
		udp := sink.sum("netconn.udp.drops", func(n number) string { return of[n.resource["container.id"]] })
		got["stats netconn.udp.drops, but for the socket's own"] = udp["stats"] - own
		return got
	})
	until(t, "the drops of the host", func() bool { // others may have some too
		host := dropsOf(sink, map[string]string{"": "host"})
		return host["host no_socket udp"]-hostBefore["host no_socket udp"] >= absent &&
			host["host no_socket tcp"]-hostBefore["host no_socket tcp"] >= absent
	})
	until(t, "the packets for another host", func() bool { return excluded()-excludedBefore >= elsewhere })
}

// fillBuffer sends datagrams to a socket that does not read, until it has dropped some.
func fillBuffer(t *testing.T, app, stats *driver, there *testnet.Namespace) {
	t.Helper()
	stats.do("udp-listen full 10.79.0.2:9000")
	app.do("udp-dial full 10.79.0.2:9000")
	until(t, "the buffer to be full", func() bool {
		app.do("udp-send full 1400")
		return socketDrops(t, there, 9000) >= 10
	})
}

// dropsOf returns what is reported of the drops of some containers; "" is what has none.
func dropsOf(sink *signals, containers map[string]string) map[string]int64 {
	return sink.sum("netconn.drops", func(n number) string {
		who := containers[n.resource["container.id"]]
		if who == "" {
			return ""
		}
		return who + " " + n.point.of("netconn.drop.reason", "network.transport")
	})
}

// socketDrops returns how many datagrams the socket at a port has dropped, as the kernel says in the last column of its list.
func socketDrops(t *testing.T, n *testnet.Namespace, port int) (dropped int64) {
	t.Helper()
	var text []byte
	var err error
	n.Do(func() { text, err = os.ReadFile("/proc/thread-self/net/udp") })
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 2 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
			if dropped, err = strconv.ParseInt(fields[len(fields)-1], 10, 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dropped
}

// A kernel before 5.17 gives no reason for what it drops. The log says so once, and everything else works. This kernel is
// made one by its types, in which the reasons have another name.
func TestDropsWithoutReasons(t *testing.T) {
	const reasons = "\x00skb_drop_reason\x00"
	types, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		testnet.Require(t, err)
	}
	older := filepath.Join(t.TempDir(), "vmlinux")
	text := bytes.Replace(types, []byte(reasons), []byte(strings.ToUpper(reasons)), 1)
	if bytes.Equal(text, types) {
		testnet.Require(t, fmt.Errorf("the kernel's types have no %q", reasons))
	}
	if err := os.WriteFile(older, text, 0o600); err != nil {
		t.Fatal(err)
	}
	sink := newSignals(t)
	s := setup{Receiver: []string{"collection_interval: 500ms", "drops: on"}, OTLP: sink.address}
	c := launchBy(t, exec.Command("unshare", "--mount", "sh", "-c",
		`mount --bind "$0" /sys/kernel/btf/vmlinux && exec /proc/self/fd/3 "$@"`, older),
		nil, []string{"NETCONN_TEST_CONFIGURATION=" + s.text(t)}, "env:NETCONN_TEST_CONFIGURATION")
	sink.await(t)
	const want = "count dropped packets (drops): the kernel gives no reason for dropped packets (Linux 5.17 or newer does)"
	if n := strings.Count(c.Log(), want); n != 1 {
		t.Errorf("the log has %q %d times, want once", want, n)
	}
	if len(sink.ever("netconn.drops")) > 0 {
		t.Error("drops are reported")
	}
}
