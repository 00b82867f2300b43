//go:build linux

package conntrack

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

// The connections whose messages are recorded.
var (
	dnatSent     = tuple("10.0.0.1:40000", "10.96.1.3:80")
	dnatOut      = tuple("10.0.0.1:40000", "10.244.2.13:9080")
	redirectSent = tuple("[fd00:244::11]:40001", "[fd00:96::3]:9080")
	redirectOut  = tuple("[fd00:244::11]:40001", "[fd00:244::22]:15001")
)

func TestParseEntry(t *testing.T) {
	query := tuple("10.0.0.3:5000", "10.0.0.53:53")
	plain := tuple("10.0.0.3:1", "10.0.0.4:2")
	for name, want := range map[string]entry{
		"udp":                     {query, query.Reverse(), 0, nil},
		"dnat":                    {dnatSent, dnatOut.Reverse(), Established, nil},
		"redirect-ipv6-zone-7":    {redirectSent, redirectOut.Reverse(), Established, []uint16{7}},
		"zone-5-of-one-direction": {plain, plain.Reverse(), TimeWait, []uint16{5}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseEntry(recorded(t, "ctnetlink/entry/"+name))
			if err != nil {
				t.Fatal(err)
			}
			if got.original != want.original || got.reply != want.reply || got.state != want.state {
				t.Errorf("got %v, want %v", got, want)
			}
			wantEqual(t, "zones", got.zones, want.zones)
		})
	}
}

// A part of a message may lack attributes, but has no wrong ones.
func TestParseEntryPrefix(t *testing.T) {
	message := recorded(t, "ctnetlink/entry/redirect-ipv6-zone-7")
	for n := range message {
		e, err := parseEntry(message[:n])
		if short := n < sizeofNfgenmsg; (err != nil) != short {
			t.Fatalf("%d bytes: error %v", n, err)
		}
		none := conn.Tuple{}
		if e.original != none && e.original != redirectSent || e.reply != none && e.reply != redirectOut.Reverse() {
			t.Fatalf("%d bytes: %v", n, e)
		}
		if len(e.zones) > 1 || len(e.zones) == 1 && e.zones[0] != 7 || e.state != 0 && e.state != Established {
			t.Fatalf("%d bytes: zones %v, state %v", n, e.zones, e.state)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	for _, name := range []string{"udp", "dnat", "redirect-ipv6-zone-7", "zone-5-of-one-direction"} {
		f.Add(recorded(f, "ctnetlink/entry/"+name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseEntry(data)
		if err != nil {
			return
		}
		// An address that is not IPv4-mapped is the form that the rest of netconn compares.
		for _, tuple := range []conn.Tuple{e.original, e.reply} {
			if tuple.Source.Addr().Is4In6() || tuple.Destination.Addr().Is4In6() {
				t.Errorf("mapped address in %v", tuple)
			}
		}
		_ = e.answer(e.original)
	})
}

// A packet of either direction has an answer, and a packet of another connection has none.
func TestEntryAnswer(t *testing.T) {
	e := entry{original: dnatSent, reply: dnatOut.Reverse(), state: CloseWait}
	for name, c := range map[string]struct {
		packet conn.Tuple
		want   Answer
	}{
		"original direction":     {dnatSent, Answer{Tuple: dnatOut, State: CloseWait}},
		"reply direction":        {dnatOut.Reverse(), Answer{Tuple: dnatSent.Reverse(), Reply: true, State: CloseWait}},
		"another connection":     {redirectSent, Answer{Result: Failed}},
		"reversed, a wrong side": {dnatSent.Reverse(), Answer{Result: Failed}},
	} {
		wantEqual(t, name, e.answer(c.packet), c.want)
	}
}

// The requests are those that the kernel answered when they were recorded.
func TestAppendRequest(t *testing.T) {
	for name, l := range map[string]zoneLookup{
		"ipv4":        {protocol: TCP, tuple: dnatSent},
		"ipv6-zone-7": {protocol: TCP, zone: 7, tuple: redirectSent},
	} {
		t.Run(name, func(t *testing.T) {
			wantEqual(t, "request", appendRequest(nil, 3, &l), recorded(t, "ctnetlink/request/"+name))
		})
	}
	// In a datagram of several requests each has its own length.
	both := appendRequest(appendRequest(nil, 3, &zoneLookup{protocol: TCP, tuple: dnatSent}), 3,
		&zoneLookup{protocol: TCP, zone: 7, tuple: redirectSent})
	want := append(recorded(t, "ctnetlink/request/ipv4"), recorded(t, "ctnetlink/request/ipv6-zone-7")...)
	wantEqual(t, "two requests", both, want)
}

func TestParseReply(t *testing.T) {
	refused := recorded(t, "ctnetlink/reply/no-entry")
	failure := unix.EPERM
	binary.NativeEndian.PutUint32(refused[unix.SizeofNlMsghdr:], uint32(-int32(failure)))
	for name, c := range map[string]struct {
		message []byte
		result  Result
		fails   bool
	}{
		"an entry":               {recorded(t, "ctnetlink/reply/dnat"), Found, false},
		"no entry":               {recorded(t, "ctnetlink/reply/no-entry"), NoEntry, false},
		"another error":          {refused, Failed, false},
		"an error without errno": {refused[:unix.SizeofNlMsghdr+2], Failed, false},
		"a part of a header":     {refused[:unix.SizeofNlMsghdr-1], Failed, true},
		"an entry without header": {recorded(t, "ctnetlink/reply/dnat")[:unix.SizeofNlMsghdr+sizeofNfgenmsg-1],
			Found, true},
	} {
		t.Run(name, func(t *testing.T) {
			sequence, _, result, err := parseReply(c.message)
			if result != c.result || (err != nil) != c.fails {
				t.Errorf("%v, error %v", result, err)
			}
			if err == nil && sequence != 3 {
				t.Errorf("sequence %d, want 3", sequence)
			}
		})
	}
}

// An answer belongs to the request with its sequence number. One without a request changes nothing.
func TestTake(t *testing.T) {
	lookups := []zoneLookup{
		{tuple: redirectSent}, {tuple: dnatSent}, {tuple: dnatOut.Reverse()}, {tuple: redirectSent}, {tuple: dnatSent},
	}
	message := func(name string, sequence uint32) []byte {
		m := recorded(t, "ctnetlink/reply/"+name)
		binary.NativeEndian.PutUint32(m[8:], sequence)
		return m
	}
	answers := make([]Answer, len(lookups))
	for i := range answers {
		answers[i] = Answer{Result: Failed}
	}
	which := []int{1, 2, 3, 4}
	take(message("dnat", 0), lookups, which, answers)
	take(message("dnat", 1), lookups, which, answers)
	take(message("no-entry", 2), lookups, which, answers)
	take(message("no-entry", 4), lookups, which, answers)
	take(message("no-entry", 1<<31), lookups, which, answers)
	take(message("dnat", 3)[:10], lookups, which, answers)
	wantEqual(t, "answers", answers, []Answer{
		{Result: Failed}, // was not asked
		{Tuple: dnatOut, State: Established},
		{Tuple: dnatSent.Reverse(), Reply: true, State: Established},
		{Result: NoEntry},
		{Result: Failed}, // no whole message came
	})
	take(message("redirect-ipv6-zone-7", 3), lookups, which, answers)
	wantEqual(t, "the entry of another packet", answers[4], Answer{Result: Failed})
}

func TestByNamespace(t *testing.T) {
	a, b := &netns{inode: 1}, &netns{inode: 2}
	got := byNamespace([]zoneLookup{{netns: a}, {netns: b}, {netns: a, zone: 5}})
	if len(got) != 2 {
		t.Errorf("%d namespaces, want 2", len(got))
	}
	wantEqual(t, "lookups in the first", got[a], []int{0, 2})
	wantEqual(t, "lookups in the second", got[b], []int{1})
}

func TestParseTableSize(t *testing.T) {
	message := recorded(t, "ctnetlink/size")
	if n, err := parseTableSize(message); n != 4 || err != nil {
		t.Errorf("%d entries, error %v; want 4", n, err)
	}
	for _, part := range [][]byte{nil, message[:10], message[:unix.SizeofNlMsghdr+sizeofNfgenmsg]} {
		if n, err := parseTableSize(part); n != 0 || err == nil {
			t.Errorf("%d bytes: %d entries, error %v", len(part), n, err)
		}
	}
}

func TestOpeningAndClosing(t *testing.T) {
	for state := State(0); state <= SynSent2+1; state++ {
		opening := state == SynSent || state == SynReceived || state == SynSent2
		closing := state == FinWait || state == CloseWait || state == LastAck || state == TimeWait || state == Close
		if state.Opening() != opening || state.Closing() != closing {
			t.Errorf("state %d: opening %v, closing %v", state, state.Opening(), state.Closing())
		}
	}
}

// The values are names of attributes, which users have in their queries.
func TestStrings(t *testing.T) {
	var results, sources []string
	for r := range Results {
		results = append(results, r.String())
	}
	for s := range SourceNetlink + 1 {
		sources = append(sources, s.String())
	}
	wantEqual(t, "results", results, []string{"found", "no_entry", "ambiguous", "no_namespace", "early", "failed"})
	wantEqual(t, "sources", sources, []string{"none", "lookup", "netlink"})
}
