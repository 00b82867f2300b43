//go:build linux

package e2e

import (
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet/cgroup"
	"github.com/netconn/netconn/internal/testnet/netns"
)

// partnerName is what is asked for, and an alias of what has the address.
const partnerName = "api.partner.test"

// serveNames runs dnsmasq in a network namespace and a cgroup. It has an alias of the public address.
func serveNames(t *testing.T, n *netns.Namespace, of *cgroup.Cgroup, address string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "dnsmasq.log")
	startCommand(t, n, of, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root",
		"--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address="+address, "--log-facility="+log,
		"--host-record=edge7.partner.test,"+publicAddr.String(), "--cname="+partnerName+",edge7.partner.test")
	until(t, "dnsmasq", func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "started")
	})
}

func startCommand(t *testing.T, n *netns.Namespace, of *cgroup.Cgroup, name string, arguments ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(name, arguments...)
	c.SysProcAttr = &syscall.SysProcAttr{}
	of.Put(c.SysProcAttr)
	if err := n.Do(c.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return c
}

// startNames has a server outside answer, or with dns: servers one in the shop's pod, and returns its address.
func startNames(t *testing.T, s *testbed, mode, telemetry string) (server string) {
	t.Helper()
	if mode != "servers" {
		serveNames(t, s.external.in, s.external.group, externalAddr.String())
		return externalAddr.String()
	}
	agent := s.addContainer("agent", s.pod[0])
	serveNames(t, agent.in, agent.group, "127.0.0.1")
	until(t, "the programs of the server's cgroup", func() bool {
		return readPage(t, telemetry).values[named("otelcol_netconn_dns_cgroups")] > 0
	})
	return "127.0.0.1"
}

// resolve has dig, in the container of a workload, ask a server for the partner.
func resolve(t *testing.T, w *workload, server string) {
	t.Helper()
	var out strings.Builder
	c := exec.Command("dig", "@"+server, "+short", "+tries=1", partnerName)
	c.SysProcAttr, c.Stdout = &syscall.SysProcAttr{}, &out
	w.group.Put(c.SysProcAttr)
	err := w.in.Do(c.Run)
	if want := "edge7.partner.test.\n" + publicAddr.String() + "\n"; err != nil || out.String() != want {
		t.Fatalf("dig returned %q, %v; want %q", out.String(), err, want)
	}
}

// exchangeOutside has two containers exchange datagrams with a server outside, as QUIC does. No socket is connected, and
// the nodes translate, so nothing shows that the server is on this machine.
func exchangeOutside(s *testbed, to netip.AddrPort) {
	for _, n := range s.node {
		s.check(n.Command("iptables", "-t", "nat", "-A", "POSTROUTING", "-p", "udp", "--dport", "9443", "-j", "MASQUERADE"))
	}
	s.external.do("udp-listen quic %s", to)
	for client, sizes := range map[*workload][][2]int{s.shop: {{1200, 1200}, {37, 5}}, s.stock: {{40, 6}}} {
		client.do("udp-listen quic 0.0.0.0:0")
		for _, size := range sizes {
			client.do("udp-send-to quic %s %d", to, size[0])
			s.external.do("udp-answer quic %d", size[1])
			client.do("udp-receive quic")
		}
	}
}

// A peer outside has the name that a container asked DNS for, with all bytes of the connections and the datagrams, in
// metrics and on the map. Another container that connects to the same address and has not asked knows the class of the
// address only. With dns: all the container's own query shows it; with dns: servers that of a server in the pod does, as
// Istio's agent is one.
func TestNamesOfPeersOutside(t *testing.T) {
	needs(t, "dnsmasq", "dig")
	for _, mode := range []string{"all", "servers"} {
		t.Run(mode, func(t *testing.T) {
			s, sink, telemetry := &testbed{t: t}, newSignals(t), freeAddress(t)
			s.build()
			s.check(s.outside.Address("eth0", netip.PrefixFrom(publicAddr, 32)))
			for _, n := range s.node {
				s.check(n.Command("ip", "route", "add", publicAddr.String(), "via", externalAddr.String()))
			}
			run(t, setup{Receiver: []string{"collection_interval: 500ms", "dns: " + mode, "udp: all"}, OTLP: sink.address, Telemetry: telemetry})
			sink.await(t)
			onMap := ""
			if mode == "all" {
				onMap = runMap(t, "dns: all", "udp: all")
			}
			server := startNames(t, s, mode, telemetry)
			partner := at(publicAddr, 9080)
			synproxy(s, s.external.in, 9080)
			s.external.ensure(partner.String())
			resolve(t, s.shop, server)
			dialAndExchange(s.shop, s.external, "paid", partner, partner)
			dialAndExchange(s.stock, s.external, "blind", partner, partner)
			exchangeOutside(s, at(publicAddr, 9443))

			who := map[string]*workload{"shop": s.shop, "stock": s.stock}
			reported := func() map[string]int64 {
				got := sink.reported("netconn.io", who, "netconn.role", "server.port", "netconn.peer.type", "netconn.peer.scope",
					"netconn.peer.name", "netconn.peer.domain", "network.io.direction")
				for key := range got {
					if !strings.Contains(key, " 9080 ") && !strings.Contains(key, " 9443 ") {
						delete(got, key)
					}
				}
				return got
			}
			want := map[string]int64{
				"shop client 9080 public remote - " + partnerName + " transmit": 1000,
				"shop client 9080 public remote - " + partnerName + " receive":  20_000,
				"stock client 9080 public remote - - transmit":                  1000,
				"stock client 9080 public remote - - receive":                   20_000,
				"shop client 9443 public remote - " + partnerName + " transmit": 1237,
				"shop client 9443 public remote - " + partnerName + " receive":  1205,
				"stock client 9443 public remote - - transmit":                  40,
				"stock client 9443 public remote - - receive":                   6,
			}
			sink.settle(t, want, reported)
			s.shop.do("close paid")
			s.external.do("finish spaid")
			sink.settle(t, want, reported)
			noneLost(t, telemetry)
			if onMap != "" {
				wantOutsideOnMap(t, onMap, s)
			}
		})
	}
}

// runMap starts the configuration of `make run` with more lines of the receiver, and returns the address of the map.
func runMap(t *testing.T, receiver ...string) (address string) {
	t.Helper()
	prometheus, address := freeAddress(t), freeAddress(t)
	var more []string
	for _, line := range receiver {
		more = append(more, "yaml:receivers::netconn::"+line)
	}
	runShippedWithMap(t, prometheus, address, more...)
	until(t, "the first collection", func() bool { return len(readPage(t, prometheus).values) > 0 })
	return address
}

// wantOutsideOnMap wants the peers outside on the map, by their domain if it was asked for, with all bytes.
func wantOutsideOnMap(t *testing.T, address string, s *testbed) {
	t.Helper()
	want := map[string]line{
		s.shop.id + " port=9080":  {server: partnerName, sent: 1000, received: 20_000, tried: 1},
		s.shop.id + " port=9443":  {server: partnerName, sent: 1237, received: 1205},
		s.stock.id + " port=9080": {server: "public", sent: 1000, received: 20_000, tried: 1},
		s.stock.id + " port=9443": {server: "public", sent: 40, received: 6},
	}
	diff := ""
	if !poll(func() bool {
		got := make(map[string]line)
		for of := range want {
			filter := "server.kind=external client.container.id=" + of
			for _, l := range graphOf(t, address, "/api/v1/graph?filter="+url.QueryEscape(filter)) {
				l.client, l.present = "", 0 // an exchange of datagrams is open as long as there is traffic
				got[of] = l
			}
		}
		diff = cmp.Diff(want, got, cmp.AllowUnexported(line{}))
		return diff == ""
	}) {
		t.Errorf("on the map (-want +got):\n%s", diff)
	}
}
