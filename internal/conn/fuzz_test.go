package conn

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/netconn/netconn/internal/names"
)

// countsOf reads counts from bytes, each in the width of its counter.
func countsOf(raw []byte) (a Counts) {
	for c := range a {
		var word [8]byte
		raw = raw[copy(word[:], raw):]
		a[c] = inWidth(Counter(c), binary.LittleEndian.Uint64(word[:]))
	}
	return a
}

// The later of two totals is at least both, and what has grown is what is between them.
func FuzzCounts(f *testing.F) {
	f.Add([]byte{1, 2, 3}, []byte{4})
	f.Add(slices.Repeat([]byte{0xff}, 72), []byte{1})
	f.Fuzz(func(t *testing.T, x, y []byte) {
		a, b := countsOf(x), countsOf(y)
		latest := raised(a, b)
		if again := raised(latest, b); again != latest {
			t.Errorf("the later of %v and %v is %v, and then %v", a, b, latest, again)
		}
		if got := since(a, a); got != (Counts{}) {
			t.Errorf("%v has grown by %v since itself", a, got)
		}
		grown := since(a, latest)
		for c := range a {
			if got := inWidth(Counter(c), a[c]+grown[c]); got != latest[c] {
				t.Errorf("%s: %d and %d more is %d, not %d", Counter(c), a[c], grown[c], got, latest[c])
			}
			if back := since(b, a)[c]; grown[c] > 0 && back > 0 && back != 1<<31 {
				t.Errorf("%s: from %d to %d it grew by %d, and back by %d", Counter(c), a[c], b[c], grown[c], back)
			}
		}
		if sum := a.Add(b); sum.Sub(b) != a {
			t.Errorf("%v and %v, without the second, is %v", a, b, sum.Sub(b))
		}
	})
}

// peerOf reads a peer from bytes: each attribute is one of few values, so that many are equal.
func peerOf(raw []byte) (p Peer) {
	for a := range p {
		if len(raw) > 0 {
			p[a], raw = []string{"", "a", "b"}[raw[0]%3], raw[1:]
		}
	}
	return p
}

// Compare is a total order, and agrees with equality.
func FuzzPeers(f *testing.F) {
	f.Add([]byte{1, 2}, []byte{2}, []byte{0, 1})
	f.Fuzz(func(t *testing.T, x, y, z []byte) {
		a, b, c := peerOf(x), peerOf(y), peerOf(z)
		if (a.Compare(&b) == 0) != (a == b) || a.Compare(&b) != -b.Compare(&a) {
			t.Errorf("%v to %v is %d, and back %d", a, b, a.Compare(&b), b.Compare(&a))
		}
		if a.Compare(&b) <= 0 && b.Compare(&c) <= 0 && a.Compare(&c) > 0 {
			t.Errorf("%v, %v, %v are not in order", a, b, c)
		}
		joined := a.Or(b)
		for i := range joined {
			want := a[i]
			if want == "" {
				want = b[i]
			}
			if joined[i] != want {
				t.Errorf("%s: %q or %q is %q", names.Attribute(i), a[i], b[i], joined[i])
			}
		}
	})
}

// Values are map keys and are compared with ==, so none may hold a slice or a map.
func TestValuesAreComparable(t *testing.T) {
	c := Conn{Owner: Owner{Unit: "cron.service"}}
	same := c
	if c != same || c.End() != same.End() {
		t.Errorf("%+v differs from its copy", c)
	}
	same.Namespace.Cookie++
	if c == same || c.End() == same.End() {
		t.Error("the netns cookie does not count")
	}
	if (Listener{ID: c.ID}) != (Listener{}) || (Route{}) != (Route{NAT: NATUnresolved}) {
		t.Error("zero values differ")
	}
}

func TestUnits(t *testing.T) {
	for c, want := range map[Counter]string{
		Sent: names.Bytes, Received: names.Bytes, Retransmits: names.Segments, SegmentsSent: names.Segments,
		SegmentsReceived: names.Segments, OutOfOrder: names.Segments, CE: names.Segments,
		Reordering: names.EventsUnit, SegmentsLost: names.Segments, Bypassed: names.Connections,
		DatagramDrops: names.Datagrams, DatagramErrors: names.ErrorsUnit,
	} {
		if c.Unit() != want {
			t.Errorf("%s is in %s, want %s", c, c.Unit(), want)
		}
	}
}

// The kernel's numbers of protocols have the values of network.transport. Another one has none.
func TestProtocol(t *testing.T) {
	for number, want := range map[Protocol]string{6: names.TCP, 17: names.UDP, 0: "", 132: ""} {
		if got := number.String(); got != want {
			t.Errorf("protocol %d is %q, want %q", number, got, want)
		}
	}
}

func TestNoTotals(t *testing.T) {
	var none Totals
	some := only(Sent, 1).Add(only(CE, 2))
	if totals := some.Totals(); totals.Since(&none) != some || none.Since(&totals) != (Counts{}) {
		t.Errorf("since nothing %v has grown by %v, and back by %v", some, totals.Since(&none), none.Since(&totals))
	}
}
