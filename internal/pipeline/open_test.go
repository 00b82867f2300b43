package pipeline

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
)

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

// options are those of a host that has nothing but a process table and cgroups.
func options(t testing.TB) Options {
	return Options{
		Root:       emptyHost(t),
		Kubernetes: kubernetes.Config{AuthType: kubernetes.AuthNone},
		Flows:      flow.Config{MaxConnections: 1_000_000},
		Events:     EventOptions{Closed: true, Failed: true, MaxPerSecond: 100, Interval: 10 * time.Second},
		Mask:       byDefault,
	}
}

// byDefault leaves what tells flows apart in the receiver, if nothing is configured.
func byDefault(k flow.Key) flow.Key {
	return flow.Key{
		Owner: k.Owner, UDP: k.UDP, Rest: k.Rest, Role: k.Role, ServerPort: k.ServerPort, NAT: k.NAT,
		Peer: conn.Peer{
			names.PeerType: k.Peer[names.PeerType], names.PeerScope: k.Peer[names.PeerScope],
			names.PeerName: k.Peer[names.PeerName], names.PeerContainerName: k.Peer[names.PeerContainerName],
			names.PeerImageTag: k.Peer[names.PeerImageTag],
			names.PeerProxy:    k.Peer[names.PeerProxy], names.PeerNamespace: k.Peer[names.PeerNamespace],
			names.PeerWorkload: k.Peer[names.PeerWorkload], names.PeerWorkloadKind: k.Peer[names.PeerWorkloadKind],
			names.PeerService:          k.Peer[names.PeerService],
			names.PeerServiceNamespace: k.Peer[names.PeerServiceNamespace],
		},
		Original: flow.Original{Name: k.Original.Name, Port: k.Original.Port},
	}
}

// emptyHost is the root of a host that has a process table and cgroups, and nothing in either.
func emptyHost(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"proc/1", "sys/fs/cgroup"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"proc/1/stat", "sys/fs/cgroup/cgroup.controllers"} {
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// silent is a kernel that reports nothing.
func silent() Sockets {
	return Sockets{
		Drain:    func(kernel.Handler) error { return nil },
		Snapshot: func(bool, kernel.Handler) error { return nil },
		Losses:   func() (conn.Losses, error) { return conn.Losses{}, nil },
		Stats:    func() (kernel.Stats, error) { return kernel.Stats{}, nil },
		Close:    func() error { return nil },
	}
}

// silentMachine is one of which nothing is known.
func silentMachine() Machine {
	return Machine{
		Open: func() (Sockets, error) { return silent(), nil },
		Ask:  func(string, time.Time) (Tables, error) { return Tables{}, nil },
		Host: func(string) (string, string, error) { return "id", "node", nil },
		Join: openSources,
		Now:  func() time.Time { return at(0) },
	}
}

// totals are sums over all flows, the overflow's too.
type totals struct{ Transmitted, Received, Attempts, Closed, Lost, Active int64 }

func totalsOf(resources []flow.Resource) (sum totals) {
	for _, r := range resources {
		for _, f := range r.Flows {
			sum.Transmitted += int64(f.Counts[conn.Sent])
			sum.Received += int64(f.Counts[conn.Received])
			for e := range f.Outcomes[flow.Attempts] {
				sum.Attempts += int64(f.Outcomes[flow.Attempts][e])
				sum.Closed += int64(f.Outcomes[flow.Ends][e])
			}
			sum.Lost += int64(f.Outcomes[flow.Ends][conn.Lost])
			sum.Active += f.Active
		}
	}
	return sum
}

func wantTotals(t *testing.T, what string, want, got totals) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// Without the right to ask everything else works, and the reason is told.
func TestConnectionTrackingCannotBeAsked(t *testing.T) {
	denied := errors.New("address translation is not resolved: it takes CAP_SYS_ADMIN")
	m := silentMachine()
	m.Ask = func(string, time.Time) (Tables, error) { return Tables{}, denied }
	p, err := Open(options(t), m)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(p.Degraded(), denied) {
		t.Errorf("degraded: %v", p.Degraded())
	}
	c := conn.Conn{Socket: conn.Socket{
		ID: conn.ID{Cookie: 1}, Namespace: conn.Namespace{Inode: 1}, Role: conn.RoleClient, SeenOpening: true,
		Sequence: conn.Sequence{Local: 1, Remote: 1001},
		Tuple:    conn.Tuple{Source: netip.MustParseAddrPort("10.244.1.11:40000"), Destination: netip.MustParseAddrPort("10.96.1.3:80")},
	}}
	for range 2 {
		p.handler(at(0)).Conn(c)
		p.ends.Settle(at(0))
	}
	if got := p.resolve(c, at(0)); got.NAT != conn.NATUnresolved || got.Server != c.Tuple.Destination || got.Port != 80 {
		t.Errorf("got %+v", got)
	}
}

// TestKubeconfigThatIsRequired leaves nothing open behind an error. Without the requirement the rest works.
func TestKubeconfigThatIsRequired(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	closed := make(map[string]int)
	m := silentMachine()
	m.Open = func() (Sockets, error) {
		s := silent()
		s.Close = func() error { closed["sockets"]++; return nil }
		return s, nil
	}
	m.Ask = func(string, time.Time) (Tables, error) {
		return Tables{Close: func() error { closed["tables"]++; return nil }}, nil
	}
	o := options(t)
	o.Kubernetes = kubernetes.Defaults()
	o.Kubernetes.AuthType, o.Kubernetes.Context, o.RequireKubeconfig = kubernetes.AuthKubeConfig, "lab", true
	if _, err := Open(o, m); err == nil || !strings.Contains(err.Error(), `context "lab" does not exist`) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(map[string]int{"sockets": 1, "tables": 1}, closed); diff != "" {
		t.Errorf("closed (-want +got):\n%s", diff)
	}
	o.RequireKubeconfig = false
	p, err := Open(o, m)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Degraded()) == 0 {
		t.Error("nothing is missing")
	}
	if err := p.Close(); err != nil || closed["sockets"] != 2 || closed["tables"] != 2 {
		t.Errorf("%v, closed %v", err, closed)
	}
}
