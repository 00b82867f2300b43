//go:build linux

package dns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// counts returns how often each outcome was seen of the exchanges that keep selects, described by describe.
func (w *observer) counts(describe func(conn.Lookup) string) map[string]int {
	all := make(map[string]int)
	for _, l := range w.lookups {
		what := describe(l)
		if what == "" {
			continue
		}
		if l.Answered && (l.Latency <= 0 || l.Latency > Timeout) {
			w.t.Errorf("the latency of %s is %v", what, l.Latency)
		}
		all[what]++
	}
	return all
}

// outcome is the code of the response, or timeout.
func outcome(l conn.Lookup) string {
	if !l.Answered {
		return "timeout"
	}
	return l.Rcode.String()
}

// startUnbound starts a real resolver at 10.99.53.1, and returns the path of its log.
func startUnbound(t *testing.T, n *testnet.Namespace) (log string) {
	t.Helper()
	needs(t, "unbound")
	dir := t.TempDir()
	log = filepath.Join(dir, "log")
	text := `server:
  interface: 10.99.53.1
  port: 53
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "` + dir + `"
  pidfile: ""
  use-syslog: no
  logfile: "` + log + `"
  log-replies: yes
  log-tag-queryreply: yes
  module-config: "iterator"
  do-not-query-localhost: no
  access-control: 0.0.0.0/0 allow
  local-zone: "example.com." static
  local-data: "ok.example.com. 60 A 203.0.113.9"
  local-data: "ok.example.com. 60 AAAA 2001:db8::9"
  local-zone: "refused.test." refuse
  local-zone: "silent.test." deny
`
	for i := range 100 {
		text += fmt.Sprintf("  local-data: \"big.example.com. 60 A 198.51.100.%d\"\n", i)
	}
	text += "forward-zone:\n  name: \"fail.test.\"\n  forward-addr: 10.99.53.1@9\n" // no socket listens there
	text += "remote-control:\n  control-enable: no\n"
	path := filepath.Join(dir, "unbound.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Start(exec.Command("unbound", "-d", "-c", path))
	waitForLog(t, log, "start of service")
	return log
}

func waitForLog(t *testing.T, path, line string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(path)
		if strings.Contains(string(text), line) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %q in %s:\n%s", line, path, text)
		}
	}
}

// replies returns how often unbound logged each name and code.
func replies(t *testing.T, log string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]int)
	for _, reply := range regexp.MustCompile(`reply: \S+ (\S+)\. \S+ IN (\S+)`).FindAllStringSubmatch(string(text), -1) {
		all[reply[1]+" "+reply[2]]++
	}
	return all
}

// resolve has the C library ask the resolver of a file, as a program without arguments would: for both families at once.
func resolve(t *testing.T, n *testnet.Namespace, resolver, name string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("nameserver "+resolver+"\noptions timeout:2 attempts:1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.Command("unshare", "--mount", "sh", "-c", `mount --bind "$1" /etc/resolv.conf && exec getent ahosts "$2"`, "sh", path, name)
}

// What unbound answers is what its own log has: over UDP and TCP, truncated, with and without EDNS, by dig and by the C
// library, directly and through a cache on 127.0.0.53. The cache answers from its memory, so unbound is asked less often.
func TestUnbound(t *testing.T) {
	needs(t, "dig", "dnsmasq", "unshare", "getent")
	n := network(t)
	n.Command("ip", "address", "add", "2001:db8::53/64", "dev", "lo") // or the C library asks for one family only
	log := startUnbound(t, n)
	w := observe(t, Options{Mode: All, Timeout: 1500 * time.Millisecond})
	cache := filepath.Join(t.TempDir(), "log")
	n.Start(exec.Command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root",
		"--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.53", "--server=10.99.53.1",
		"--log-facility="+cache))
	waitForLog(t, cache, "started")
	for _, arguments := range []string{
		"ok.example.com", "ok.example.com +noedns", "ok.example.com +tcp", "nx.example.com", "a.refused.test", "a.fail.test",
		"a.silent.test", "big.example.com +noedns", "big.example.com +bufsize=4096",
	} {
		dig(n, append([]string{"@10.99.53.1"}, strings.Fields(arguments)...)...)
	}
	for range 3 {
		resolve(t, n, "127.0.0.53", "ok.example.com")
	}
	time.Sleep(2 * time.Second)
	w.drain()
	want := replies(t, log)
	want[" timeout"] = 1 // which unbound does not log
	for name, role := range map[string]conn.Role{"unbound": conn.RoleServer, "its clients": conn.RoleClient} {
		got := w.counts(func(l conn.Lookup) string {
			if l.Role != role || l.Tuple.Destination.Port() != 53 && l.Tuple.Source.Port() != 53 {
				return ""
			}
			return l.Question + " " + outcome(l)
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-the log +got):\n%s", name, diff)
		}
	}
	if n := want["ok.example.com NOERROR"]; n != 5 {
		t.Errorf("unbound logs %d answers for ok.example.com, want 3 of dig and 2 of the cache", n)
	}
	if n := want["big.example.com NOERROR"]; n != 3 {
		t.Errorf("unbound logs %d answers for big.example.com, want a truncated one, its repetition, and a large one", n)
	}
	wantCached(t, n, w)
}

// wantCached wants the six answers of the cache in what the kernel reported.
func wantCached(t *testing.T, n *testnet.Namespace, w *observer) {
	t.Helper()
	cached := netip.MustParseAddr("127.0.0.53")
	got := make(map[conn.Role]int)
	for _, l := range w.others {
		if l.Namespace.Inode == n.Inode && l.Answered && l.Question == "ok.example.com" &&
			(l.Tuple.Destination.Addr() == cached || l.Tuple.Source.Addr() == cached) {
			got[l.Role]++
		}
	}
	if want := map[conn.Role]int{conn.RoleClient: 6, conn.RoleServer: 6}; !cmp.Equal(want, got) {
		t.Errorf("through the cache: %v, want %v", got, want)
	}
}

// The address of the cluster's resolver, and that of its service.
var resolverAddr, service = netip.MustParseAddr("10.99.53.1"), netip.MustParseAddr("10.96.0.10")

// An application in a pod asks the cluster's resolver by its service address. A redirect as Istio's, with zones 1 and 2,
// leads to the agent of the sidecar, which asks the same service; the node translates that. Each of the four ends
// reports the exchange once, with the address that it saw and with its own latency.
func TestCapture(t *testing.T) {
	needs(t, "dig", "dnsmasq", "setpriv", "iptables")
	node, pod := network(t), testnet.New(t)
	script(t, node, 53)
	join(t, node, pod)
	if err := errors.Join(mesh.ServeDNS(node.Namespace, service, resolverAddr), mesh.CaptureDNS(pod.Namespace, service)); err != nil {
		t.Fatal(err)
	}
	w := observe(t, Options{Mode: All})
	startAgent(t, pod)
	for _, arguments := range []string{"ok.example.com", "ok.example.com", "nx.example.com", "fail.example.com", "ok.example.com +tcp"} {
		dig(pod, append([]string{"@10.96.0.10"}, strings.Fields(arguments)...)...)
	}
	w.drain()
	want := make(map[string]int)
	agent, resolver := "client dnsmasq of 10.96.0.10:53", "server "+filepath.Base(os.Args[0])+":53 of 10.99.53.2"
	ends := []string{"client dig of 10.96.0.10:53", "server dnsmasq:15053 of 10.99.53.2", agent, resolver}
	for _, end := range ends {
		want[end+" udp ok.example.com NOERROR"], want[end+" tcp ok.example.com NOERROR"] = 2, 1
		want[end+" udp nx.example.com NXDOMAIN"], want[end+" udp fail.example.com SERVFAIL"] = 1, 1
	}
	w.lookups = append(w.lookups, w.others...)
	latencies := make(map[string][]time.Duration)
	got := w.counts(func(l conn.Lookup) string {
		if !here.Contains(l.Tuple.Destination.Addr()) && l.Namespace.Inode != pod.Inode {
			return ""
		}
		end := fmt.Sprintf("client %s of %s", l.Process.Executable, l.Tuple.Destination)
		if l.Role == conn.RoleServer {
			end = fmt.Sprintf("server %s:%d of %s", l.Process.Executable, l.Tuple.Source.Port(), l.Tuple.Destination.Addr())
		}
		what := fmt.Sprintf("%s %s %s", l.Protocol, l.Question, outcome(l))
		latencies[end+" "+what] = append(latencies[end+" "+what], l.Latency)
		return end + " " + what
	})
	const failed = " udp fail.example.com SERVFAIL"
	if got[agent+failed] == 2 { // the dnsmasq of Debian 13 asks once more
		want[agent+failed], want[resolver+failed] = 2, 2
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	for _, what := range []string{"udp ok.example.com NOERROR", "udp nx.example.com NXDOMAIN", "tcp ok.example.com NOERROR"} {
		wantNested(t, what, ends, latencies)
	}
}

// wantNested wants that the latency of each end includes that of the next one, which it waits for.
func wantNested(t *testing.T, what string, ends []string, latencies map[string][]time.Duration) {
	t.Helper()
	for i, outer := range ends[:len(ends)-1] {
		inner := ends[i+1]
		for j, latency := range latencies[outer+" "+what] {
			if within := latencies[inner+" "+what][j]; within > latency {
				t.Errorf("%s: the %s has %v, and the %s within that %v", what, outer, latency, inner, within)
			}
		}
	}
}

// join joins a node, which has 10.99.53.1, and a pod with 10.99.53.2.
func join(t *testing.T, node, pod *testnet.Namespace) {
	t.Helper()
	node.Sysctl("net.ipv4.conf.all.rp_filter", "0")
	if err := netns.Link(
		netns.End{In: node.Namespace, Interface: "pod", Addresses: []netip.Prefix{netip.MustParsePrefix("10.99.53.1/32")}},
		netns.End{In: pod.Namespace, Interface: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.99.53.2/24")}},
	); err != nil {
		t.Fatal(err)
	}
	node.Command("ip", "route", "add", "10.99.53.2/32", "dev", "pod")
	pod.Command("ip", "route", "add", "default", "via", "10.99.53.1", "dev", "eth0")
}

// startAgent starts the resolver of a sidecar, as the user that the rules leave alone.
func startAgent(t *testing.T, pod *testnet.Namespace) {
	t.Helper()
	pod.Start(exec.Command("setpriv", "--reuid=1337", "--regid=1337", "--clear-groups", "dnsmasq", "--keep-in-foreground",
		"--conf-file=/dev/null", "--pid-file=", "--user=", "--group=", "--no-resolv", "--no-hosts", "--cache-size=0",
		"--bind-interfaces", "--listen-address=127.0.0.1", "--port=15053", "--server=10.96.0.10", "--log-facility=-"))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var err error
		pod.Do(func() {
			var c net.Conn
			if c, err = net.Dial("tcp", "127.0.0.1:15053"); err == nil {
				c.Close()
			}
		})
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
