//go:build linux

package conntrack

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// An address of a point-to-point link has that of the other end beside it.
func TestParseIfAddr(t *testing.T) {
	for name, want := range map[string]string{
		"loopback-ipv4": "127.0.0.1", "ipv4": "10.78.1.1", "point-to-point": "10.79.0.1",
		"loopback-ipv6": "::1", "ipv6": "fd00::1", "link-local": "fe80::d85a:9eff:fe43:475c",
	} {
		if got, _ := parseIfAddr(recorded(t, "rtnetlink/address/"+name)); got.String() != want {
			t.Errorf("%s: %v, want %s", name, got, want)
		}
	}
	if _, index := parseIfAddr(recorded(t, "rtnetlink/address/ipv4")); index != 2 {
		t.Errorf("interface %d, want 2", index)
	}
	if got, _ := parseIfAddr(nil); got.IsValid() {
		t.Errorf("an empty message has the address %v", got)
	}
	if got, _ := parseIfAddr(make([]byte, unix.SizeofIfAddrmsg)); got.IsValid() {
		t.Errorf("a message without attributes has the address %v", got)
	}
}

func TestRoutes(t *testing.T) {
	for name, to := range map[string]string{"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"} {
		request := appendRouteRequest(netip.Addr{}, netip.MustParseAddr(to))
		wantEqual(t, "request of "+name, request, recorded(t, "rtnetlink/route-request/"+name))
		if got := parseRoute(recorded(t, "rtnetlink/route/"+name)); got != 2 {
			t.Errorf("%s: interface %d, want 2", name, got)
		}
	}
	for _, message := range [][]byte{nil, make([]byte, unix.SizeofRtMsg), recorded(t, "rtnetlink/route/ipv4")[:30]} {
		if got := parseRoute(message); got != 0 {
			t.Errorf("%d bytes: interface %d, want none", len(message), got)
		}
	}
}

// The kernel answers at once. An answer that was not read in time, on a machine with too much to do, is asked for again.
func TestAnswerThatIsNotReadInTime(t *testing.T) {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := request(c, unix.NLMSG_NOOP, 0, nil); !errors.Is(err, ErrTooEarly) { // the kernel does not answer it
		t.Errorf("%v, want %v", err, ErrTooEarly)
	}
}

func TestNoRoute(t *testing.T) {
	for err, want := range map[error]bool{
		unix.ENETUNREACH: true, unix.EHOSTUNREACH: true, unix.EACCES: true, unix.EINVAL: true,
		unix.EPERM: false, unix.ENOBUFS: false, errors.New("another"): false, nil: false,
	} {
		wrapped := err
		if err != nil {
			wrapped = fmt.Errorf("receive: %w", err)
		}
		if got := noRoute(wrapped); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}

// A veth has the id of the namespace that its other end is in; 0 is an id too.
func TestParseLink(t *testing.T) {
	if id, ok := parseLink(recorded(t, "rtnetlink/link/veth")); id != 0 || !ok {
		t.Errorf("veth: id %d, %v; want 0", id, ok)
	}
	if id, ok := parseLink(recorded(t, "rtnetlink/link/loopback")); ok {
		t.Errorf("loopback: id %d, want none", id)
	}
	header := make([]byte, unix.SizeofIfInfomsg)
	if _, ok := parseLink(appendUint32(header, unix.IFLA_LINK_NETNSID, ^uint32(0))); ok {
		t.Error("-1, which means that the namespace has no id, is taken for one")
	}
	if _, ok := parseLink(appendBytes(header, unix.IFLA_LINK_NETNSID, []byte{1})); ok {
		t.Error("a value of one byte is taken for an id")
	}
}

func TestParseNsid(t *testing.T) {
	for name, want := range map[string][2]int32{
		"of-another-namespace": {0, 2}, // the pod knows its node as 0, the home namespace knows it as 2
		"own":                  {1, -1},
	} {
		theirs, ours := parseNsid(recorded(t, "rtnetlink/nsid/"+name))
		wantEqual(t, name, [2]int32{theirs, ours}, want)
	}
	broken := appendBytes(make([]byte, sizeofRtgenmsg), unix.NETNSA_NSID, []byte{1, 2})
	for _, message := range [][]byte{nil, make([]byte, sizeofRtgenmsg), broken} {
		if theirs, ours := parseNsid(message); theirs != -1 || ours != -1 {
			t.Errorf("%d bytes: ids %d and %d, want none", len(message), theirs, ours)
		}
	}
}

func TestBytesOf(t *testing.T) {
	v := unix.IfInfomsg{Index: 7}
	b := bytesOf(&v)
	if len(b) != unix.SizeofIfInfomsg || b[4] != 7 {
		t.Errorf("%v", b)
	}
	b[4] = 8
	if v.Index != 7 {
		t.Error("the bytes are those of the struct itself, not of a copy")
	}
}
