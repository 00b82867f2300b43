//go:build linux

package conntrack

import (
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet"
)

// rulesIn reads the rules of a namespace of the test.
func rulesIn(t *testing.T, n *testnet.Namespace) (r rules) {
	t.Helper()
	var err error
	n.Do(func() {
		var file *os.File
		if file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return
		}
		defer file.Close()
		r, err = readRules(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Rules that translate are found, whichever program made them. Rules that only filter are none.
func TestReadRules(t *testing.T) {
	none := rules{known: true}
	for name, c := range map[string]struct {
		command []string
		want    rules
	}{
		"no rules":         {nil, none},
		"a filter":         {[]string{"iptables", "-w", "-A", "INPUT", "-p", "udp", "-j", "ACCEPT"}, none},
		"a native filter":  {[]string{"nft", "add table ip f; add chain ip f in { type filter hook input priority 0; }"}, none},
		"iptables":         {natRule("iptables-nft"), rules{known: true, ipv4: true}},
		"iptables, IPv6":   {natRule("ip6tables-nft"), rules{known: true, ipv6: true}},
		"legacy":           {natRule("iptables-legacy"), rules{known: true, ipv4: true}},
		"legacy, IPv6":     {natRule("ip6tables-legacy"), rules{known: true, ipv6: true}},
		"native, IPv6":     {natChain("ip6"), rules{known: true, ipv6: true}},
		"native, families": {natChain("inet"), rules{known: true, ipv4: true, ipv6: true}},
	} {
		t.Run(name, func(t *testing.T) {
			n := testnet.New(t)
			if c.command != nil {
				n.Command(c.command[0], c.command[1:]...)
			}
			if got := rulesIn(t, n); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func natRule(program string) []string {
	return []string{program, "-w", "-t", "nat", "-A", "OUTPUT", "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", "15001"}
}

func natChain(family string) []string {
	return []string{"nft", "add table " + family + " n; add chain " + family + " n out { type nat hook output priority -100; }"}
}

// The table is empty although the namespace translates, because all entries were deleted. That is no proof.
func TestEntriesDeleted(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		pod, plain := testnet.New(t), testnet.New(t)
		rule := natRule("iptables")
		pod.Command(rule[0], rule[1:]...)
		at := time.Now()
		for n, translates := range map[*testnet.Namespace]bool{pod: true, plain: false} {
			answers, _ := askFrom(x, at, about(n, noConnection))
			wantEqual(t, "answer", answers[0], Answer{Result: NoEntry, Translates: translates})
		}
	})
}

func TestTranslate(t *testing.T) {
	ipv4, ipv6 := netip.MustParseAddr("10.96.1.3"), netip.MustParseAddr("fd00:96::3")
	for name, c := range map[string]struct {
		rules      rules
		ipv4, ipv6 bool
	}{
		"not read": {rules{}, true, true},
		"none":     {rules{known: true}, false, false},
		"IPv4":     {rules{known: true, ipv4: true}, true, false},
		"IPv6":     {rules{known: true, ipv6: true}, false, true},
	} {
		if c.rules.translate(ipv4) != c.ipv4 || c.rules.translate(ipv6) != c.ipv6 {
			t.Errorf("%s: %v, %v", name, c.rules.translate(ipv4), c.rules.translate(ipv6))
		}
	}
}

func TestAddChain(t *testing.T) {
	chain := func(family byte, kind string) []byte {
		return appendBytes([]byte{family, 0, 0, 0}, nftaType, append([]byte(kind), 0))
	}
	for name, c := range map[string]struct {
		message []byte
		want    rules
	}{
		"IPv4":              {chain(unix.NFPROTO_IPV4, "nat"), rules{ipv4: true}},
		"IPv6":              {chain(unix.NFPROTO_IPV6, "nat"), rules{ipv6: true}},
		"both":              {chain(unix.NFPROTO_INET, "nat"), rules{ipv4: true, ipv6: true}},
		"a filter":          {chain(unix.NFPROTO_IPV4, "filter"), rules{}},
		"no base chain":     {[]byte{unix.NFPROTO_IPV4, 0, 0, 0}, rules{}},
		"a part of message": {[]byte{unix.NFPROTO_IPV4}, rules{}},
	} {
		var r rules
		r.addChain(c.message)
		if r != c.want {
			t.Errorf("%s: %+v, want %+v", name, r, c.want)
		}
	}
}

func TestHasTable(t *testing.T) {
	for names, want := range map[string]bool{"": false, "filter\n": false, "mangle\nnat\n": true, "nat": true, "nature\n": false} {
		if got := hasTable(names); got != want {
			t.Errorf("%q: %v, want %v", names, got, want)
		}
	}
}
