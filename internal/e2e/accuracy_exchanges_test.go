//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/mesh"
)

// An exchanged is the comparison of one way in which programs use UDP or DNS. The series are those that there should
// be, with what the programs counted, and those that netconn reported.
type exchanged struct {
	name              string
	counted, reported map[string]int64
}

// exchangedCase runs programs and returns what they counted, and how to read what netconn reports.
type exchangedCase struct {
	name string
	run  func(t *testing.T, sink *signals) (counted map[string]int64, reported func() map[string]int64)
}

func compareExchanges(t *testing.T) (all []exchanged) {
	t.Helper()
	for _, c := range []exchangedCase{
		{"UDP through a service, DNAT in the client's namespace", datagramsToService},
		{"UDP to a port that is redirected in the server's namespace: the translation is not known", datagramsRedirected},
		{"UDP server with 200 peers, not connected", datagramsOfManyPeers},
		{"DNS captured by a sidecar's rules, with zones", lookupsCaptured},
	} {
		t.Run(c.name, func(t *testing.T) {
			sink := newSignals(t)
			counted, reported := c.run(t, sink)
			sink.settle(t, counted, reported)
			all = append(all, exchanged{c.name, counted, reported()})
		})
	}
	return all
}

// datagramAttributes are what tells series of UDP apart.
const datagramAttributes = "network.io.direction, netconn.role, network.transport, server.port, netconn.nat, netconn.peer.name"

// datagramsOf starts a collector and two containers in linked namespaces.
func datagramsOf(t *testing.T, sink *signals) (app, stats *driver, here, there *testnet.Namespace, reported func() map[string]int64) {
	t.Helper()
	run(t, setup{Receiver: []string{
		"collection_interval: 500ms", "udp: all",
		"metrics: {netconn.io: {attributes: [" + datagramAttributes + "]}, netconn.packets: {enabled: true, attributes: [" +
			datagramAttributes + "]}}",
	}, OTLP: sink.address})
	sink.await(t)
	here, there = testnet.New(t), testnet.New(t)
	testnet.Link(here, there, "nc0", "10.79.0.1/24", "10.79.0.2/24")
	appID, statsID := cgroup.NewID(), cgroup.NewID()
	app = startIn(t, "app", cgroup.SystemdPod(cgroup.NewUID(), appID), here.Namespace)
	stats = startIn(t, "stats", cgroup.SystemdPod(cgroup.NewUID(), statsID), there.Namespace)
	of := map[string]string{appID: "app", statsID: "stats"}
	return app, stats, here, there, func() map[string]int64 {
		all := make(map[string]int64)
		for _, metric := range []string{"netconn.io", "netconn.packets"} {
			for key, n := range sink.sum(metric, func(n number) string {
				who := of[n.resource["container.id"]]
				if who == "" || n.point["network.transport"] != "udp" {
					return ""
				}
				return metric + " " + who + " " + n.point.of(strings.Split(datagramAttributes, ", ")...)
			}) {
				all[key] = n
			}
		}
		return all
	}
}

// countDatagrams returns the series of both ends, from what the programs sent to each other.
func countDatagrams(port int, nat string, sent, sentBytes, answered, answeredBytes int64) map[string]int64 {
	all := make(map[string]int64)
	for metric, n := range map[string][2]int64{"netconn.packets": {sent, answered}, "netconn.io": {sentBytes, answeredBytes}} {
		there, back := n[0], n[1]
		all[fmt.Sprintf("%s app transmit client udp %d %s stats", metric, port, nat)] = there
		all[fmt.Sprintf("%s app receive client udp %d %s stats", metric, port, nat)] = back
		all[fmt.Sprintf("%s stats receive server udp %d %s app", metric, port, nat)] = there
		all[fmt.Sprintf("%s stats transmit server udp %d %s app", metric, port, nat)] = back
	}
	return all
}

// ask has the client send datagrams of some sizes from one connected socket, and the server answer each with two.
func ask(app, stats *driver, name string, sizes ...int64) (sent, sentBytes, answered, answeredBytes int64) {
	for _, size := range sizes {
		app.do("udp-send %s %d", name, size)
		stats.do("udp-answer s 50 3")
		app.do("udp-receive %s", name)
		app.do("udp-receive %s", name)
		sent, sentBytes, answered, answeredBytes = sent+1, sentBytes+size, answered+2, answeredBytes+53
	}
	return sent, sentBytes, answered, answeredBytes
}

func datagramsToService(t *testing.T, sink *signals) (map[string]int64, func() map[string]int64) {
	app, stats, here, _, reported := datagramsOf(t, sink)
	here.Command("ip", "route", "add", "10.96.0.0/16", "via", "10.79.0.2")
	here.Command("iptables", "-t", "nat", "-A", "OUTPUT", "-p", "udp", "-d", "10.96.0.9", "--dport", "80",
		"-j", "DNAT", "--to-destination", "10.79.0.2:8125")
	stats.do("udp-listen s 10.79.0.2:8125")
	app.do("udp-dial c 10.96.0.9:80")
	sent, sentBytes, answered, answeredBytes := ask(app, stats, "c", 100, 0, 1400, 7)
	return countDatagrams(8125, "dnat", sent, sentBytes, answered, answeredBytes), reported
}

// datagramsRedirected has the server's namespace translate. Connection tracking is not asked about UDP, so the translation
// is unresolved, and the port is the one that was asked for.
func datagramsRedirected(t *testing.T, sink *signals) (map[string]int64, func() map[string]int64) {
	app, stats, _, there, reported := datagramsOf(t, sink)
	there.Command("iptables", "-t", "nat", "-A", "PREROUTING", "-p", "udp", "--dport", "80", "-j", "REDIRECT", "--to-ports", "8125")
	stats.do("udp-listen s 10.79.0.2:8125")
	app.do("udp-dial c 10.79.0.2:80")
	sent, sentBytes, answered, answeredBytes := ask(app, stats, "c", 100, 0, 1400, 7)
	return countDatagrams(80, "unresolved", sent, sentBytes, answered, answeredBytes), reported
}

// datagramsOfManyPeers has one socket serve many, as a server of QUIC does.
func datagramsOfManyPeers(t *testing.T, sink *signals) (map[string]int64, func() map[string]int64) {
	const peers = 200
	app, stats, _, _, reported := datagramsOf(t, sink)
	stats.do("udp-listen s 10.79.0.2:8125")
	var sent, sentBytes, answered, answeredBytes int64
	for i := range peers {
		name := fmt.Sprint("c", i)
		app.do("udp-dial %s 10.79.0.2:8125", name)
		a, b, c, d := ask(app, stats, name, 1200, 40)
		sent, sentBytes, answered, answeredBytes = sent+a, sentBytes+b, answered+c, answeredBytes+d
	}
	return countDatagrams(8125, "none", sent, sentBytes, answered, answeredBytes), reported
}

// lookupsCaptured has an application ask for names through the agent of its sidecar, which asks a resolver. What the
// application asked is counted by it, what the two servers did is in their logs.
func lookupsCaptured(t *testing.T, sink *signals) (map[string]int64, func() map[string]int64) {
	needs(t, "dig", "dnsmasq", "setpriv", "iptables")
	keys := "netconn.role, network.transport, netconn.dns.rcode"
	run(t, setup{Receiver: []string{
		"collection_interval: 500ms", "dns: all", "metrics: {netconn.dns.requests: {attributes: [" + keys + "]}}",
	}, OTLP: sink.address})
	sink.await(t)
	pod, node := testnet.New(t), testnet.New(t)
	testnet.Link(pod, node, "nc0", "10.79.0.1/24", "10.79.0.2/24")
	captureDNS(t, pod, node)
	appID, agentID, resolverID := cgroup.NewID(), cgroup.NewID(), cgroup.NewID()
	of := map[string]string{appID: "app", agentID: "agent", resolverID: "resolver"}
	logs := map[string]string{
		"resolver": startResolver(t, node, resolverID, "--user=root", "--listen-address=10.79.0.2", "--address=/ok.test/203.0.113.9", "--address=/nx.test/"),
		"agent":    startResolver(t, pod, agentID, "--listen-address=127.0.0.1", "--port=15053", "--server=10.96.0.10"),
	}
	counted, in := make(map[string]int64), newCgroup(t, cgroup.Docker(appID))
	for _, name := range []string{"ok.test", "ok.test", "nx.test", "ok.test"} {
		c := exec.Command("dig", "@10.96.0.10", "+tries=1", "+timeout=5", name)
		c.SysProcAttr = &syscall.SysProcAttr{}
		in.Put(c.SysProcAttr)
		var out []byte
		var err error
		pod.Do(func() { out, err = c.CombinedOutput() })
		if err != nil {
			t.Fatalf("dig: %v\n%s", err, out)
		}
		for _, rcode := range []string{"NOERROR", "NXDOMAIN"} {
			if strings.Contains(string(out), "status: "+rcode) {
				counted["app client udp "+rcode]++
			}
		}
	}
	for who, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for rcode, sign := range map[string]string{"NOERROR": " ok.test is 203.0.113.9", "NXDOMAIN": " nx.test is NXDOMAIN"} {
			n := int64(strings.Count(string(text), sign))
			counted[who+" server udp "+rcode] = n
			if who == "agent" {
				counted["agent client udp "+rcode] = n // it has no cache
			}
		}
	}
	return counted, func() map[string]int64 {
		return sink.sum("netconn.dns.requests", func(n number) string {
			who := of[n.resource["container.id"]]
			if who == "" {
				return ""
			}
			return who + " " + n.point.of(strings.Split(keys, ", ")...)
		})
	}
}

// captureDNS has the agent of a pod answer what the pod asks the cluster's resolver, and its node translate the service.
func captureDNS(t *testing.T, pod, node *testnet.Namespace) {
	t.Helper()
	pod.Command("ip", "route", "add", "default", "via", "10.79.0.2")
	service := netip.MustParseAddr("10.96.0.10")
	if err := errors.Join(mesh.ServeDNS(node.Namespace, service, netip.MustParseAddr("10.79.0.2")),
		mesh.CaptureDNS(pod.Namespace, service)); err != nil {
		t.Fatal(err)
	}
}

// startResolver starts dnsmasq in a container, the agent as the user that the rules leave alone, and returns the path of its
// log.
func startResolver(t *testing.T, n *testnet.Namespace, id string, arguments ...string) (log string) {
	t.Helper()
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	all := []string{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts",
		"--cache-size=0", "--bind-interfaces", "--log-queries", "--log-facility=-"}
	if !slices.Contains(arguments, "--user=root") {
		all = append([]string{"setpriv", "--reuid=1337", "--regid=1337", "--clear-groups"}, all...)
	}
	all = append(all, arguments...)
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	c := exec.Command(all[0], all[1:]...)
	c.Stdout, c.Stderr, c.SysProcAttr = f, f, &syscall.SysProcAttr{}
	newCgroup(t, cgroup.Docker(id)).Put(c.SysProcAttr)
	n.Start(c)
	until(t, "dnsmasq", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "started")
	})
	return log
}

// exchanges writes the table of these comparisons.
func exchanges(b *strings.Builder, all []exchanged) {
	fmt.Fprint(b, "\n## UDP and DNS\n\nThe programs count their datagrams, bytes and look-ups. netconn's figures are those of the same "+
		"series;\na figure that is in another series is in a row with 0 counted.\n")
	for _, e := range all {
		fmt.Fprintf(b, "\n### %s\n\n| series | counted | reported |\n| --- | --- | --- |\n", e.name)
		keys := make(map[string]bool)
		for _, m := range []map[string]int64{e.counted, e.reported} {
			for k := range m {
				keys[k] = true
			}
		}
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			fmt.Fprintf(b, "| %s | %d | %d |\n", k, e.counted[k], e.reported[k])
		}
	}
}
