//go:build linux

package dns

import (
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/netconn/netconn/internal/conn"
)

// The responses to 5,000 look-ups a second are reported, each once at each end, or counted as lost.
func TestNoneUncounted(t *testing.T) {
	const sockets, asked, pace = 50, 20_000, time.Second / 5000
	n := network(t)
	w := observe(t, Options{Mode: All})
	var sent, received chan int
	var clients []net.Conn
	n.Do(func() {
		sent = countAnswers(t)
		clients, received = openClients(t, sockets)
	})
	began := time.Now()
	for i := range asked {
		if ahead := time.Duration(i)*pace - time.Since(began); ahead > time.Millisecond {
			time.Sleep(ahead)
		}
		m := packed(t, dnsmessage.Message{
			Header: dnsmessage.Header{ID: uint16(i)}, Questions: question(fmt.Sprintf("n%d.example.com.", i), dnsmessage.TypeA),
		})
		if _, err := clients[i%sockets].Write(m); err != nil {
			t.Fatal(err)
		}
		if i%250 == 0 {
			w.drain()
		}
	}
	paced := time.Since(began)
	answered := <-sent
	got := 0
	for range sockets {
		got += <-received
	}
	w.drain()
	s, err := w.Stats()
	if err != nil {
		t.Fatal(err)
	}
	reports := map[conn.Role]int{}
	seen := map[string]bool{}
	for _, l := range w.lookups {
		if !l.Answered {
			continue
		}
		reports[l.Role]++
		if key := fmt.Sprint(l.Role, l.Question); seen[key] {
			t.Fatalf("%s is reported twice", key)
		} else {
			seen[key] = true
		}
	}
	t.Logf("%d look-ups in %v: the server answered %d, the clients got %d; %v reported, %d lost", asked, paced, answered, got,
		reports, s.Lost)
	if answered < asked/2 || got < asked/2 {
		t.Errorf("%d look-ups were answered, and %d answers arrived", answered, got)
	}
	if reports[conn.RoleServer] > answered || reports[conn.RoleClient] > got {
		t.Errorf("%v are reported of %d answers that were sent and %d that arrived", reports, answered, got)
	}
	if missing := answered + got - reports[conn.RoleServer] - reports[conn.RoleClient]; uint64(missing) > s.Lost {
		t.Errorf("%d reports are missing, and %d are counted as lost", missing, s.Lost)
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
