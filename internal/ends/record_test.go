package ends

import (
	"net/netip"
	"reflect"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

// distinct sets each number, flag and text below v to a value of its own.
func distinct(t *testing.T, v reflect.Value, next *uint64) {
	t.Helper()
	*next++
	if v.Type() == reflect.TypeFor[netip.AddrPort]() {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(*next)})
		v.Set(reflect.ValueOf(netip.AddrPortFrom(a, uint16(1000+*next))))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			distinct(t, v.Field(i), next)
		}
	case reflect.Uint8:
		v.SetUint(1) // enumerations are small
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(*next)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(v.Type().String() + string(rune('a'+*next%26)))
	case reflect.Pointer: // of UDP, which has no record
	default:
		t.Fatalf("a %v has no value for this test", v.Type())
	}
}

// A record is packed, so its fields are copied one by one. This fails if one of conn.End is forgotten.
func TestRecordKeepsAWholeEnd(t *testing.T) {
	var want conn.End
	distinct(t, reflect.ValueOf(&want).Elem(), new(uint64))
	c := conn.Conn{Socket: want.Socket, Process: conn.Process{PID: want.Process}, Owner: want.Owner}
	var r record
	r.set(&c, new(owners))
	if diff := cmp.Diff(want, r.end(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want.Owner = conn.Owner{}
	if diff := cmp.Diff(want, r.socket(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("without its owner (-want +got):\n%s", diff)
	}
}

// The other end is reported whole, after later reports too.
func TestViewHasAWholeEnd(t *testing.T) {
	client, server := ends(100)
	server.Namespace.Cookie, server.Process.PID, server.SeenOpening, server.Transparent = 77, 4711, true, true
	x := newIndex()
	add(x, client, start)
	add(x, server, start)
	want(t, x, client, &server)
	server.Owner.Executable, server.Phase, server.Error = "nginx", conn.Closed, conn.Reset
	add(x, server, start)
	want(t, x, client, &server)
}

func TestTupleIsPacked(t *testing.T) {
	for _, text := range []string{"10.0.0.1:1", "[2001:db8::1]:65535", "0.0.0.0:0", "[fe80::1]:80"} {
		a := netip.MustParseAddrPort(text)
		for _, want := range []conn.Tuple{
			{Source: a, Destination: netip.MustParseAddrPort("192.0.2.1:80")},
			{Source: netip.MustParseAddrPort("192.0.2.1:80"), Destination: a},
		} {
			packed := packTuple(want)
			if got := packed.tuple(); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		}
	}
}

// A record fits into the allocator's class of 112 bytes: the next one has 128, for each of a hundred thousand sockets.
func TestRecordIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(record{}); size > 112 {
		t.Errorf("a record has %d bytes, want 112 at most", size)
	}
}

// Owners that fall into one slot do not get each other's handle.
func TestOwnersShareSlots(t *testing.T) {
	var known owners
	for range 2 {
		for _, name := range []string{"app", "aap", "envoy", "", "aqp"} {
			want := conn.Owner{Executable: name}
			if got := known.handle(want).Value(); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
	}
}
