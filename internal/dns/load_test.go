//go:build linux

package dns

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/netconn/netconn/internal/conn"
)

// Of 5,000 look-ups a second, each has one outcome at each end: a response, none, or it is counted as lost. So the sum is
// that of the queries, also if the ring is far too small.
func TestNoneUncounted(t *testing.T) {
	for name, c := range map[string]struct {
		ring, asked, drainEvery int
	}{
		"the ring is large enough": {0, 20_000, 250},
		"the ring is too small":    {64 << 10, 5000, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			const sockets = 50
			n := network(t)
			w := observe(t, Options{Mode: All, RingBytes: c.ring})
			var sent, received chan int
			var clients []net.Conn
			n.Do(func() {
				sent = countAnswers(t)
				clients, received = openClients(t, sockets)
			})
			paced := askAll(t, w, clients, c.asked, c.drainEvery)
			answered, got := <-sent, 0
			for range sockets {
				got += <-received
			}
			o := w.outcomes()
			t.Logf("%d look-ups in %v: the server answered %d, the clients got %d; reported: %+v", c.asked, paced, answered, got, o)
			if answered < c.asked/2 || got < c.asked/2 {
				t.Errorf("%d look-ups were answered, and %d answers arrived", answered, got)
			}
			if c.ring > 0 && o.lost == 0 {
				t.Error("the ring was not full")
			}
			switch sum := o.sum(); {
			case sum < 2*c.asked, sum > 2*c.asked && len(w.others) == 0: // what others lost is in the counter too
				t.Errorf("both ends have %d outcomes, want %d", sum, 2*c.asked)
			}
			if o.answered[conn.RoleServer] > answered || o.answered[conn.RoleServer]+o.lost < answered {
				t.Errorf("%d responses are reported of %d that the server sent", o.answered[conn.RoleServer], answered)
			}
			if o.answered[conn.RoleClient]+o.lost < got {
				t.Errorf("%d responses are reported of %d that the clients got", o.answered[conn.RoleClient], got)
			}
		})
	}
}

// askAll sends queries, each for a name of its own, at 5,000 a second, or as many as the machine can. It returns how long
// that took.
func askAll(t *testing.T, w *observer, clients []net.Conn, asked, drainEvery int) time.Duration {
	t.Helper()
	const pace = time.Second / 5000
	began := time.Now()
	for i := range asked {
		if ahead := time.Duration(i)*pace - time.Since(began); ahead > time.Millisecond {
			time.Sleep(ahead)
		}
		m := packed(t, dnsmessage.Message{
			Header: dnsmessage.Header{ID: uint16(i)}, Questions: question(fmt.Sprintf("n%d.example.com.", i), dnsmessage.TypeA),
		})
		if _, err := clients[i%len(clients)].Write(m); err != nil {
			t.Fatal(err)
		}
		if (i+1)%drainEvery == 0 {
			w.drain()
		}
	}
	return time.Since(began)
}

// outcomes are those of the test's queries.
type outcomes struct {
	answered, unanswered map[conn.Role]int
	lost                 int
}

func (o outcomes) sum() (all int) {
	for _, role := range []conn.Role{conn.RoleClient, conn.RoleServer} {
		all += o.answered[role] + o.unanswered[role]
	}
	return all + o.lost
}

// outcomes returns those so far. A query that waits still is unanswered, as one is that has timed out.
func (w *observer) outcomes() outcomes {
	w.t.Helper()
	w.drain()
	s, err := w.Stats()
	if err != nil {
		w.t.Fatal(err)
	}
	o := outcomes{map[conn.Role]int{}, w.waiting(), int(s.Lost)}
	seen := map[string]bool{}
	for _, l := range w.lookups {
		o.unanswered[l.Role] += int(l.Timeouts)
		if !l.Answered {
			continue
		}
		o.answered[l.Role]++
		key := fmt.Sprint(l.Role, l.Question)
		if seen[key] {
			w.t.Fatalf("%s is reported twice", key)
		}
		seen[key] = true
	}
	return o
}

// waiting returns how many of the test's queries wait for a response.
func (w *observer) waiting() map[conn.Role]int {
	w.t.Helper()
	waiting := make(map[conn.Role]int)
	w.queries(func(_ kernelDnsKey, l conn.Lookup) { waiting[l.Role] += int(l.Timeouts) })
	return waiting
}

// queries hands over each of the test's queries that wait for a response.
func (w *observer) queries(take func(kernelDnsKey, conn.Lookup)) {
	w.t.Helper()
	for {
		waiting := make(map[kernelDnsKey]conn.Lookup)
		var key kernelDnsKey
		var query kernelDnsQuery
		all := w.objects.Queries.Iterate()
		for all.Next(&key, &query) {
			if l := w.decoder.unanswered(&key, &query); here.Contains(l.Tuple.Source.Addr()) {
				waiting[key] = l
			}
		}
		err := all.Err()
		if errors.Is(err, ebpf.ErrIterationAborted) { // as others' queries come and go
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		for key, l := range waiting {
			take(key, l)
		}
		return
	}
}

// countAnswers answers all queries. It returns a channel for how many that were, once there are no more.
func countAnswers(t *testing.T) chan int {
	t.Helper()
	c, err := listenUDP("10.99.53.1:53")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.(*net.UDPConn).SetReadBuffer(8 << 20); err != nil {
		t.Fatal(err)
	}
	done := make(chan int, 1)
	go func() {
		answered, buffer := 0, make([]byte, 2000)
		for {
			_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
			size, from, err := c.ReadFrom(buffer)
			if err != nil {
				done <- answered
				return
			}
			if _, err := c.WriteTo(scripted(buffer[:size], true), from); err == nil {
				answered++
			}
		}
	}()
	return done
}

// openClients returns sockets that are connected to the server, and a channel for how many answers each has received.
func openClients(t *testing.T, n int) (clients []net.Conn, received chan int) {
	t.Helper()
	received = make(chan int, n)
	for range n {
		c, err := net.Dial("udp4", "10.99.53.1:53")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		clients = append(clients, c)
		go func() {
			got, buffer := 0, make([]byte, 2000)
			for {
				_ = c.SetReadDeadline(time.Now().Add(4 * time.Second))
				if _, err := c.Read(buffer); err != nil {
					received <- got
					return
				}
				got++
			}
		}()
	}
	return clients, received
}
