package store

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestColumn(t *testing.T) {
	var c column[uint16]
	if c.get(5) != 0 || c.take(5) != 0 || len(c.cells) != 0 {
		t.Error("an empty column has cells")
	}
	for _, v := range []uint64{1, math.MaxUint16 - 1, math.MaxUint16, math.MaxUint16 + 1, 1 << 40, 3, 0} {
		c.set(7, v)
		if got := c.get(7); got != v {
			t.Errorf("%d is read as %d", v, got)
		}
		if _, big := c.big[7]; big != (v >= math.MaxUint16) {
			t.Errorf("%d is beside the column: %v", v, big)
		}
	}
	c.add(7, math.MaxUint16-1)
	c.add(7, 2)
	c.add(3, 9)
	c.add(2000, 1)
	got := map[int]uint64{}
	c.each(func(slot int, v uint64) { got[slot] = v })
	if diff := cmp.Diff(map[int]uint64{3: 9, 7: math.MaxUint16 + 1, 2000: 1}, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if got := c.take(7); got != math.MaxUint16+1 || c.get(7) != 0 || len(c.big) != 0 {
		t.Errorf("took %d, and %d is left", got, c.get(7))
	}
	c.clear()
	c.each(func(slot int, v uint64) { t.Errorf("slot %d has %d after all was cleared", slot, v) })
}

func TestSumsDoNotWrapAround(t *testing.T) {
	for _, tt := range [][3]uint64{
		{1, 2, 3}, {math.MaxUint64, 1, math.MaxUint64}, {math.MaxUint64 - 1, 1, math.MaxUint64}, {1, math.MaxUint64, math.MaxUint64},
	} {
		if got := sum(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%d + %d = %d, want %d", tt[0], tt[1], got, tt[2])
		}
	}
	var cells []half
	addTime(&cells, 3, 0)
	if len(cells) != 0 {
		t.Error("no time takes memory")
	}
	addTime(&cells, 3, 1000)
	addTime(&cells, 3, 500)
	if cells[3].ticks() != 1500 || cells[3].seconds() != 0.00015 {
		t.Errorf("%d ticks, %v s, want 1500 and 0.00015", cells[3].ticks(), cells[3].seconds())
	}
}

// Rounding up may take a bit more.
func TestHalfRoundsToTheNearest(t *testing.T) {
	for ticks, want := range map[uint64]uint64{
		4095: 4095, 4096: 4096, 4097: 4098, 8191: 8192, 8192: 8192, 8194: 8196, 8193: 8192,
		1<<40 - 1: 1 << 40, math.MaxUint64: uint64(4095) << 30,
	} {
		if got := newHalf(ticks).ticks(); got != want {
			t.Errorf("%d ticks are held as %d, want %d", ticks, got, want)
		}
	}
	for last, ticks := half(0), uint64(1); ticks < 1<<43; ticks += ticks/3 + 1 {
		h := newHalf(ticks)
		if h < last {
			t.Fatalf("%d ticks are held as less than fewer ticks", ticks)
		}
		last = h
	}
}

func TestBoundsOfHistograms(t *testing.T) {
	var b bounds
	for i := range 255 {
		if got := b.code(float64(i * 10)); got != uint8(i+1) || b.value(got) != float64(i*10) {
			t.Fatalf("bound %d has the code %d", i*10, got)
		}
	}
	if b.code(70) != 8 || b.value(0) != 0 {
		t.Errorf("a bound that is known has the code %d", b.code(70))
	}
	for bound, want := range map[float64]float64{71: 80, 79.9: 80, -5: 0, 2539: 2540, 2541: 2540, 1e9: 2540} {
		if got := b.value(b.code(bound)); got != want {
			t.Errorf("beyond the limit, bound %v is %v, want %v", bound, got, want)
		}
	}
}

func TestRaise(t *testing.T) {
	var b bucket
	var bs bounds
	slow, fast := bs.code(1), bs.code(0.1)
	b.raise(4, 0, &bs)
	if len(b.rttMax) != 0 {
		t.Error("no bound takes memory")
	}
	for _, step := range []struct {
		code uint8
		want float64
	}{{fast, 0.1}, {slow, 1}, {fast, 1}} {
		b.raise(4, step.code, &bs)
		if got := bs.value(b.rttMax[4]); got != step.want {
			t.Errorf("after %v the slowest is %v, want %v", bs.value(step.code), got, step.want)
		}
	}
}

// Outcomes of one slot and kind are merged before more memory is taken, and stay the same in number.
func TestOutcomesAreMerged(t *testing.T) {
	var b bucket
	want := map[uint32]uint64{}
	for i := range 20 * chunk {
		slot, kind := uint32(i%3), uint8(i%2)
		b.count(slot, kind, kind, 2, math.MaxInt)
		want[slot<<8|uint32(kind)] += 2
	}
	if len(b.outcomes) > 2*chunk {
		t.Errorf("%d outcomes of 6 sorts", len(b.outcomes))
	}
	got := map[uint32]uint64{}
	for _, o := range b.outcomes {
		got[o.slot()<<8|uint32(o.kind())] += uint64(o.n)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	b.compact()
	if len(b.outcomes) != 6 {
		t.Errorf("%d outcomes, want 6", len(b.outcomes))
	}
	b.outcomes = []outcome{newOutcome(1, 1, math.MaxUint32), newOutcome(1, 1, 5), newOutcome(1, 2, math.MaxUint64)}
	b.compact()
	if len(b.outcomes) != 2 || b.outcomes[0].n != math.MaxUint32 || b.outcomes[1].n != math.MaxUint32 {
		t.Errorf("large numbers are merged to %v", b.outcomes)
	}
}

// fill gives a slot a figure in every column, each another one.
func fill(b *bucket, slot uint32, times uint64, bs *bounds) {
	for i, c := range b.wide() {
		c.set(slot, times*uint64(i+1))
	}
	for i, c := range b.narrow() {
		c.set(slot, times*uint64(i+10))
	}
	for i, c := range b.sums() {
		addTime(c, slot, times*100<<i)
	}
	b.raise(slot, bs.code(float64(times)), bs)
	b.count(slot, 3, 3, times, math.MaxInt)
}

// figuresOf reads all that a slot has.
func figuresOf(b *bucket, slot uint32, bs *bounds) []float64 {
	var all []float64
	for _, c := range b.wide() {
		all = append(all, float64(c.get(slot)))
	}
	for _, c := range b.narrow() {
		all = append(all, float64(c.get(slot)))
	}
	for _, c := range b.sums() {
		all = append(all, float64((*c)[slot].ticks()))
	}
	all = append(all, bs.value(b.rttMax[slot]))
	n := 0.0
	for _, o := range b.outcomes {
		if o.slot() == slot {
			n += float64(o.n)
		}
	}
	return append(all, n)
}

func TestMoveTakesAllFigures(t *testing.T) {
	var bs bounds
	b := bucket{at: 10}
	fill(&b, 5, 1, &bs)
	fill(&b, 6, 10, &bs)
	fill(&b, 2, 100, &bs)
	b.move(map[uint32]uint32{5: 2, 6: 1, 4000: 1}, &bs)
	want := []float64{101, 202, 1010, 1111, 1212, 1313, 1414, 1514, 1616, 1717, 10100, 20200, 40400, 100, 101} // active is one more than open
	if diff := cmp.Diff(want, figuresOf(&b, 2, &bs)); diff != "" {
		t.Errorf("added to what was there (-want +got):\n%s", diff)
	}
	want = []float64{10, 20, 100, 110, 120, 130, 140, 150, 160, 170, 1000, 2000, 4000, 10, 10}
	if diff := cmp.Diff(want, figuresOf(&b, 1, &bs)); diff != "" {
		t.Errorf("to an empty slot (-want +got):\n%s", diff)
	}
	for _, slot := range []uint32{5, 6} {
		if got := figuresOf(&b, slot, &bs); slices.Max(got) != 0 {
			t.Errorf("slot %d still has %v", slot, got)
		}
	}
	unused := bucket{}
	unused.move(map[uint32]uint32{1: 2}, &bs)
	if unused.bytes() != 0 {
		t.Error("a bucket that was never used takes memory")
	}
}

// A bucket that is used again has nothing of what it had.
func TestResetClearsEveryColumn(t *testing.T) {
	var bs bounds
	b := bucket{at: 10}
	fill(&b, 5, 100000, &bs)
	before := b.bytes()
	b.reset(20)
	if got := figuresOf(&b, 5, &bs); b.at != 20 || slices.Max(got) != 0 {
		t.Errorf("at %d: %v", b.at, got)
	}
	if after := b.bytes(); after >= before || after == 0 {
		t.Errorf("%d bytes after %d", after, before)
	}
	// A column that was added and is in neither list would not be reset, moved or counted.
	columns := 0
	for i := range reflect.TypeFor[bucket]().NumField() {
		switch reflect.TypeFor[bucket]().Field(i).Type {
		case reflect.TypeFor[column[uint16]](), reflect.TypeFor[column[uint32]]():
			columns++
		}
	}
	if listed := len(b.wide()) + len(b.narrow()); listed != columns {
		t.Errorf("%d columns, and %d are listed", columns, listed)
	}
}

func TestRing(t *testing.T) {
	r := newRing(10, 3)
	for _, at := range []int64{105, 110, 129} {
		if b := r.at(at); b == nil || b.at != at-at%10 {
			t.Fatalf("the bucket of %d is %v", at, b)
		}
	}
	if r.at(109) != r.at(100) || r.at(99) != nil {
		t.Error("times of one bucket have two, or a time before all has one")
	}
	begins := func(from, to int64) (all []int64) {
		for b := range r.within(from, to) {
			all = append(all, b.at)
		}
		return all
	}
	for _, tt := range []struct {
		from, to int64
		want     []int64
	}{
		{100, 130, []int64{100, 110, 120}}, {101, 130, []int64{110, 120}}, {100, 120, []int64{100, 110}}, {100, 121, []int64{100, 110, 120}},
		{0, 100, nil}, {130, 200, nil}, {110, 110, nil},
	} {
		if diff := cmp.Diff(tt.want, begins(tt.from, tt.to)); diff != "" {
			t.Errorf("within %d and %d (-want +got):\n%s", tt.from, tt.to, diff)
		}
	}
	r.at(130) // takes the place of 100
	if diff := cmp.Diff([]int64{110, 120, 130}, begins(0, 1000)); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
	if r.at(100) != nil {
		t.Error("a bucket that is no longer held came back")
	}
	for range r.within(0, 1000) {
		break // a loop may end early
	}
}

// The number of open connections is kept as one more than it is, and 0 means that it is not known. Two that are moved
// together are still one more, also where one of them has none open.
func TestMoveOfOpenConnections(t *testing.T) {
	for _, tt := range []struct{ from, to, want uint64 }{
		{0, 0, 0}, {1, 0, 1}, {0, 1, 1}, {1, 1, 1}, {1, 4, 4}, {4, 1, 4}, {3, 4, 6},
	} {
		var bs bounds
		b := bucket{at: 10}
		b.active.add(5, tt.from)
		b.active.add(2, tt.to)
		b.move(map[uint32]uint32{5: 2}, &bs)
		if got := b.active.get(2); got != tt.want || b.active.get(5) != 0 {
			t.Errorf("%d moved to %d: %d, and %d stay, want %d", tt.from, tt.to, got, b.active.get(5), tt.want)
		}
	}
}
