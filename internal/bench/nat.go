//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/netconn/netconn/internal/bench/lab"
	"github.com/netconn/netconn/internal/bench/sink"
	"github.com/netconn/netconn/internal/bench/subject"
)

const (
	// natRate is how many connections a second are resolved.
	natRate = 10_000
	// serviceAddress is what clients ask for where their destination is translated.
	serviceAddress = "10.97.0.100"
	// natNamespaces is how many are known while nothing happens in them.
	natNamespaces = 200
)

// nat is the part of that name.
func (b *bench) nat() error {
	if err := b.lookups(); err != nil {
		return err
	}
	if err := b.ways(); err != nil {
		return err
	}
	return b.quiet()
}

// lookups asks connection tracking from both sources.
func (b *bench) lookups() error {
	b.say("look-ups")
	all, err := goBenchmarks("^BenchmarkAsk$", "./internal/conntrack")
	if err != nil {
		return err
	}
	t := &table{
		title: "NAT: look-ups",
		notes: []string{"CPU of the process, for a connection that is translated: from the kernel's function in a BPF program (lookup) " +
			"and from ctnetlink (netlink), alone and with others."},
		head: []string{"source", "together", "CPU a look-up", "allocations a look-up"},
	}
	limits := map[string]float64{"lookup": 0.3, "netlink": 5}
	for _, m := range all {
		words := strings.Split(m.name, "/") // Ask, the source, how many together
		if len(words) != 3 {
			return fmt.Errorf("read the benchmark %s: want a source and a number", m.name)
		}
		source, together := words[1], words[2]
		var n int
		if _, err := fmt.Sscan(together, &n); err != nil || n == 0 {
			return fmt.Errorf("read the benchmark %s: want a source and a number", m.name)
		}
		us := m.metrics["CPU-ns/look-up"] / 1000
		t.add(source, together, figure(us, "us"), fmt.Sprintf("%.2f", m.metrics["allocs/op"]/float64(n)))
		if n >= 1000 {
			b.goals = append(b.goals, goal{what: "look-up, " + source + ", " + together + " together", limit: limits[source],
				aim: limits[source], unit: "us", measured: us})
		}
	}
	b.tables = append(b.tables, t)
	return nil
}

// ways measures the whole distribution with connections that are translated, and with such that are not.
func (b *bench) ways() error {
	t := &table{
		title: "NAT: resolved connections",
		notes: []string{fmt.Sprintf("%d connections a second for %v between two namespaces, both ends watched, as in \"Churn\"; the "+
			"destination %s is translated on the client's side. Look-ups: answers of connection tracking to the collector.",
			natRate, churnFor, serviceAddress)},
		head: []string{"destination", "connections/s", "CPU a connection", "look-ups a connection", "ends", "of these dnat", "unresolved"},
	}
	var cpu [2]float64
	for i, address := range []string{lab.ServerAddress, serviceAddress} {
		b.say("connections to %s", address)
		us, err := b.way(address, t)
		if err != nil {
			return fmt.Errorf("resolve connections to %s: %w", address, err)
		}
		cpu[i] = us
	}
	b.goals = append(b.goals, goal{what: "CPU more of a connection that is translated, both ends", limit: 3, aim: 3, unit: "us",
		measured: cpu[1] - cpu[0], note: fmt.Sprintf("%.1f us without translation", cpu[0])})
	b.tables = append(b.tables, t)
	return nil
}

func (b *bench) way(address string, t *table) (us float64, err error) {
	p, err := lab.NewPair()
	if err != nil {
		return 0, err
	}
	defer p.Close()
	if err := translate(p, address); err != nil {
		return 0, err
	}
	c, err := newCouples(p, b.load, churn, b.cores, address)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	to, err := sink.New()
	if err != nil {
		return 0, err
	}
	defer to.Close()
	s, err := subject.Start(subject.Options{Program: b.program, Dir: b.dir, Interval: 10 * time.Second, OTLP: to.URL, Health: true})
	if err != nil {
		return 0, err
	}
	us, err = b.resolve(address, c, s, to, t)
	return us, errors.Join(err, s.Stop(), to.Err())
}

// translate has the client's namespace translate the destination, and both forget connections soon: the table of the machine is not
// made for so many.
func translate(p *lab.Pair, address string) error {
	if address == lab.ServerAddress {
		return nil
	}
	err := p.Client.Command("iptables", "-t", "nat", "-A", "OUTPUT", "-d", address, "-p", "tcp", "-j", "DNAT",
		"--to-destination", lab.ServerAddress)
	for _, state := range []string{"time_wait", "close", "last_ack"} {
		err = errors.Join(err, p.Client.Sysctl("net.netfilter.nf_conntrack_tcp_timeout_"+state, "5"))
	}
	return err
}

func (b *bench) resolve(address string, c *couples, s *subject.Collector, to *sink.Sink, t *table) (us float64, err error) {
	before, err := subject.CPU(s.PID)
	if err != nil {
		return 0, err
	}
	done, err := c.run(churnFor, natRate)
	if err != nil {
		return 0, err
	}
	own := sink.Executable(b.loadName())
	got, cpu, err := settled(s, to, own, done.Operations)
	if err != nil {
		return 0, err
	}
	answers, err := s.Health("otelcol_netconn_conntrack_answers")
	if err != nil {
		return 0, err
	}
	kinds := byNAT(to.All(), own)
	us = micros(cpu-before) / float64(done.Operations)
	t.add(address, fmt.Sprintf("%.0f", done.Rate), figure(us, "us"), fmt.Sprintf("%.3f", answers/float64(done.Operations)),
		fmt.Sprint(got.own.Closed), fmt.Sprint(kinds["dnat"]), fmt.Sprint(kinds["unresolved"]))
	return us, nil
}

// byNAT counts attempts by the value of netconn.nat.
func byNAT(all []sink.Series, belongs func(sink.Series) bool) map[string]int64 {
	kinds := make(map[string]int64)
	for _, s := range all {
		if s.Metric == "netconn.attempts" && belongs(s) {
			kinds[s.Attributes["netconn.nat"]] += s.Total
		}
	}
	return kinds
}

// quiet measures a collector that knows many namespaces in which nothing happens.
func (b *bench) quiet() error {
	t := &table{
		title: "NAT: namespaces in which nothing happens",
		notes: []string{fmt.Sprintf("One open connection in each, and nothing new for %v; the distribution with its default interval of "+
			"10 s.", idleFor)},
		head: []string{"namespaces", "known to the collector", "look-ups", "searches", "CPU while idle"},
	}
	for _, n := range []int{0, natNamespaces} {
		b.say("%d namespaces", n)
		if err := b.quietIn(n, t); err != nil {
			return fmt.Errorf("watch %d namespaces: %w", n, err)
		}
	}
	b.tables = append(b.tables, t)
	return nil
}

func (b *bench) quietIn(n int, t *table) (err error) {
	for range n {
		closeAll, err := openQuiet()
		if err != nil {
			return err
		}
		defer closeAll()
	}
	to, err := sink.New()
	if err != nil {
		return err
	}
	defer to.Close()
	s, err := subject.Start(subject.Options{Program: b.program, Dir: b.dir, Interval: 10 * time.Second, OTLP: to.URL, Health: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop(), to.Err()) }()
	if err := until("two collections", func() bool { return to.Exports() >= 2 }); err != nil {
		return err
	}
	idle, err := spent(s.PID, idleFor)
	if err != nil {
		return err
	}
	row := []string{fmt.Sprint(n)}
	for _, name := range []string{"namespaces", "answers", "searches"} {
		v, err := s.Health("otelcol_netconn_conntrack_" + name)
		if err != nil {
			return err
		}
		row = append(row, fmt.Sprintf("%.0f", v))
	}
	t.add(append(row, fmt.Sprintf("%.2f ms/s", millis(idle)/idleFor.Seconds()))...)
	return nil
}

// openQuiet makes a namespace with an open connection, and keeps a thread in it: else nobody could find it.
func openQuiet() (closeAll func(), err error) {
	n, err := lab.NewNamespace()
	if err != nil {
		return nil, err
	}
	opened, done := make(chan error), make(chan struct{})
	go func() {
		err := n.Do(func() error { return holdOne(func() { opened <- nil; <-done }) })
		if err != nil {
			opened <- err
		}
	}()
	if err := <-opened; err != nil {
		return nil, errors.Join(fmt.Errorf("open a connection: %w", err), n.Close())
	}
	return func() {
		close(done)
		n.Close()
	}, nil
}

// holdOne has a connection open while a function runs.
func holdOne(run func()) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		return err
	}
	defer server.Close()
	run()
	return nil
}
