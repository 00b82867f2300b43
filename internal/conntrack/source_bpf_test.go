//go:build linux

package conntrack

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/conn"
)

func TestEncode(t *testing.T) {
	sent := tuple("10.0.0.1:40000", "[fd00::2]:53")
	got := encode(&zoneLookup{netns: &netns{id: 7}, zone: 5, protocol: UDP, tuple: sent})
	want := conntrackLookup{
		Source:          netip.MustParseAddr("::ffff:10.0.0.1").As16(),
		Destination:     netip.MustParseAddr("fd00::2").As16(),
		SourcePort:      40000,
		DestinationPort: 53,
		Netns:           7,
		Zone:            5,
		Protocol:        UDP,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// The kernel answers with the tuple of the other direction.
func TestDecode(t *testing.T) {
	other := func(a conn.Tuple) conntrackLookup {
		return conntrackLookup{
			OtherSource: a.Source.Addr().As16(), OtherSourcePort: a.Source.Port(),
			OtherDestination: a.Destination.Addr().As16(), OtherDestinationPort: a.Destination.Port(),
		}
	}
	reply := other(dnatSent)
	reply.Direction, reply.TcpState = 1, uint8(FinWait)
	for name, c := range map[string]struct {
		slot conntrackLookup
		want Answer
	}{
		"original direction": {other(dnatOut.Reverse()), Answer{Tuple: dnatOut}},
		"IPv6":               {other(redirectOut.Reverse()), Answer{Tuple: redirectOut}},
		"reply direction":    {reply, Answer{Tuple: dnatSent.Reverse(), Reply: true, State: FinWait}},
		"no entry":           {conntrackLookup{Error: -int32(unix.ENOENT)}, Answer{Result: NoEntry}},
		"no namespace":       {conntrackLookup{Error: -int32(unix.ENONET)}, Answer{Result: NoNamespace}},
		"another error":      {conntrackLookup{Error: -int32(unix.EINVAL)}, Answer{Result: Failed}},
	} {
		t.Run(name, func(t *testing.T) { wantEqual(t, "answer", decode(&c.slot), c.want) })
	}
}
