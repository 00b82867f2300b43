//go:build linux

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/netconn/netconn/internal/testnet"
)

// Addresses of the tests of DNS: a dnsmasq in a container, the server that it forwards to, and two clients.
const (
	dnsmasqAddr  = "10.99.54.1"
	upstreamAddr = "10.99.54.2"
)

var digAddrs = []string{"10.99.54.3", "10.99.54.4"}

// newDNSmasq starts dnsmasq as a container, and returns the container's id and the path of the server's log. It answers
// ok.test and nx.test itself, and forwards fail.test and silent.test.
func newDNSmasq(t *testing.T, n *testnet.Namespace) (id, log string) {
	t.Helper()
	needs(t, "dnsmasq", "dig")
	for _, a := range append([]string{dnsmasqAddr, upstreamAddr}, digAddrs...) {
		n.Command("ip", "address", "add", a+"/24", "dev", "lo")
	}
	serveUpstream(t, n)
	id, log = fmt.Sprintf("%x", randomBytes(32)), filepath.Join(t.TempDir(), "dnsmasq.log")
	c := exec.Command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root",
		"--no-resolv", "--no-hosts", "--cache-size=0", "--bind-interfaces", "--listen-address="+dnsmasqAddr,
		"--address=/ok.test/203.0.113.9", "--address=/nx.test/", "--server=/fail.test/"+upstreamAddr,
		"--server=/silent.test/"+upstreamAddr, "--log-queries=extra", "--log-facility="+log)
	c.SysProcAttr = &syscall.SysProcAttr{}
	newCgroup(t, "docker-"+id+".scope").Put(c.SysProcAttr)
	n.Start(c)
	until(t, "dnsmasq", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "started")
	})
	return id, log
}

// needs fails a test that lacks a program where the kernel is required, and skips it elsewhere.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			testnet.Require(t, err)
		}
	}
}

// serveUpstream answers SERVFAIL for fail.test, and nothing for any other name.
func serveUpstream(t *testing.T, n *testnet.Namespace) {
	t.Helper()
	var c net.PacketConn
	var err error
	n.Do(func() { c, err = net.ListenPacket("udp", upstreamAddr+":53") })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		buffer := make([]byte, 2000)
		for {
			size, from, err := c.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:size]) != nil || m.Questions[0].Name.String() != "fail.test." {
				continue
			}
			m.Response, m.RCode = true, dnsmessage.RCodeServerFailure
			if response, err := m.Pack(); err == nil {
				_, _ = c.WriteTo(response, from)
			}
		}
	}()
}

// dig asks dnsmasq for a name from an address. The status of dig is that of its question, and means nothing here.
func dig(n *testnet.Namespace, from, name string, more ...string) {
	_, _ = n.Output("dig", append([]string{"@" + dnsmasqAddr, "-b", from, "+tries=1", "+timeout=1", name}, more...)...)
}

// logged returns how dnsmasq answered its clients, as its own log has it: by client and response code, or "query" for
// what it was asked. Each line has the client's address and port.
func logged(t *testing.T, log string) map[string]int64 {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]int64)
	for _, line := range regexp.MustCompile(`\d+ ([0-9.]+)/\d+ (.*)`).FindAllStringSubmatch(string(text), -1) {
		for what, outcome := range map[string]string{
			"query[": "query", "config ok.test is 203.0.113.9": "NOERROR", "config nx.test is NXDOMAIN": "NXDOMAIN",
			"reply error is SERVFAIL": "SERVFAIL",
		} {
			if strings.HasPrefix(line[2], what) {
				got[line[1]+" "+outcome]++
			}
		}
	}
	return got
}

// lookups returns what a collection counts of the DNS exchanges of a resource: by role, the other end, the transport, and
// the response code or "timeout"; and how many of them have a latency.
func (c collection) lookups(t *testing.T, key string) (outcomes, latencies map[string]int64) {
	t.Helper()
	outcomes, latencies = make(map[string]int64), make(map[string]int64)
	for name, s := range c.find(key).series {
		metric, labels, _ := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		of := make(map[string]string)
		for label := range strings.SplitSeq(labels, ", ") {
			key, value, _ := strings.Cut(label, "=")
			of[key] = value
		}
		end := strings.Join([]string{of["netconn.role"], of["network.peer.address"], of["network.transport"]}, " ")
		switch metric {
		case "netconn.dns.requests":
			outcomes[end+" "+of["netconn.dns.rcode"]] += s.count
		case "netconn.dns.timeouts":
			outcomes[end+" timeout"] += s.count
		case "dns.lookup.duration":
			latencies[end] += int64(s.histogram.count)
			if s.histogram.count > 0 && (s.histogram.min <= 0 || s.histogram.max > 1) {
				t.Errorf("%s took from %v to %v s", end, s.histogram.min, s.histogram.max)
			}
		}
	}
	return outcomes, latencies
}

// A DNS server in a container is followed without any configuration: requests, response codes, latency and what it never
// answered, by client, and equal to its own log. Its clients are followed with dns: all only.
func TestLookups(t *testing.T) {
	n := testnet.New(t)
	telemetry := freeAddress(t)
	attributes := "attributes: {network.transport: true, network.peer.address: true}"
	servers, all := newSink(t), newSink(t)
	run(t, setup{Receiver: []string{"collection_interval: 1s", attributes}, OTLP: servers.address, Telemetry: telemetry})
	run(t, setup{Receiver: []string{"collection_interval: 1s", attributes, "dns: all"}, OTLP: all.address})
	servers.next(1)
	all.next(1)
	id, log := newDNSmasq(t, n) // bound after the collectors have started
	until(t, "the programs of the server's cgroup", func() bool {
		return readPage(t, telemetry).values[named("otelcol_netconn_dns_cgroups")] > 0
	})

	for i, from := range digAddrs {
		for range 3 + i {
			dig(n, from, "ok.test")
		}
		dig(n, from, "nx.test")
		dig(n, from, "fail.test")
		dig(n, from, fmt.Sprintf("%d.silent.test", i)) // or dnsmasq would forward the query once
		dig(n, from, "ok.test", "+tcp")
	}

	byServer := map[string]int64{
		"server 10.99.54.3 udp NOERROR": 3, "server 10.99.54.4 udp NOERROR": 4,
		"client 10.99.54.2 udp SERVFAIL": 2, "client 10.99.54.2 udp timeout": 2,
	}
	latencies := map[string]int64{
		"server 10.99.54.3 udp": 5, "server 10.99.54.4 udp": 6, "client 10.99.54.2 udp": 2,
		"server 10.99.54.3 tcp": 1, "server 10.99.54.4 tcp": 1,
	}
	wantLog := make(map[string]int64)
	for i, from := range digAddrs {
		for _, outcome := range []string{"udp NXDOMAIN", "udp SERVFAIL", "udp timeout", "tcp NOERROR"} {
			byServer["server "+from+" "+outcome] = 1
		}
		wantLog[from+" query"], wantLog[from+" NOERROR"] = int64(7+i), int64(4+i)
		wantLog[from+" NXDOMAIN"], wantLog[from+" SERVFAIL"] = 1, 1
	}
	if diff := cmp.Diff(wantLog, logged(t, log)); diff != "" {
		t.Fatalf("the server's log (-want +got):\n%s", diff)
	}
	byClient := map[string]int64{
		"client 10.99.54.1 udp NOERROR": 7, "client 10.99.54.1 tcp NOERROR": 2, "client 10.99.54.1 udp NXDOMAIN": 2,
		"client 10.99.54.1 udp SERVFAIL": 2, "client 10.99.54.1 udp timeout": 2,
	}
	for name, of := range map[string]struct {
		sink *sink
		dig  map[string]int64
	}{"servers": {servers, map[string]int64{}}, "all": {all, byClient}} {
		settle(t, name+": dnsmasq", byServer, func() map[string]int64 { o, _ := of.sink.latest().lookups(t, id); return o })
		settle(t, name+": dig", of.dig, func() map[string]int64 { o, _ := of.sink.latest().lookups(t, "dig"); return o })
		if _, got := of.sink.latest().lookups(t, id); !cmp.Equal(latencies, got) {
			t.Errorf("%s: latencies (-want +got):\n%s", name, cmp.Diff(latencies, got))
		}
	}
	noneLost(t, telemetry)
}

// noneLost checks the counters of what DNS loses.
func noneLost(t *testing.T, telemetry string) {
	t.Helper()
	lost := map[string]float64{}
	for _, name := range []string{"lost", "queries_refused", "malformed"} {
		lost[named("otelcol_netconn_dns_"+name)] = 0
	}
	got := readPage(t, telemetry).only("otelcol_netconn_dns_lost", "otelcol_netconn_dns_q", "otelcol_netconn_dns_malformed")
	if diff := cmp.Diff(lost, got); diff != "" {
		t.Errorf("losses (-want +got):\n%s", diff)
	}
}

// settle waits until what was counted is what is wanted.
func settle(t *testing.T, what string, want map[string]int64, got func() map[string]int64) {
	t.Helper()
	diff := ""
	if !poll(func() bool { diff = cmp.Diff(want, got()); return diff == "" }) {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
