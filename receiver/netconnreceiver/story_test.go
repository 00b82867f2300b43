package netconnreceiver

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"
	"go.yaml.in/yaml/v3"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/conntrack"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/internal/pipeline"
)

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

// A story is what the kernel reports at each collection.
type story struct {
	Config map[string]any
	Steps  []step
	Pods   map[string]knownPeer // what a cluster knows, by address, container id or pod uid; nil: there is none
	Names  map[netip.AddrPort]string
	config *Config
}

type step struct {
	At      time.Duration // since the start
	Cgroups map[uint64]string
	Conns   []report
	Listens []listen
	Losses  lost // all of them so far
	NAT     []translation
}

// A translation is what connection tracking does to a packet. What is not listed it has no entry for.
type translation struct {
	Packet, Becomes [2]netip.AddrPort // source and destination
	Reply           bool
	State           conntrack.State
}

type report struct {
	ID         uint64
	From, To   netip.AddrPort
	Role       string
	Phase      string
	Error      string
	Old        bool
	Sequence   [2]uint32
	Age        time.Duration
	Late       time.Duration // of the reading, after the report
	Handshake  time.Duration
	Counters   figures
	Cgroup     uint64
	Executable string

	Transparent bool
}

type listen struct {
	ID         uint64
	At         netip.AddrPort
	Drops      uint64
	Cgroup     uint64
	Executable string
}

func (r report) conn() conn.Conn {
	return conn.Conn{
		Socket: conn.Socket{
			ID:    conn.ID{Cookie: r.ID, Generation: 1},
			Tuple: conn.Tuple{Source: r.From, Destination: r.To},
			Role:  map[string]conn.Role{"client": conn.RoleClient, "server": conn.RoleServer}[r.Role],
			Phase: map[string]conn.Phase{"closed": conn.Closed, "failed": conn.Failed}[r.Phase],
			Error: errorNamed(r.Error), SeenOpening: !r.Old, Transparent: r.Transparent,
			Sequence: conn.Sequence{Local: r.Sequence[0], Remote: r.Sequence[1]},
		},
		Timing: conn.Timing{
			Handshake: r.Handshake, Age: r.Age, RTT: r.Counters.rtt, RTTVariation: r.Counters.variation,
		},
		Counts:  r.Counters.counts,
		Process: conn.Process{PID: 4_000_000, Cgroup: r.Cgroup, Executable: r.Executable},
	}
}

// A knownPeer is written by the keys of its attributes.
type knownPeer struct{ conn.Peer }

func (p *knownPeer) UnmarshalYAML(n *yaml.Node) error {
	values := map[string]string{}
	if err := n.Decode(&values); err != nil {
		return err
	}
	for a := range p.Peer {
		p.Peer[a] = values[names.Attribute(a).Key()]
		delete(values, names.Attribute(a).Key())
	}
	return unknownKeys(values)
}

// figures are counters by their names, and the gauges.
type figures struct {
	counts         conn.Counts
	rtt, variation time.Duration
}

func (f *figures) UnmarshalYAML(n *yaml.Node) error {
	values := map[string]yaml.Node{}
	if err := n.Decode(&values); err != nil {
		return err
	}
	var errs []error
	take := func(name string, to any) {
		if v, ok := values[name]; ok {
			errs = append(errs, v.Decode(to))
			delete(values, name)
		}
	}
	take("rtt", &f.rtt)
	take("rtt_variation", &f.variation)
	for c := range conn.Counters {
		take(c.String(), &f.counts[c])
	}
	return errors.Join(append(errs, unknownKeys(values))...)
}

// lost are losses by their names.
type lost struct{ conn.Losses }

func (l *lost) UnmarshalYAML(n *yaml.Node) error {
	values := map[string]uint64{}
	if err := n.Decode(&values); err != nil {
		return err
	}
	for k := range conn.LossKinds {
		l.Losses[k] = values[k.String()]
		delete(values, k.String())
	}
	return unknownKeys(values)
}

func unknownKeys[V any](left map[string]V) error {
	if len(left) > 0 {
		return fmt.Errorf("unknown keys %q", slices.Sorted(maps.Keys(left)))
	}
	return nil
}

func errorNamed(name string) conn.Error {
	for e := range conn.Errors {
		if e.String() == name {
			return e
		}
	}
	panic("no error is named " + name)
}

func (l listen) listener() conn.Listener {
	return conn.Listener{
		ID:      conn.ID{Cookie: l.ID, Generation: 1},
		Local:   l.At,
		Drops:   l.Drops,
		Process: conn.Process{PID: 4_000_000, Cgroup: l.Cgroup, Executable: l.Executable},
	}
}

func readStory(t *testing.T, file string) *story {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{config: createDefaultConfig().(*Config)}
	if err := yaml.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	if err := confmap.NewFromStringMap(s.Config).Unmarshal(s.config); err != nil {
		t.Fatal(err)
	}
	if err := confmap.Validate(s.config); err != nil {
		t.Fatal(err)
	}
	s.config.RootPath = emptyHost(t)
	return s
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

// A script is a kernel that reports what a story says.
type script struct{ next step }

func (k *script) open() (pipeline.Sockets, error) {
	return pipeline.Sockets{
		Drain: func(kernel.Handler) error { return nil },
		Snapshot: func(_ bool, h kernel.Handler) error {
			k.report(h)
			return nil
		},
		Losses: func() (conn.Losses, error) { return k.next.Losses.Losses, nil },
		Stats:  func() (kernel.Stats, error) { return kernel.Stats{}, nil },
		Close:  func() error { return nil },
	}, nil
}

// ask opens the connection tracking of a machine with one namespace.
func (k *script) ask(string, time.Time) (pipeline.Tables, error) {
	return pipeline.Tables{
		Ask: func(_ time.Time, questions []conntrack.Lookup) []conntrack.Answer {
			answers := make([]conntrack.Answer, len(questions))
			for i, q := range questions {
				answers[i] = k.translate(q.Tuple)
			}
			return answers
		},
		Local: func(_ time.Time, _ uint32, a netip.Addr) (bool, error) { return a.IsLoopback(), nil },
		Outer: func(time.Time, uint32, conn.Tuple) (uint32, bool, error) { return 0, true, nil },
		Close: func() error { return nil },
	}, nil
}

func (k *script) translate(packet conn.Tuple) conntrack.Answer {
	for _, n := range k.next.NAT {
		if packet == (conn.Tuple{Source: n.Packet[0], Destination: n.Packet[1]}) {
			if !n.Becomes[0].IsValid() { // the entry is gone, and a rule may have translated the packet
				return conntrack.Answer{Result: conntrack.NoEntry, Translates: true}
			}
			return conntrack.Answer{
				Tuple: conn.Tuple{Source: n.Becomes[0], Destination: n.Becomes[1]}, Reply: n.Reply, State: n.State,
			}
		}
	}
	return conntrack.Answer{Result: conntrack.NoEntry}
}

func (k *script) report(h kernel.Handler) {
	for id, path := range k.next.Cgroups {
		h.Cgroup(conn.Cgroup{ID: id, Path: path})
	}
	for _, r := range k.next.Conns {
		c := r.conn()
		c.Opened = time.Unix(1_700_000_000, 0).Add(k.next.At - r.Late - r.Age)
		h.Conn(c)
	}
	for _, l := range k.next.Listens {
		h.Listener(l.listener())
	}
}
