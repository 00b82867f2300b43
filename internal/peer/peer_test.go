package peer

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/names"
)

var (
	app      = conn.Owner{ContainerID: "c1", PodUID: "p1", Executable: "app"}
	sidecar  = conn.Owner{ContainerID: "c2", PodUID: "p1", Executable: "envoy"}
	db       = conn.Owner{ContainerID: "c3", PodUID: "p2", Executable: "postgres"}
	docker   = conn.Owner{ContainerID: "c4", Executable: "redis"}
	pause    = conn.Owner{PodUID: "p2"}
	sshd     = conn.Owner{Unit: "ssh.service", Executable: "sshd"}
	shell    = conn.Owner{Executable: "bash"}
	nameless = conn.Owner{Unit: "user.slice"}
	lxc      = conn.Owner{ContainerID: "web", Executable: "systemd", Named: true}
	claimed  = conn.Owner{ContainerID: "c4", Unit: "user.slice", Executable: "nc"}
)

// endsHere are pairs of owners on one machine, and how the first describes the second.
var endsHere = map[string]struct {
	self, other conn.Owner
	want        conn.Peer
}{
	"own sidecar": {app, sidecar, conn.Peer{
		names.PeerType: names.TypePod, names.PeerScope: names.ScopePod, names.PeerName: "envoy",
		names.PeerContainerName: "envoy", names.PeerContainerID: "c2",
	}},
	"own container": {app, app, conn.Peer{
		names.PeerType: names.TypePod, names.PeerScope: names.ScopeContainer, names.PeerName: "app",
		names.PeerContainerName: "app", names.PeerContainerID: "c1",
	}},
	"another pod": {app, db, conn.Peer{
		names.PeerType: names.TypePod, names.PeerScope: names.ScopeNode, names.PeerName: "postgres",
		names.PeerContainerName: "postgres", names.PeerContainerID: "c3",
	}},
	"pod without a container": {db, pause, conn.Peer{
		names.PeerType: names.TypePod, names.PeerScope: names.ScopePod,
	}},
	"container outside of any pod": {app, docker, conn.Peer{
		names.PeerType: names.TypeContainer, names.PeerScope: names.ScopeNode, names.PeerName: "redis",
		names.PeerContainerName: "redis", names.PeerContainerID: "c4",
	}},
	"itself, outside of any pod": {docker, docker, conn.Peer{
		names.PeerType: names.TypeContainer, names.PeerScope: names.ScopeContainer, names.PeerName: "redis",
		names.PeerContainerName: "redis", names.PeerContainerID: "c4",
	}},
	"system container": {app, lxc, conn.Peer{
		names.PeerType: names.TypeContainer, names.PeerScope: names.ScopeNode, names.PeerName: "web",
		names.PeerContainerName: "web", names.PeerContainerID: "web",
	}},
	"a user's container with the id of another": {docker, claimed, conn.Peer{
		names.PeerType: names.TypeContainer, names.PeerScope: names.ScopeNode, names.PeerName: "nc",
		names.PeerContainerName: "nc", names.PeerContainerID: "c4",
	}},
	"a user's container, itself": {claimed, claimed, conn.Peer{
		names.PeerType: names.TypeContainer, names.PeerScope: names.ScopeContainer, names.PeerName: "nc",
		names.PeerContainerName: "nc", names.PeerContainerID: "c4",
	}},
	"service of the host": {app, sshd, conn.Peer{
		names.PeerType: names.TypeHost, names.PeerScope: names.ScopeNode, names.PeerName: "sshd",
	}},
	"two processes of the host": {sshd, shell, conn.Peer{
		names.PeerType: names.TypeHost, names.PeerScope: names.ScopeNode, names.PeerName: "bash",
	}},
	"host process without executable": {app, nameless, conn.Peer{
		names.PeerType: names.TypeHost, names.PeerScope: names.ScopeNode, names.PeerName: "user.slice",
	}},
	"unknown owner": {app, conn.Owner{}, conn.Peer{
		names.PeerType: names.TypeUnknown, names.PeerScope: names.ScopeNode,
	}},
	"both unknown are not one another": {conn.Owner{}, conn.Owner{}, conn.Peer{
		names.PeerType: names.TypeUnknown, names.PeerScope: names.ScopeNode,
	}},
}

func TestDescribeTheOtherEndOnThisMachine(t *testing.T) {
	for name, row := range endsHere {
		t.Run(name, func(t *testing.T) {
			c := conn.Conn{Socket: conn.Socket{Tuple: tuple("10.0.0.1", "192.0.2.1")}, Owner: row.self}
			got := New(nil).Describe(c, &conn.End{Owner: row.other}, netip.Addr{})
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDescribeByAddress(t *testing.T) {
	unknown := conn.Peer{names.PeerType: names.TypeUnknown, names.PeerScope: names.ScopeUnknown}
	here := conn.Peer{names.PeerType: names.TypeUnknown, names.PeerScope: names.ScopeNode}
	private := conn.Peer{names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote}
	public := conn.Peer{names.PeerType: names.TypePublic, names.PeerScope: names.ScopeRemote}
	rows := []struct {
		remote string
		want   conn.Peer
	}{
		{"", unknown},
		{"0.0.0.0", unknown},
		{"::", unknown},
		{"127.0.0.1", here},
		{"127.0.0.6", here},
		{"::1", here},
		{"10.9.9.9", here}, // the local address itself
		{"fe80::9%eth0", private},
		{"9.255.255.255", public},
		{"10.0.0.0", private},
		{"10.255.255.255", private},
		{"11.0.0.0", public},
		{"100.63.255.255", public},
		{"100.64.0.0", private},
		{"100.127.255.255", private},
		{"100.128.0.0", public},
		{"169.253.255.255", public},
		{"169.254.169.254", private},
		{"172.15.255.255", public},
		{"172.16.0.0", private},
		{"172.31.255.255", private},
		{"172.32.0.0", public},
		{"192.168.0.1", private},
		{"192.169.0.0", public},
		{"8.8.8.8", public},
		{"fc00::1", private},
		{"fdff::1", private},
		{"fe00::1", public},
		{"febf::1", private},
		{"2606:4700::1111", public},
		{"6440::1", public}, // its first bytes are those of 100.64.0.0
	}
	for _, row := range rows {
		t.Run(row.remote, func(t *testing.T) {
			got := describe(New(nil), conn.Conn{Socket: conn.Socket{Tuple: tuple("10.9.9.9", row.remote)}, Owner: app})
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOwnLinkLocalAddress(t *testing.T) {
	got := describe(New(nil), conn.Conn{Socket: conn.Socket{Tuple: tuple("fe80::1%eth0", "fe80::1%eth1")}})
	if want := (conn.Peer{names.PeerType: names.TypeUnknown, names.PeerScope: names.ScopeNode}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNetworksNameAddresses(t *testing.T) {
	r := New(map[string][]netip.Prefix{
		"office": prefixes("192.0.2.0/24", "10.1.0.0/16"),
		"lab":    prefixes("10.1.2.0/24", "2001:db8::/32"),
		"rack":   prefixes("10.1.2.77/26"), // not masked
		"zebra":  prefixes("10.1.2.0/24"),  // lab has it too, and comes first
		"all":    prefixes("0.0.0.0/0"),
		"loop":   prefixes("127.0.0.0/8"),
		"link":   prefixes("fe80::/10"),
	})
	rows := map[string]conn.Peer{
		"192.0.2.7":    {names.PeerType: names.TypePublic, names.PeerScope: names.ScopeRemote, names.PeerName: "office"},
		"10.1.9.9":     {names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote, names.PeerName: "office"},
		"10.1.2.1":     {names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote, names.PeerName: "lab"},
		"10.1.2.65":    {names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote, names.PeerName: "rack"},
		"8.8.8.8":      {names.PeerType: names.TypePublic, names.PeerScope: names.ScopeRemote, names.PeerName: "all"},
		"127.0.0.1":    {names.PeerType: names.TypeUnknown, names.PeerScope: names.ScopeNode, names.PeerName: "loop"},
		"2001:db8::1":  {names.PeerType: names.TypePublic, names.PeerScope: names.ScopeRemote, names.PeerName: "lab"},
		"2001:db9::1":  {names.PeerType: names.TypePublic, names.PeerScope: names.ScopeRemote},
		"fe80::1%eth0": {names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote, names.PeerName: "link"},
	}
	for remote, want := range rows {
		t.Run(remote, func(t *testing.T) {
			got := describe(r, conn.Conn{Socket: conn.Socket{Tuple: tuple("10.9.9.9", remote)}})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The name is that of the longest prefix that a plain search through all networks finds.
func FuzzLongestPrefix(f *testing.F) {
	f.Add([]byte{10, 1, 2, 3, 24, 10, 1, 2, 3, 16}, []byte{10, 1, 2, 99})
	f.Add([]byte{0, 0, 0, 0, 0}, []byte{255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, ranges, address []byte) {
		a, ok := netip.AddrFromSlice(address)
		if !ok || !a.Is4() {
			t.Skip()
		}
		networks := make(map[string][]netip.Prefix)
		longest := -1
		for ; len(ranges) >= 5; ranges = ranges[5:] {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte(ranges[:4])), int(ranges[4])%33)
			networks[p.Masked().String()] = []netip.Prefix{p}
			if p.Contains(a) {
				longest = max(longest, p.Bits())
			}
		}
		want := ""
		if longest >= 0 {
			want = netip.PrefixFrom(a, longest).Masked().String()
		}
		if got := New(networks).name(a); got != want {
			t.Errorf("%v is in %q, want %q", a, got, want)
		}
	})
}

func BenchmarkDescribe(b *testing.B) {
	networks := make(map[string][]netip.Prefix)
	for i := range 200 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i), 0, 0}), 12+i%17).Masked()
		networks[p.String()] = []netip.Prefix{p}
	}
	r := New(networks)
	c, other := conn.Conn{Socket: conn.Socket{Tuple: tuple("10.9.9.9", "20.77.0.1")}, Owner: app}, conn.End{Owner: db}
	for name, other := range map[string]*conn.End{"local": &other, "remote": nil} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Describe(c, other, c.Tuple.Destination.Addr())
			}
		})
	}
}

var webPod = conn.Peer{
	names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: "web",
	names.PeerWorkload: "web", names.PeerContainerName: "app", names.PeerContainerID: "c1",
}

// enriched are what is known of a peer without a source, what a source knows, and both together.
var enriched = map[string]struct{ base, known, want conn.Peer }{
	"nothing is known": {
		base: conn.Peer{
			names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote, names.PeerName: "office",
		},
		want: conn.Peer{
			names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote, names.PeerName: "office",
		},
	},
	"an address": {base: conn.Peer{
		names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote, names.PeerName: "pods",
	}, known: webPod, want: webPod},
	"an address of this node": {
		base:  conn.Peer{names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote},
		known: conn.Peer{names.PeerType: names.TypePod, names.PeerScope: names.ScopeNode, names.PeerName: "web"},
		want:  conn.Peer{names.PeerType: names.TypePod, names.PeerScope: names.ScopeNode, names.PeerName: "web"},
	},
	"an address, and not where it is": {
		base:  conn.Peer{names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote},
		known: conn.Peer{names.PeerType: names.TypePod, names.PeerName: "web"},
		want:  conn.Peer{names.PeerType: names.TypePod, names.PeerScope: names.ScopeRemote, names.PeerName: "web"},
	},
	"a service, without who answers": {
		base: conn.Peer{names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote},
		known: conn.Peer{
			names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown, names.PeerName: "reviews",
		},
		want: conn.Peer{
			names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown, names.PeerName: "reviews",
		},
	},
	"the sidecar of the same pod": {
		base: conn.Peer{
			names.PeerType: names.TypePod, names.PeerScope: names.ScopePod, names.PeerName: "envoy",
			names.PeerContainerName: "envoy", names.PeerContainerID: "c2",
		},
		known: conn.Peer{
			names.PeerType: names.TypePod, names.PeerScope: names.ScopeNode, names.PeerName: "web",
			names.PeerContainerName: "istio-proxy", names.PeerContainerID: "c2",
		},
		want: conn.Peer{
			names.PeerType: names.TypePod, names.PeerScope: names.ScopePod, names.PeerName: "web",
			names.PeerContainerName: "istio-proxy", names.PeerContainerID: "c2",
		},
	},
	"a pod here, but not its container": {
		base: conn.Peer{
			names.PeerType: names.TypePod, names.PeerScope: names.ScopeNode, names.PeerName: "app",
			names.PeerContainerName: "app", names.PeerContainerID: "c3",
		},
		known: conn.Peer{names.PeerType: names.TypePod, names.PeerScope: names.ScopeNode, names.PeerName: "web"},
		want: conn.Peer{
			names.PeerType: names.TypePod, names.PeerScope: names.ScopeNode, names.PeerName: "web",
			names.PeerContainerName: "app", names.PeerContainerID: "c3",
		},
	},
	"a process of the host": {
		base: conn.Peer{
			names.PeerType: names.TypeHost, names.PeerScope: names.ScopeNode, names.PeerName: "kubelet",
		},
		known: conn.Peer{names.PeerZone: "a"},
		want: conn.Peer{
			names.PeerType: names.TypeHost, names.PeerScope: names.ScopeNode, names.PeerName: "kubelet",
			names.PeerZone: "a",
		},
	},
}

func TestEnrich(t *testing.T) {
	for name, row := range enriched {
		if diff := cmp.Diff(row.want, Enrich(row.base, row.known)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// describe describes the peer of a connection that is not translated, and whose other end is elsewhere.
func describe(r *Resolver, c conn.Conn) conn.Peer {
	return r.Describe(c, nil, c.Tuple.Destination.Addr())
}

// tuple returns that of a socket at source; an empty address is the invalid one.
func tuple(source, destination string) conn.Tuple {
	var d netip.Addr
	if destination != "" {
		d = netip.MustParseAddr(destination)
	}
	return conn.Tuple{
		Source:      netip.AddrPortFrom(netip.MustParseAddr(source), 40000),
		Destination: netip.AddrPortFrom(d, 443),
	}
}

func prefixes(s ...string) (ps []netip.Prefix) {
	for _, s := range s {
		ps = append(ps, netip.MustParsePrefix(s))
	}
	return ps
}

// The zone of an address is the name of an interface, and no part of a network.
func TestDestinationWithZone(t *testing.T) {
	r := New(map[string][]netip.Prefix{"link": prefixes("fe80::/10")})
	for address, want := range map[string]string{
		"fe80::9%eth0": "link", "fe80::9": "link", "fd00::9": "private", "::1": "loopback", "2606:4700::1111": "public",
		"0.0.0.0": "unknown",
	} {
		if got := r.Destination(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
	if got := r.Destination(netip.Addr{}); got != "unknown" {
		t.Errorf("no address: %q", got)
	}
}

// No socket has a service's address. What is there is not known, and the range may have a name.
func TestServices(t *testing.T) {
	r := New(map[string][]netip.Prefix{"cluster": {netip.MustParsePrefix("10.96.0.0/12")}},
		netip.MustParsePrefix("10.96.0.0/12"), netip.MustParsePrefix("fd00:96::/112"))
	for remote, want := range map[string]conn.Peer{
		"10.96.1.3": {
			names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown, names.PeerName: "cluster",
		},
		"fd00:96::3": {names.PeerType: names.TypeService, names.PeerScope: names.ScopeUnknown},
		"10.112.0.1": {names.PeerType: names.TypePrivate, names.PeerScope: names.ScopeRemote},
	} {
		got := r.Describe(conn.Conn{}, nil, netip.MustParseAddr(remote))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", remote, diff)
		}
	}
}
