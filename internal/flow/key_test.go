package flow

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/netconn/netconn/internal/conn"
)

// raise gives a part of a key the next greater value.
func raise(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Addr().Interface().(type) {
	case *netip.Addr:
		v.Set(reflect.ValueOf(netip.MustParseAddr("192.0.2.1")))
		return
	case *netip.AddrPort:
		v.Set(reflect.ValueOf(netip.MustParseAddrPort("192.0.2.1:1")))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("a")
	case reflect.Uint8, reflect.Uint16:
		v.SetUint(1)
	case reflect.Bool:
		v.SetBool(true)
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

// parts calls f with each part of a key, in turn, raised in a key that is zero but for it.
func parts(t *testing.T, f func(name string, k *Key)) {
	t.Helper()
	var walk func(name string, at func(*Key) reflect.Value)
	walk = func(name string, at func(*Key) reflect.Value) {
		v := at(new(Key))
		switch {
		case v.Kind() == reflect.Struct && v.Type().PkgPath() != "net/netip":
			for i := range v.NumField() {
				walk(name+" "+v.Type().Field(i).Name, func(k *Key) reflect.Value { return at(k).Field(i) })
			}
		case v.Kind() == reflect.Array:
			for i := range v.Len() {
				walk(name, func(k *Key) reflect.Value { return at(k).Index(i) })
			}
		default:
			k := new(Key)
			raise(t, at(k))
			f(name, k)
		}
	}
	walk("key", func(k *Key) reflect.Value { return reflect.ValueOf(k).Elem() })
}

// The order of flows does not depend on the order of a map: keys of one resource that differ are not equal in it.
func TestCompareCoversEveryPart(t *testing.T) {
	n := 0
	parts(t, func(name string, k *Key) {
		if k.Owner != (conn.Owner{}) {
			return // flows of other resources are not compared
		}
		n++
		if more, less := k.compare(&Key{}), (&Key{}).compare(k); more != 1 || less != -1 {
			t.Errorf("%s: raised it is %d, and the other way round %d", name, more, less)
		}
		if same := *k; k.compare(&same) != 0 {
			t.Errorf("%s: a key differs from its copy", name)
		}
	})
	if n < 16+10 {
		t.Errorf("only %d parts", n)
	}
}

func TestCompareOwnersCoversEveryPart(t *testing.T) {
	n := 0
	parts(t, func(name string, k *Key) {
		if k.Owner == (conn.Owner{}) {
			return
		}
		n++
		var none conn.Owner
		if more, less := compareOwners(k.Owner, none), compareOwners(none, k.Owner); more != 1 || less != -1 {
			t.Errorf("%s: raised it is %d, and the other way round %d", name, more, less)
		}
	})
	if want := reflect.TypeFor[conn.Owner]().NumField(); n != want {
		t.Errorf("%d parts of an owner, want %d", n, want)
	}
}

// The role counts more than the port, and the port more than the peer: a reader looks for them in this order.
func TestCompareOrder(t *testing.T) {
	ordered := []Key{
		{},
		{Peer: conn.Peer{"a"}},
		{ServerPort: 1},
		{ServerPort: 1, Peer: conn.Peer{"a"}},
		{Role: conn.RoleClient},
	}
	for i := range ordered[1:] {
		if got := ordered[i].compare(&ordered[i+1]); got != -1 {
			t.Errorf("key %d to the next is %d", i, got)
		}
	}
}
