//go:build linux

package udp

import (
	"net/netip"
	"testing"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

const (
	client, server, unknown = conn.RoleClient, conn.RoleServer, conn.RoleUnknown
	open, closed            = conn.Open, conn.Closed
)

// The figures of each kind of traffic are those of the payload, at both ends.
func TestConnected(t *testing.T) {
	for name, c := range map[string]struct{ network, listen, dial string }{
		"IPv4":        {"udp4", "127.0.0.1:9000", "127.0.0.1:9000"},
		"IPv6":        {"udp6", "[::1]:9000", "[::1]:9000"},
		"mapped IPv4": {"udp", "[::]:9000", "127.0.0.1:9000"},
		"unspecified": {"udp4", "0.0.0.0:9000", "127.0.0.1:9000"},
	} {
		t.Run(name, func(t *testing.T) {
			n := testnet.New(t)
			w := observe(t, Options{All: true}, n)
			s := listen(t, n, c.network, c.listen)
			d := dial(t, n, c.network, c.dial)
			send(t, d, 100, 0, 7)
			from := receive(t, s, 3)
			sendTo(t, s, from, 50, 1)
			receive(t, d, 2)
			all := w.want(figures{client, open, 107, 51, 3, 2}, figures{server, open, 51, 107, 2, 3})
			want := netip.MustParseAddrPort(c.dial)
			if got := all[0].Tuple; got.Destination != want || got != all[1].Tuple.Reverse() {
				t.Errorf("tuples: %v and %v", got, all[1].Tuple)
			}
			if all[0].Datagrams.SentHash == 0 || all[0].Datagrams.SentHash != all[1].Datagrams.ReceivedHash {
				t.Errorf("hashes: %+v and %+v", all[0].Datagrams, all[1].Datagrams)
			}
			d.Close()
			s.Close()
			w.want(figures{client, closed, 107, 51, 3, 2}, figures{server, closed, 51, 107, 2, 3})
			if len(w.known.sockets)+len(w.known.exchanges) > 0 {
				w.snapshot(false)
			}
		})
	}
}

func TestUnconnected(t *testing.T) {
	n := testnet.New(t)
	w := observe(t, Options{All: true}, n)
	s := listen(t, n, "udp4", "127.0.0.1:9000")
	c := listen(t, n, "udp4", "0.0.0.0:0")
	sendTo(t, c, netip.MustParseAddrPort("127.0.0.1:9000"), 10, 20)
	sendTo(t, s, receive(t, s, 2), 5)
	receive(t, c, 1)
	all := w.want(figures{client, open, 30, 5, 2, 1}, figures{server, open, 5, 30, 1, 2})
	if all[0].Tuple != all[1].Tuple.Reverse() {
		t.Errorf("tuples: %v and %v", all[0].Tuple, all[1].Tuple)
	}
}
