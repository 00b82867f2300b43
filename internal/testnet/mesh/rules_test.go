//go:build linux

package mesh

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/netns"
)

func newNamespace(t *testing.T) *netns.Namespace {
	t.Helper()
	n, err := netns.New()
	if err != nil {
		testnet.Require(t, err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// Files whose names differ in their end only are a family; other files are none.
func TestFamilies(t *testing.T) {
	file := &fstest.MapFile{}
	all, err := Families(fstest.MapFS{
		"b.nft.v4": file, "b.nft.v6": file, "b.nft.routes": file, "a.legacy.v4": file, "c-native.nft": file, "README.md": file,
	})
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string][]string)
	var order []string
	for _, f := range all {
		got[f.Name], order = f.files, append(order, f.Name)
	}
	want := map[string][]string{
		"a.legacy": {"a.legacy.v4"}, "b.nft": {"b.nft.routes", "b.nft.v4", "b.nft.v6"}, "c-native": {"c-native.nft"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("families (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a.legacy", "b.nft", "c-native"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestFamilyNamed(t *testing.T) {
	f, err := FamilyNamed(Own(), "sidecar-redirect.nft")
	if err != nil || f.Name != "sidecar-redirect.nft" || len(f.files) != 3 {
		t.Errorf("got %+v, %v", f, err)
	}
	if _, err := FamilyNamed(Own(), "no such rules"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Families(os.DirFS("/nonexistent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestRouteCommands(t *testing.T) {
	for line, want := range map[string]string{
		"32765:\tfrom all fwmark 0x539 lookup 133":            "-4 rule add priority 32765 fwmark 0x539 lookup 133; -6 rule add priority 32765 fwmark 0x539 lookup 133",
		"local default dev lo table 133 scope host ":          "-4 route add local default dev lo table 133; -6 route add local default dev lo table 133",
		"127.0.0.6 dev lo proto kernel scope link ":           "address add 127.0.0.6/32 dev lo",
		"::6 dev lo proto kernel metric 256 ":                 "address add ::6/128 dev lo",
		"10.244.1.0/24 dev eth0 proto kernel ":                "",
		"default via 10.244.1.1 dev eth0 ":                    "",
		"32766:\tfrom all lookup main":                        "",
		"127.0.0.0/8 dev lo proto kernel scope host src 127 ": "",
	} {
		var got []string
		for _, c := range routeCommands(line) {
			got = append(got, strings.Join(c, " "))
		}
		if diff := cmp.Diff(want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", line, diff)
		}
	}
}

func TestLoadable(t *testing.T) {
	const counted = "-A KUBE-FORWARD -m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid -j DROP\n"
	if got := loadable(counted); got != "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP\n" {
		t.Errorf("got %q", got)
	}
}

// A family of each kind is loaded beside what is there; a line of routes that is there twice is loaded once.
func TestLoad(t *testing.T) {
	n := newNamespace(t)
	rules := func(port string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("*nat\n-A OUTPUT -p tcp --dport " + port + " -j REDIRECT --to-ports 15001\nCOMMIT\n")}
	}
	dir := fstest.MapFS{
		"a.nft.v4": rules("81"), "a.nft.v6": rules("82"), "b.v4": rules("83"),
		"c.nft":    {Data: []byte("table ip own { chain c { tcp dport 84 accept; }; }\n")},
		"d.routes": {Data: []byte("32765:\tfrom all fwmark 0x1 lookup 133 \n32765:\tfrom all fwmark 0x1 lookup 133 \nlocal default dev lo table 133 scope host \n")},
	}
	all, err := Families(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if err := f.Load(n); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		command []string
		want    []string
	}{
		{[]string{"iptables-nft", "-t", "nat", "-S"}, []string{"--dport 81 ", "--dport 83 "}},
		{[]string{"ip6tables-nft", "-t", "nat", "-S"}, []string{"--dport 82 "}},
		{[]string{"nft", "list", "table", "ip", "own"}, []string{"tcp dport 84 accept"}},
		{[]string{"ip", "rule"}, []string{"fwmark 0x1 lookup 133"}},
		{[]string{"ip", "-6", "route", "show", "table", "133"}, []string{"local default dev lo"}},
	} {
		out, err := n.Output(c.command[0], c.command[1:]...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if strings.Count(out, want) != 1 {
				t.Errorf("%v has %q %d times, want once:\n%s", c.command, want, strings.Count(out, want), out)
			}
		}
	}
}

// Rules that a program refuses are an error with the file's name.
func TestLoadFails(t *testing.T) {
	n := newNamespace(t)
	for _, name := range []string{"a.nft.v4", "a.nft.v6", "a.nft"} {
		all, err := Families(fstest.MapFS{name: {Data: []byte("nonsense\n")}})
		if err != nil {
			t.Fatal(err)
		}
		if err := all[0].Load(n); err == nil || !strings.Contains(err.Error(), "load "+name+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Family{files: []string{"gone.v4"}, in: fstest.MapFS{}}).Load(n); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is gone: %v", err)
	}
}

// A namespace answers at another port what comes for one, in both families.
func TestRedirect(t *testing.T) {
	server, client := newNamespace(t), newNamespace(t)
	addresses := map[string][2]string{"IPv4": {"10.1.0.1/24", "10.1.0.2/24"}, "IPv6": {"fd00:1::1/64", "fd00:1::2/64"}}
	var ends [2]netns.End
	for i, n := range []*netns.Namespace{client, server} {
		ends[i] = netns.End{In: n, Interface: "eth0"}
		for _, a := range addresses {
			ends[i].Addresses = append(ends[i].Addresses, netip.MustParsePrefix(a[i]))
		}
	}
	if err := netns.Link(ends[0], ends[1]); err != nil {
		t.Fatal(err)
	}
	if err := Redirect(server, 80, 8080); err != nil {
		t.Fatal(err)
	}
	for family, a := range addresses {
		host := netip.MustParsePrefix(a[1]).Addr().String()
		var l net.Listener
		err := server.Do(func() (err error) { l, err = net.Listen("tcp", net.JoinHostPort(host, "8080")); return err })
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		err = client.Do(func() error {
			c, err := net.Dial("tcp", net.JoinHostPort(host, "80"))
			if err == nil {
				c.Close()
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", family, err)
		}
	}
}
