//go:build linux

package conntrack

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// A packet can have an entry in a zone other than 0. The zones are learnt from the table, once.
func TestZones(t *testing.T) {
	for name, c := range map[string]struct{ asking, answering []string }{
		"of both directions": {[]string{"--zone", "7"}, []string{"--zone", "7"}},
		"of one direction":   {[]string{"--zone-orig", "7"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tables(t, func(t *testing.T, x *Tables) {
				n := testnet.New(t)
				zone := func(port string, arguments []string) {
					rule := append(strings.Fields("-t raw -A OUTPUT -p tcp "+port+" -j CT"), arguments...)
					n.Command("iptables", rule...)
				}
				zone("--dport 80", c.asking)
				if c.answering != nil {
					zone("--sport 9080", c.answering)
				}
				redirect(n, "iptables", "80", "9080")
				client, server := n.Connect(n.Listen("127.0.0.1:9080"), "127.0.0.2:80")
				sent := tupleOf(client)
				for range 2 {
					wantEqual(t, "client", ask(x, n, sent), translated(sent, "127.0.0.1:9080"))
					wantEqual(t, "server", ask(x, n, tupleOf(server)), replyTo(sent))
				}
				wantEqual(t, "tables read", x.Stats().Dumps, 1)
			})
		})
	}
}

// A zone that is known and not looked up may translate any packet, so only a translation is an answer.
func TestMoreZonesThanAreAskedAbout(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		plain := tuple("10.0.0.1:40000", "10.0.0.2:80")
		insert(n, 0, plain, plain)
		var lookups []Lookup
		var want []Answer
		for zone := 1; zone <= maxZones+1; zone++ {
			inZone(n, zone, 8000+zone, 9000+zone)
			actual := fmt.Sprintf("127.0.0.1:%d", 9000+zone)
			client, server := n.Connect(n.Listen(actual), fmt.Sprintf("127.0.0.2:%d", 8000+zone))
			sent := tupleOf(client)
			lookups = append(lookups, about(n, sent), about(n, tupleOf(server)))
			want = append(want,
				translated(sent, actual),
				replyTo(sent))
		}
		var unknown []Lookup
		answers, _ := askFrom(x, time.Now(), lookups...)
		for i, a := range slices.Clone(answers) {
			if a.Result == Ambiguous {
				unknown = append(unknown, lookups[i])
				continue
			}
			wantEqual(t, "answer", a, want[i])
		}
		if len(unknown) != 2 || unknown[0].Tuple.Source != unknown[1].Tuple.Destination {
			t.Errorf("nothing is known of %v, want the two sides of one connection", unknown)
		}
		for what, packet := range map[string]conn.Tuple{
			"nowhere": tuple("10.0.0.9:40000", "10.0.0.2:80"), "not translated in zone 0": plain,
		} {
			wantEqual(t, what, ask(x, n, packet), Answer{Result: Ambiguous})
		}
		counted := x.Stats().Answers
		counted[TooEarly] = 0
		wantEqual(t, "counted", counted, [Results]uint64{Found: 2 * maxZones, Ambiguous: 4})
	})
}

// A packet passes two zones, and only the second translates it.
func TestTranslatedInTheSecondZone(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		packet, out := tuple("10.0.0.1:40000", "10.96.1.3:80"), tuple("10.0.0.1:40000", "10.244.2.13:9080")
		later := tuple("10.0.0.2:40000", "10.96.1.3:80")
		insert(n, 0, packet, packet)
		insert(n, 5, packet, out)
		wantEqual(t, "answer", ask(x, n, packet), Answer{Tuple: out, State: Established})

		insert(n, 0, later, later)
		wantEqual(t, "translated in no zone", ask(x, n, later), Answer{Tuple: later, State: Established})
		insert(n, 6, later, out)
		answers, _ := askFrom(x, time.Now().Add(time.Hour), about(n, later))
		wantEqual(t, "in a zone that came into use later", answers[0], Answer{Tuple: out, State: Established})
		wantEqual(t, "tables read", x.Stats().Dumps, 2)
	})
}

// A namespace tracks nothing when it is examined, and then begins to, in a zone. An open connection must not count as
// one without an entry.
func TestZoneInANamespaceThatTrackedNothing(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		lookup := about(n, noConnection)
		lookup.Open = true
		answers, at := askFrom(x, time.Now(), lookup)
		wantEqual(t, "before", answers[0], Answer{Result: NoEntry})
		inZone(n, 5, 80, 9080)
		client, _ := n.Connect(n.Listen("127.0.0.1:9080"), "127.0.0.2:80")
		lookup.Tuple = tupleOf(client)
		at = at.Add(time.Millisecond)
		wantEqual(t, "a moment later", x.LookUp(at, []Lookup{lookup})[0], Answer{Result: TooEarly})
		answers, _ = askFrom(x, at, lookup)
		want := conn.Tuple{Source: lookup.Tuple.Source, Destination: netip.MustParseAddrPort("127.0.0.1:9080")}
		wantEqual(t, "later", answers[0], Answer{Tuple: want, State: Established})
	})
}
