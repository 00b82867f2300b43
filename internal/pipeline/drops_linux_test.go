package pipeline

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/drops"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/testnet"
	"github.com/netconn/netconn/internal/testnet/cgroup"
)

// A rule drops what a container sends. The drops are the container's, by the rule, as many as it sent.
func TestDropsOfContainer(t *testing.T) {
	n, id := testnet.New(t), cgroup.NewID()
	n.Command("ip", "address", "add", "10.82.0.1/24", "dev", "lo")
	n.Command("iptables", "-A", "OUTPUT", "-p", "udp", "-j", "DROP")
	g, err := cgroup.New(cgroup.Docker(id))
	testnet.Require(t, err)
	t.Cleanup(func() {
		g.Close()
		if err := cgroup.Remove(cgroup.Docker(id)); err != nil {
			t.Error(err)
		}
	})
	s := &scripted{now: at(1000)}
	o, m := options(t), s.machine()
	o.Root, o.Drops, o.Mask = "/", DropsOn, func(k flow.Key) flow.Key { return k }
	m.Drops = func() (Drops, error) { return dropsOf(n) }
	p, err := Open(o, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	const sent = 5
	c := exec.Command("bash", "-c", "for i in 1 2 3 4 5; do echo >/dev/udp/10.82.0.1/9000; done")
	c.SysProcAttr = &syscall.SysProcAttr{}
	g.Put(c.SysProcAttr)
	n.Do(func() { _ = c.Run() }) // each send is refused
	resources, err := p.Collect(at(1010).Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if len(resources) != 1 || resources[0].Owner.ContainerID != id || len(resources[0].Flows) != 1 {
		t.Fatalf("%+v, want one flow of container %s (degraded: %v)", resources, id, p.Degraded())
	}
	if f := resources[0].Flows[0]; f.Discarded != sent || f.Key.Drop.String() != "netfilter_drop" || !f.Key.UDP {
		t.Errorf("%d packets were dropped for %s, want %d by a rule", f.Discarded, f.Key.Drop, sent)
	}
}

// dropsOf counts the drops of one namespace.
func dropsOf(n *testnet.Namespace) (Drops, error) {
	d, err := openDrops()
	read := d.Read
	d.Read = func(h drops.Handler) error {
		return read(func(d drops.Drops) {
			if d.Namespace == n.Inode {
				h(d)
			}
		})
	}
	return d, err
}
