//go:build linux

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/bench/report"
	"github.com/netconn/netconn/internal/bench/testbed"
	"github.com/netconn/netconn/internal/bench/totals"
	"github.com/netconn/netconn/internal/harness"
)

// serviceAddress is what clients dial where their destination is translated.
const serviceAddress = "10.97.0.100"

// nat is the part of that name.
func (b *bench) nat() error {
	for _, measure := range []func() (*report.Table, error){b.lookups, b.translated, b.idleNamespaces} {
		t, err := measure()
		if err != nil {
			return err
		}
		b.tables = append(b.tables, t)
	}
	return nil
}

// lookups runs the Go benchmark that asks connection tracking by both ways.
func (b *bench) lookups() (*report.Table, error) {
	b.say("look-ups")
	all, err := goBenchmarks("^BenchmarkAsk$", "./internal/conntrack")
	if err != nil {
		return nil, err
	}
	return b.lookupTable(all)
}

func (b *bench) lookupTable(all []goBenchmark) (*report.Table, error) {
	t := &report.Table{
		Title: "NAT: look-ups",
		Notes: []string{`
			CPU of the process per connection that is translated: by the kernel's function in a BPF program (bpf) and
			by ctnetlink (netlink), one at a time and many together.`},
		Head: []string{"source", "together", "CPU per look-up", "allocations per look-up"},
	}
	limits := map[string]float64{"bpf": 0.3, "netlink": 5}
	for _, m := range all {
		words := strings.Split(m.name, "/") // Ask, the source, how many together
		n := 0
		if len(words) == 3 {
			_, _ = fmt.Sscan(words[2], &n)
		}
		if n == 0 || limits[words[1]] == 0 {
			return nil, fmt.Errorf("read the benchmark %s: want bpf or netlink, and a number", m.name)
		}
		us := m.metrics["CPU-ns/look-up"] / 1000
		t.Add(words[1], words[2], report.Figure(us, "us"), fmt.Sprintf("%.2f", m.metrics["allocs/op"]/float64(n)))
		if n >= 1000 {
			b.goals = append(b.goals, report.Goal{
				What: "look-up, " + words[1] + ", " + words[2] + " together", Limit: limits[words[1]],
				Aim: limits[words[1]], Unit: "us", Measured: us,
			})
		}
	}
	return t, nil
}

// translated measures the distribution with connections that are translated, and with others.
func (b *bench) translated() (*report.Table, error) {
	t := &report.Table{
		Title: "NAT: resolved connections",
		Notes: []string{fmt.Sprintf(`
			%d connections a second for %v between two namespaces, both on this host; the destination %s is
			translated in the client's namespace. Look-ups: answers of connection tracking to the collector.`,
			b.natRate, b.churn, serviceAddress)},
		Head: []string{"destination", "connections/s", "CPU per connection", "look-ups per connection", "ends",
			"of these dnat", "unresolved"},
	}
	var cpu [2]float64
	for i, address := range []string{testbed.ServerAddress, serviceAddress} {
		b.say("connections to %s", address)
		us, err := b.connectionsTo(address, t)
		if err != nil {
			return nil, fmt.Errorf("resolve connections to %s: %w", address, err)
		}
		cpu[i] = us
	}
	b.goals = append(b.goals, report.Goal{
		What: "additional CPU per translated connection, both ends", Limit: 3, Aim: 3, Unit: "us",
		Measured: cpu[1] - cpu[0], Remark: fmt.Sprintf("%.1f us without translation", cpu[0]),
	})
	return t, nil
}

// connectionsTo adds the row of an address, and returns the collector's microseconds per connection.
func (b *bench) connectionsTo(address string, t *report.Table) (us float64, err error) {
	p, err := testbed.NewPair()
	if err != nil {
		return 0, err
	}
	defer p.Close()
	if address != testbed.ServerAddress {
		if err := translate(p, address); err != nil {
			return 0, err
		}
	}
	g, err := newLoadGen(p, b.load, churn, b.cores, address)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	o, err := b.observe()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, o.stop()) }()
	before, err := collector.CPU(o.PID)
	if err != nil {
		return 0, err
	}
	done, err := g.run(b.churn, b.natRate)
	if err != nil {
		return 0, err
	}
	own := totals.Executable(b.loadName())
	got, cpu, err := o.settled(own, done.Operations)
	if err != nil {
		return 0, err
	}
	answers, err := o.Health("otelcol_netconn_conntrack_answers")
	if err != nil {
		return 0, err
	}
	kinds := attemptsByNAT(o.totals.All(), own)
	us = report.Micros(cpu-before) / float64(done.Operations)
	t.Add(address, fmt.Sprintf("%.0f", done.Rate), report.Figure(us, "us"),
		fmt.Sprintf("%.3f", answers/float64(done.Operations)), fmt.Sprint(got.own.Closed),
		fmt.Sprint(kinds["dnat"]), fmt.Sprint(kinds["unresolved"]))
	return us, nil
}

// translate adds a DNAT rule for the address to the client's namespace. Its entries expire soon: the table of the
// machine has no room for so many connections.
func translate(p *testbed.Pair, address string) error {
	err := p.Client.Command("iptables", "-t", "nat", "-A", "OUTPUT", "-d", address, "-p", "tcp", "-j", "DNAT",
		"--to-destination", testbed.ServerAddress)
	for _, state := range []string{"time_wait", "close", "last_ack"} {
		err = errors.Join(err, p.Client.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_"+state, "5"))
	}
	return err
}

// attemptsByNAT counts attempts by the value of netconn.nat.
func attemptsByNAT(all []totals.Series, selects func(totals.Series) bool) map[string]int64 {
	kinds := make(map[string]int64)
	for _, s := range all {
		if s.Metric == "netconn.attempts" && selects(s) {
			kinds[s.Attributes["netconn.nat"]] += s.Total
		}
	}
	return kinds
}

// idleNamespaces measures a collector that knows many namespaces in which nothing happens.
func (b *bench) idleNamespaces() (*report.Table, error) {
	t := &report.Table{
		Title: "NAT: idle namespaces",
		Notes: []string{fmt.Sprintf(`
			One open connection in each, and nothing new for %v; the distribution with its default interval of 10 s.`,
			b.idle)},
		Head: []string{"namespaces", "known to the collector", "look-ups", "searches", "CPU while idle"},
	}
	for _, n := range []int{0, b.namespaces} {
		b.say("%d namespaces", n)
		if err := b.idleIn(n, t); err != nil {
			return nil, fmt.Errorf("watch %d namespaces: %w", n, err)
		}
	}
	return t, nil
}

func (b *bench) idleIn(n int, t *report.Table) (err error) {
	for range n {
		i, err := openIdleNamespace()
		if err != nil {
			return err
		}
		defer i.close()
	}
	o, err := b.observe()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.stop()) }()
	if err := harness.Until(waitLimit, "two collections", func() bool { return o.totals.Exports() >= 2 }); err != nil {
		return err
	}
	cpu, err := o.cpuDuring(b.idle)
	if err != nil {
		return err
	}
	row := []string{fmt.Sprint(n)}
	for _, name := range []string{"namespaces", "answers", "searches"} {
		v, err := o.Health("otelcol_netconn_conntrack_" + name)
		if err != nil {
			return err
		}
		row = append(row, fmt.Sprintf("%.0f", v))
	}
	t.Add(append(row, fmt.Sprintf("%.2f ms/s", report.Millis(cpu)/b.idle.Seconds()))...)
	return nil
}
