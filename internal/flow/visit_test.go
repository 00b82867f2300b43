package flow

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"
	"unique"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/netconn/netconn/internal/conn"
)

// A field of conn.Conn that a visit forgets is zero in what it returns.
func TestVisitKeepsAllButTheProcess(t *testing.T) {
	var c conn.Conn
	fill(t, reflect.ValueOf(&c).Elem())
	v := visit{of: &connection{owner: unique.Make(c.Owner)}}
	v.keep(&c)
	c.Process = conn.Process{}
	if got := v.conn(); got != c {
		t.Errorf("got %+v, want %+v", got, c)
	}
}

// fill gives every field a value that is not zero.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Interface().(type) {
	case netip.AddrPort:
		v.Set(reflect.ValueOf(netip.MustParseAddrPort("192.0.2.1:80")))
		return
	case time.Time:
		v.Set(reflect.ValueOf(at(1)))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Int64:
		v.SetInt(7)
	default:
		t.Fatalf("no value for a %s", v.Type())
	}
}

// Whatever is taken out, each connection that is left knows where its visit is.
func TestVisitsKeepTheirPlaces(t *testing.T) {
	var l visits
	random := rand.New(rand.NewPCG(1, 2))
	left := map[*connection]bool{}
	for range 10_000 {
		if n := int32(l.n); n > 0 && random.IntN(5) < 2 {
			v := l.at(random.Int32N(n))
			delete(left, v.of)
			l.remove(v.of.visit)
			continue
		}
		k := &connection{visit: int32(l.n)}
		l.add().of = k
		left[k] = true
	}
	if l.n != len(left) {
		t.Fatalf("%d visits of %d connections", l.n, len(left))
	}
	for k := range left {
		if l.at(k.visit).of != k {
			t.Fatalf("at %d is another one's", k.visit)
		}
	}
	for l.n > 0 {
		l.remove(0)
	}
	for _, piece := range l.pieces {
		if *piece != ([pieceSize]visit{}) {
			t.Fatal("something is held that was taken out")
		}
	}
}

func TestSettleCreditsWhatHasEnded(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Apply(sent(ended(dial(1, 80), conn.NoError), 10, 0), at(1))
	table.Apply(sent(dial(2, 80), 5, 0), at(1)) // lives
	table.Settle(at(1), func(conn.Conn) (Key, bool) {
		t.Error("asked before the reading after the end")
		return Key{}, true
	})
	table.Settle(at(1.1), byPort)
	if n := len(table.ended) + len(table.due) + len(table.waiting); table.visits.n != 1 || n != 0 {
		t.Errorf("%d visits and %d ends; want the visit of the one that lives", table.visits.n, n)
	}
	if n := len(table.connections); n != 1 {
		t.Errorf("%d connections are kept, want the one that lives", n)
	}
	expect(t, "both", table.Collect(at(10), byPort), flows(shop, Flow{
		Key:         toPort(shop, 80),
		Start:       at(0),
		Connections: true,
		Counts:      conn.Counts{conn.Sent: 15},
		Outcomes:    OutcomeCounts{Attempts: [conn.Errors]uint64{conn.NoError: 2}, Ends: outcomes(conn.NoError)},
		Active:      1,
	}))
	want := Stats{Resources: 1, Flows: 1, Connections: 1}
	if diff := cmp.Diff(want, table.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// A connection without a settled identity waits for two seconds after its end, and is not looked up meanwhile.
func TestSettleWaits(t *testing.T) {
	table := newTable(Config{}, at(0))
	asked := 0
	unsure := func(c conn.Conn) (Key, bool) {
		asked++
		return guess("db", false)(c)
	}
	table.Apply(ended(dial(1, 80), conn.NoError), at(1))
	table.Settle(at(1), unsure)
	table.Apply(ended(dial(2, 81), conn.NoError), at(2))
	table.Settle(at(2), unsure)
	for _, step := range []struct {
		second       float64
		asked, waits int
	}{{2.1, 2, 2}, {2.9, 2, 2}, {3, 3, 1}, {3.9, 3, 1}, {4, 4, 0}, {9, 4, 0}} {
		table.Settle(at(step.second), unsure)
		if asked != step.asked || len(table.waiting) != step.waits || table.visits.n != step.waits {
			t.Errorf("at %v s: asked %d times, %d wait, %d visits; want %+v",
				step.second, asked, len(table.waiting), table.visits.n, step)
		}
	}
	if got := table.Collect(at(10), unsure); len(got) != 1 || len(got[0].Flows) != 2 {
		t.Errorf("got %+v, want both flows", got)
	}
}

// A collection between two readings takes what waits, and is not repeated.
func TestSettleAfterACollection(t *testing.T) {
	table := newTable(Config{}, at(0))
	table.Apply(ended(dial(1, 80), conn.NoError), at(1))
	table.Settle(at(1), guess("db", false))
	table.Settle(at(1.1), guess("db", false))
	table.Apply(ended(dial(2, 80), conn.NoError), at(4))
	want := flows(shop, Flow{
		Key:         toPort(shop, 80),
		Start:       at(0),
		Connections: true,
		Outcomes: OutcomeCounts{
			Attempts: [conn.Errors]uint64{conn.NoError: 2}, Ends: [conn.Errors]uint64{conn.NoError: 2},
		},
	})
	expect(t, "by the collection", table.Collect(at(5), byPort), want)
	table.Settle(at(8), byPort)
	table.Settle(at(9), byPort)
	expect(t, "once", table.Collect(at(15), byPort), want)
	if n := len(table.ended) + len(table.due) + len(table.waiting); n != 0 {
		t.Errorf("%d ends are kept", n)
	}
}

// What is kept of each connection decides how many fit. These are the sizes; a larger one must be worth it.
func TestSizes(t *testing.T) {
	if got := unsafe.Sizeof(connection{}); got > 120 {
		t.Errorf("a connection takes %d bytes, want 120", got)
	}
	if got := unsafe.Sizeof(visit{}); got > 272 {
		t.Errorf("a visit takes %d bytes, want 272", got)
	}
}
