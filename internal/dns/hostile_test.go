//go:build linux

package dns

import (
	"bytes"
	"net"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// hostile are packets of a client, or of a server in response to a query with the id 7. Both ends see each of them.
var hostile = map[string]struct {
	fromServer bool
	packet     []byte
	want       hostility
}{
	"nothing":                {false, nil, hostility{}},
	"half a header":          {false, make([]byte, 11), hostility{unreadable: 2}},
	"an update":              {false, []byte{0, 7, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0}, hostility{unreadable: 2}},
	"two questions":          {false, []byte{0, 7, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0}, hostility{unreadable: 2}},
	"65,535 questions":       {false, []byte{0, 7, 1, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0}, hostility{unreadable: 2}},
	"answers in a query":     {false, []byte{0, 7, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0}, hostility{unreadable: 2}},
	"a response to no query": {false, []byte{0, 7, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, hostility{unreadable: 2}},
	"a query of a server":    {true, []byte{0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, hostility{unreadable: 2}},
	"60 kB of labels": {
		true, append([]byte{0, 7, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte{1, 'a'}, 30_000)...),
		hostility{responses: 2, malformed: 2},
	},
	"a question that is a loop": {
		true, []byte{0, 7, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1}, hostility{responses: 2, malformed: 2},
	},
	"65,535 records that lack": {
		true, []byte{0, 7, 0x81, 0x80, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1}, hostility{responses: 2, malformed: 2},
	},
}

// hostility is what a hostile packet costs.
type hostility struct {
	responses             int
	malformed, unreadable uint64
}

// A packet that is no message costs a counter at each end, and a response that cannot be read is counted as a response
// without a name. No packet is dropped.
func TestHostilePackets(t *testing.T) {
	n := network(t)
	w := observe(t, Options{Mode: All})
	var server *net.UDPConn
	var client *net.UDPConn
	n.Do(func() {
		at := &net.UDPAddr{IP: net.IPv4(10, 99, 53, 1), Port: 53}
		var err error
		if server, err = net.ListenUDP("udp4", at); err == nil {
			client, err = net.DialUDP("udp4", nil, at)
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	defer server.Close()
	defer client.Close()
	for name, c := range hostile {
		t.Run(name, func(t *testing.T) {
			for range 5 { // the counters are the machine's: others may use DNS meanwhile
				if got := w.cost(t, client, server, c.fromServer, c.packet); got == c.want {
					return
				} else if got.responses != c.want.responses || got.malformed < c.want.malformed || got.unreadable < c.want.unreadable {
					t.Fatalf("cost %+v, want %+v", got, c.want)
				}
			}
			t.Errorf("the counters never match %+v", c.want)
		})
	}
}

// cost sends a packet, and returns what it cost.
func (w *observer) cost(t *testing.T, client, server *net.UDPConn, fromServer bool, packet []byte) hostility {
	t.Helper()
	if fromServer {
		query := packed(t, dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: question("a.", dnsmessage.TypeA)})
		pass(t, client, server, client.LocalAddr(), query)
	}
	before := w.stand(t)
	if fromServer {
		pass(t, server, client, client.LocalAddr(), packet)
	} else {
		pass(t, client, server, client.LocalAddr(), packet)
	}
	after := w.stand(t)
	return hostility{after.responses - before.responses, after.malformed - before.malformed, after.unreadable - before.unreadable}
}

// pass has a packet arrive as it was sent.
func pass(t *testing.T, from, to *net.UDPConn, client net.Addr, packet []byte) {
	t.Helper()
	var err error
	if from.RemoteAddr() != nil {
		_, err = from.Write(packet)
	} else {
		_, err = from.WriteTo(packet, client)
	}
	buffer := make([]byte, 70_000)
	size := 0
	if err == nil {
		size, _, err = to.ReadFrom(buffer)
	}
	if err != nil || !bytes.Equal(buffer[:size], packet) {
		t.Fatalf("%d bytes arrived of %d: %v", size, len(packet), err)
	}
}

func (w *observer) stand(t *testing.T) (h hostility) {
	t.Helper()
	w.drain()
	s, err := w.Stats()
	if err != nil {
		testnet.Require(t, err)
	}
	for _, l := range w.lookups {
		if l.Answered && l.Protocol == conn.UDP {
			h.responses++
		}
	}
	h.malformed, h.unreadable = s.Malformed, s.Unreadable
	return h
}
