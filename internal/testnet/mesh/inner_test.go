//go:build linux

package mesh

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The rules of a service: its endpoints have equal shares, its port on the node is masqueraded, and so is a pod that
// reaches itself.
func TestServiceRules(t *testing.T) {
	a, b := netip.MustParseAddrPort("10.244.1.2:9080"), netip.MustParseAddrPort("10.244.2.2:9080")
	got := serviceRules([]Service{
		{Address: netip.MustParseAddrPort("10.96.0.1:80"), Endpoints: []netip.AddrPort{a, b}, NodePort: 30080},
		{Address: netip.MustParseAddrPort("10.96.0.2:81"), Endpoints: []netip.AddrPort{b}},
	})
	want := `*nat
:SERVICES - [0:0]
:NODEPORTS - [0:0]
:SVC0 - [0:0]
:SVC0-0 - [0:0]
:SVC0-1 - [0:0]
:SVC1 - [0:0]
:SVC1-0 - [0:0]
-A PREROUTING -j SERVICES
-A OUTPUT -j SERVICES
-I POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
-A SERVICES -d 10.96.0.1 -p tcp --dport 80 -j SVC0
-A NODEPORTS -p tcp --dport 30080 -j MARK --or-mark 0x4000
-A NODEPORTS -p tcp --dport 30080 -j SVC0
-A SVC0 -m statistic --mode nth --every 2 --packet 0 -j SVC0-0
-A SVC0-0 -s 10.244.1.2 -j MARK --or-mark 0x4000
-A SVC0-0 -p tcp -j DNAT --to-destination 10.244.1.2:9080
-A SVC0 -m statistic --mode nth --every 1 --packet 0 -j SVC0-1
-A SVC0-1 -s 10.244.2.2 -j MARK --or-mark 0x4000
-A SVC0-1 -p tcp -j DNAT --to-destination 10.244.2.2:9080
-A SERVICES -d 10.96.0.2 -p tcp --dport 81 -j SVC1
-A SVC1 -m statistic --mode nth --every 1 --packet 0 -j SVC1-0
-A SVC1-0 -s 10.244.2.2 -j MARK --or-mark 0x4000
-A SVC1-0 -p tcp -j DNAT --to-destination 10.244.2.2:9080
-A SERVICES -m addrtype --dst-type LOCAL -j NODEPORTS
COMMIT
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// The addresses of a node's pods are those of its number, in both families.
func TestPodAddresses(t *testing.T) {
	n, other := &Node{number: 3}, &Node{number: 250}
	got := []string{
		n.pod4(12).String(), n.pod6(12).String(), n.gateway4().String(), n.gateway6().String(), n.pods(n.gateway4()).String(),
		n.pods(n.gateway6()).String(), n.podsOf(other, false), n.podsOf(other, true),
	}
	want := []string{
		"10.244.3.12", "fd00:10:244:3::c", "10.244.3.1", "fd00:10:244:3::1", "10.244.3.0/24", "fd00:10:244:3::/64",
		"10.244.250.0/24", "fd00:10:244:250::/64",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	for _, c := range []struct{ network, of string }{{PodNetwork4, want[4]}, {PodNetwork6, want[5]}, {PodNetwork6, want[7]}} {
		if !netip.MustParsePrefix(c.network).Overlaps(netip.MustParsePrefix(c.of)) {
			t.Errorf("%s is not in %s", c.of, c.network)
		}
	}
}

// Close undoes the last step first, goes on after an error, returns all errors, and does nothing the second time.
func TestCloseOrder(t *testing.T) {
	var calls []string
	first, third := errors.New("first"), errors.New("third")
	m := &Mesh{}
	for _, step := range []struct {
		name string
		err  error
	}{{"a", first}, {"b", nil}, {"c", third}} {
		m.onClose(func() error {
			calls = append(calls, step.name)
			return step.err
		})
	}
	if err := m.Close(); !errors.Is(err, first) || !errors.Is(err, third) {
		t.Errorf("got %v", err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if diff := cmp.Diff([]string{"c", "b", "a"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// A variable that the kernel does not have is no error, another error is.
func TestIgnoreMissing(t *testing.T) {
	if err := ignoreMissing(fmt.Errorf("set it: %w", os.ErrNotExist)); err != nil {
		t.Errorf("got %v", err)
	}
	for _, err := range []error{nil, os.ErrPermission} {
		if got := ignoreMissing(err); !errors.Is(got, err) {
			t.Errorf("got %v, want %v", got, err)
		}
	}
}

// No two meshes have one name, and a prefix of one address has nothing else in it.
func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		name := Unique("netconn")
		if seen[name] || !strings.HasPrefix(name, fmt.Sprintf("netconn-%d-", os.Getpid())) {
			t.Fatalf("%s is there twice, or has no process id", name)
		}
		seen[name] = true
	}
	for address, want := range map[string]string{"10.0.0.1": "10.0.0.1/32", "fd00::1": "fd00::1/128"} {
		if got := one(netip.MustParseAddr(address)).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Both ends of a connection of this process are in the list of its namespace, each as the other's remote end. A
// listener and a closed connection are not.
func TestSocketsOfThisProcess(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	list := func() (found []string) {
		all, err := Sockets(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.Pid != os.Getpid() {
				t.Errorf("%+v is of another process", s)
			}
			if s.Local.String() == l.Addr().String() || s.Remote.String() == l.Addr().String() {
				found = append(found, s.Local.String()+" "+s.Remote.String())
			}
		}
		return found
	}
	client, server := near.LocalAddr().String(), near.RemoteAddr().String()
	want := map[string]bool{client + " " + server: true, server + " " + client: true}
	got := list()
	if len(got) != 2 || !want[got[0]] || !want[got[1]] || got[0] == got[1] {
		t.Errorf("got %v, want %v", got, want)
	}
	near.Close()
	far.Close()
	if got := list(); len(got) != 0 {
		t.Errorf("after the end: %v", got)
	}
}

// A process that does not exist has no list.
func TestSocketsOfNoProcess(t *testing.T) {
	if all, err := Sockets(1 << 22); err == nil || !strings.HasPrefix(err.Error(), "list sockets: ") {
		t.Errorf("got %v, %v", all, err)
	}
}

// Endpoints of the kernel's tables: words in the machine's order, an IPv4 address of an IPv6 socket as IPv4.
func TestParseEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:FFFF": "127.0.0.1:65535",
	} {
		got, err := parseEndpoint(text)
		if err != nil || got.String() != want {
			t.Errorf("%s: %v, %v; want %s", text, got, err, want)
		}
	}
}

// A file with another ending has no rules; the kind is what follows the name of the family.
func TestSplit(t *testing.T) {
	for file, want := range map[string][2]string{
		"a.nft.v4": {"a.nft", ".v4"}, "a.legacy.v6": {"a.legacy", ".v6"}, "a-native.nft": {"a-native", ".nft"},
		"a.v4.bak": {"a.v4.bak", ""}, "nft": {"nft", ""},
		"a.routes": {"a", ".routes"}, "README.md": {"README.md", ""}, ".v4": {"", ".v4"},
	} {
		name, kind := split(file)
		if got := [2]string{name, kind}; got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}
