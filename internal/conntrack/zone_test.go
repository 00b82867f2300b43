//go:build linux

package conntrack

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/testnet"
)

// insert makes an entry by hand: a packet of an open connection, and what becomes of it.
func insert(n *testnet.Namespace, zone int, packet, out conn.Tuple) {
	n.Command("conntrack", entryArguments(zone, packet, out)...)
}

func entryArguments(zone int, packet, out conn.Tuple) []string {
	arguments := []string{"-I", "-p", "tcp", "--state", "ESTABLISHED", "--timeout", "600", "--zone", strconv.Itoa(zone)}
	add := func(address, port string, of netip.AddrPort) {
		arguments = append(arguments, address, of.Addr().String(), port, strconv.Itoa(int(of.Port())))
	}
	add("--src", "--sport", packet.Source)
	add("--dst", "--dport", packet.Destination)
	add("--reply-src", "--reply-port-src", out.Destination)
	add("--reply-dst", "--reply-port-dst", out.Source)
	return arguments
}

// inZone has connections to a port tracked in a zone, and leads them to another port: both sides' entry is in the zone.
func inZone(n *testnet.Namespace, zone, asked, actual int) {
	for _, r := range []string{
		fmt.Sprintf("-t raw -A OUTPUT -p tcp --dport %d -j CT --zone %d", asked, zone),
		fmt.Sprintf("-t raw -A OUTPUT -p tcp --sport %d -j CT --zone %d", actual, zone),
		fmt.Sprintf("-t nat -A OUTPUT -p tcp --dport %d -j REDIRECT --to-ports %d", asked, actual),
	} {
		n.Command("iptables", strings.Fields(r)...)
	}
}

// What is in a zone that is known of and not asked about may be any translation: nothing but a translation is an answer then.
func TestMoreZonesThanAreAskedAbout(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		plain := tuple("10.0.0.1:40000", "10.0.0.2:80")
		insert(n, 0, plain, plain)
		var questions []Question
		var want []Answer
		for zone := 1; zone <= maxZones+1; zone++ {
			inZone(n, zone, 8000+zone, 9000+zone)
			actual := fmt.Sprintf("127.0.0.1:%d", 9000+zone)
			client, server := n.Connect(n.Listen(actual), fmt.Sprintf("127.0.0.2:%d", 8000+zone))
			sent := tupleOf(client)
			questions = append(questions, about(n, sent), about(n, tupleOf(server)))
			want = append(want,
				Answer{Tuple: conn.Tuple{Source: sent.Source, Destination: netip.MustParseAddrPort(actual)}, State: Established},
				Answer{Tuple: sent.Reverse(), Reply: true, State: Established})
		}
		var unknown []Question
		answers, _ := askFrom(x, time.Now(), questions...)
		for i, a := range slices.Clone(answers) {
			if a.Result == Ambiguous {
				unknown = append(unknown, questions[i])
				continue
			}
			wantEqual(t, "answer", a, want[i])
		}
		if len(unknown) != 2 || unknown[0].Tuple.Source != unknown[1].Tuple.Destination {
			t.Errorf("nothing is known of %v, want the two sides of one connection", unknown)
		}
		for what, packet := range map[string]conn.Tuple{"nowhere": tuple("10.0.0.9:40000", "10.0.0.2:80"), "not translated in zone 0": plain} {
			wantEqual(t, what, ask(x, n, packet), Answer{Result: Ambiguous})
		}
		counted := x.Stats().Answers
		counted[Early] = 0
		wantEqual(t, "counted", counted, [Results]uint64{Found: 2 * maxZones, Ambiguous: 4})
	})
}

// A packet passes two zones, and only the second translates it.
func TestTranslatedInTheSecondZone(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		packet, out, later := tuple("10.0.0.1:40000", "10.96.1.3:80"), tuple("10.0.0.1:40000", "10.244.2.13:9080"), tuple("10.0.0.2:40000", "10.96.1.3:80")
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

// A namespace that tracked nothing when it was looked at begins to in a zone: of an open connection nobody may say that it has no entry.
func TestZoneInANamespaceThatTrackedNothing(t *testing.T) {
	tables(t, func(t *testing.T, x *Tables) {
		n := testnet.New(t)
		question := about(n, tuple("127.0.0.1:1", "127.0.0.1:2"))
		question.Open = true
		answers, at := askFrom(x, time.Now(), question)
		wantEqual(t, "before", answers[0], Answer{Result: NoEntry})
		inZone(n, 5, 80, 9080)
		client, _ := n.Connect(n.Listen("127.0.0.1:9080"), "127.0.0.2:80")
		question.Tuple = tupleOf(client)
		at = at.Add(time.Millisecond)
		wantEqual(t, "a moment later", x.Ask(at, []Question{question})[0], Answer{Result: Early})
		answers, _ = askFrom(x, at, question)
		want := conn.Tuple{Source: question.Tuple.Source, Destination: netip.MustParseAddrPort("127.0.0.1:9080")}
		wantEqual(t, "later", answers[0], Answer{Tuple: want, State: Established})
	})
}
