package dns

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

var (
	shop  = Asker{Owner: conn.Owner{ContainerID: "5e0a"}}
	other = Asker{Owner: conn.Owner{ContainerID: "77f1"}}
	began = time.Unix(1_700_000_000, 0)
)

func after(d time.Duration) time.Time { return began.Add(d) }

func ttl(seconds uint32, addresses ...string) (all []Address) {
	for _, a := range addresses {
		all = append(all, Address{Address: netip.MustParseAddr(a), TTL: seconds})
	}
	return all
}

func wantName(t *testing.T, n *Names, of Asker, address string, at time.Time, want string) {
	t.Helper()
	if got, found := n.Find(of, netip.MustParseAddr(address), at); got != want || found != (want != "") {
		t.Errorf("%s after %v is %q (%t), want %q", address, at.Sub(began), got, found, want)
	}
}

// The container that asked knows all addresses of an answer by name until the TTL is over. Other containers do not.
func TestAnswersHoldForTheirAsker(t *testing.T) {
	var n Names
	wantName(t, &n, shop, "203.0.113.9", began, "")
	n.Learn(shop, "api.partner.example", ttl(300, "203.0.113.9", "2001:db8::9"), began)
	for _, a := range []string{"203.0.113.9", "2001:db8::9"} {
		wantName(t, &n, shop, a, began.Add(-time.Second), "")
		wantName(t, &n, shop, a, began, "api.partner.example")
		wantName(t, &n, shop, a, after(300*time.Second), "api.partner.example")
		wantName(t, &n, shop, a, after(301*time.Second), "")
		wantName(t, &n, other, a, began, "")
	}
	wantName(t, &n, shop, "203.0.113.10", began, "")
}

// A TTL is a minute at least and a day at most. With its upper bit it is zero.
func TestLifeOfAnswers(t *testing.T) {
	for seconds, want := range map[uint32]time.Duration{
		0: time.Minute, 59: time.Minute, 61: 61 * time.Second, 1 << 30: 24 * time.Hour, 1 << 31: time.Minute,
	} {
		if got := life(seconds); got != want {
			t.Errorf("a TTL of %d holds for %v, want %v", seconds, got, want)
		}
	}
}

// An address with two names has the one that was answered last before the connection began, also if another answer has
// come since. A name that was answered later ends later.
func TestAddressWithTwoNames(t *testing.T) {
	var n Names
	at := ttl(3600, "203.0.113.9")
	n.Learn(shop, "a.example", at, began)
	n.Learn(shop, "b.example", ttl(0, "203.0.113.9"), after(10*time.Second))
	wantName(t, &n, shop, "203.0.113.9", after(9*time.Second), "a.example")
	wantName(t, &n, shop, "203.0.113.9", after(10*time.Second-time.Millisecond), "b.example") // within the clocks' slack
	wantName(t, &n, shop, "203.0.113.9", after(70*time.Second), "b.example")
	wantName(t, &n, shop, "203.0.113.9", after(71*time.Second), "a.example")
	n.Learn(shop, "b.example", at, after(20*time.Second))
	wantName(t, &n, shop, "203.0.113.9", after(71*time.Second), "b.example")
	wantName(t, &n, shop, "203.0.113.9", after(9*time.Second), "a.example")
	n.Learn(shop, "b.example", ttl(0, "203.0.113.9"), after(30*time.Second))
	wantName(t, &n, shop, "203.0.113.9", after(3600*time.Second), "b.example")
	for i := range 2 * maxHistory {
		n.Learn(shop, fmt.Sprintf("%d.example", i), at, after(time.Duration(40+i)*time.Second))
	}
	wantName(t, &n, shop, "203.0.113.9", after(40*time.Second), "")
	wantName(t, &n, shop, "203.0.113.9", after(55*time.Second), "15.example")
	if history := n.askers[shop][netip.MustParseAddr("203.0.113.9")]; len(history) != maxHistory {
		t.Errorf("%d names of one address, want %d", len(history), maxHistory)
	}
}

// What no host outside can have is not kept.
func TestAddressesOfNobody(t *testing.T) {
	var n Names
	n.Learn(shop, "blocked.example", ttl(60, "0.0.0.0", "127.0.0.1", "::", "::1"), began)
	if held, _ := n.Held(); held != 0 || len(n.askers) != 0 {
		t.Errorf("%d names are kept", held)
	}
}

// numbered is an answer with one of many addresses.
func numbered(i int) []Address {
	a := [4]byte{100, byte(i >> 16), byte(i >> 8), byte(i)}
	return []Address{{Address: netip.AddrFrom4(a), TTL: uint32(100_000 + i)}}
}

// A container with too many names loses those that expire first. Other containers keep theirs.
func TestAskerIsBounded(t *testing.T) {
	var n Names
	n.Learn(other, "quiet.example", ttl(60, "203.0.113.9"), began)
	for i := range 3 * maxAskerNames {
		n.Learn(shop, "many.example", numbered(i), began)
	}
	held, evicted := n.Held()
	if most := maxAskerNames + 1; held > most || held != len(n.askers[shop])+1 || held+int(evicted) != 3*maxAskerNames+1 {
		t.Errorf("%d names, %d dropped: want %d at most, and all of them counted", held, evicted, most)
	}
	wantName(t, &n, other, "203.0.113.9", began, "quiet.example")
	latest := numbered(3*maxAskerNames - 1)[0].Address.String()
	wantName(t, &n, shop, latest, began, "many.example")
	wantName(t, &n, shop, numbered(0)[0].Address.String(), began, "")
}

// Names that no connection can have any more leave first, and are not counted as dropped.
func TestExpiredNamesLeaveFirst(t *testing.T) {
	var n Names
	n.Learn(shop, "long.example", ttl(3600, "203.0.113.9"), began)
	for i := range maxAskerNames - 1 {
		n.Learn(shop, "short.example", []Address{{Address: numbered(i)[0].Address, TTL: 60}}, began)
	}
	n.Learn(shop, "new.example", ttl(60, "203.0.113.10"), after(leastLife+afterlife+time.Second))
	if held, evicted := n.Held(); held != 2 || evicted != 0 {
		t.Errorf("%d names, %d dropped, want 2 and none", held, evicted)
	}
	wantName(t, &n, shop, "203.0.113.9", after(time.Hour), "long.example")
}

// At the limit for all, expired names leave first, then those of the asker with the most.
func TestAllAskersAreBounded(t *testing.T) {
	var n Names
	n.Learn(other, "quiet.example", ttl(3600, "203.0.113.9"), began)
	gone := Asker{Address: netip.MustParseAddr("10.244.1.9")}
	n.Learn(gone, "gone.example", ttl(60, "203.0.113.9"), began)
	now := after(10 * time.Minute)
	for i := range maxNames + 5000 {
		asker := Asker{Address: netip.AddrFrom4([4]byte{10, 244, 0, byte(i % 64)})}
		n.Learn(asker, "many.example", numbered(i), now)
		if held, _ := n.Held(); held > maxNames {
			t.Fatalf("%d names, want %d at most", held, maxNames)
		}
	}
	held, evicted := n.Held()
	sum := 0
	for _, known := range n.askers {
		sum += len(known)
	}
	if n.askers[gone] != nil || held != sum || held+int(evicted) != maxNames+5000+1 {
		t.Errorf("%d names (%d), %d dropped", held, sum, evicted)
	}
	wantName(t, &n, other, "203.0.113.9", now, "quiet.example")
}
