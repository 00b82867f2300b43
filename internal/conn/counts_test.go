package conn

import (
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// only returns counts with one value.
func only(c Counter, v uint64) (a Counts) {
	a[c] = v
	return a
}

func TestEveryCounterHasARow(t *testing.T) {
	seen := map[string]Counter{}
	for c := range Counters {
		if c.String() == "" || c.Unit() == "" {
			t.Errorf("counter %d is %q in %q", c, c, c.Unit())
		}
		if other, twice := seen[c.String()]; twice {
			t.Errorf("counters %d and %d are both %q", other, c, c)
		}
		seen[c.String()] = c
	}
}

// inWidth returns what is left of a value in the width of its counter.
func inWidth(c Counter, v uint64) uint64 {
	switch {
	case c >= firstShort:
		return min(v, math.MaxUint16)
	case c >= WideCounters:
		return uint64(uint32(v))
	default:
		return v
	}
}

// since returns how much totals have grown.
func since(earlier, now Counts) Counts {
	then, totals := earlier.Totals(), now.Totals()
	return totals.Since(&then)
}

// raised returns what is known after two reports.
func raised(earlier, now Counts) Counts {
	then := earlier.Totals()
	now.Raise(&then)
	return now
}

// Totals keep every counter, up to the width that the kernel has.
func TestTotalsKeepEveryCounter(t *testing.T) {
	for c := range Counters {
		for _, n := range []uint64{1, 1<<32 - 1, 1 << 40} {
			want := only(c, inWidth(c, n))
			totals := want.Totals()
			if got := totals.Counts(); got != want {
				t.Errorf("%s: got %v, want %d", c, got, n)
			}
		}
	}
	if got := unsafe.Sizeof(Totals{}); got > 72 {
		t.Errorf("totals take %d bytes, want 72", got)
	}
}

// Each counter by itself: a loop that leaves one out fails.
func TestCountsOfEachCounter(t *testing.T) {
	for c := range Counters {
		if got, want := only(c, 5).Add(only(c, 7)), only(c, 12); got != want {
			t.Errorf("%s: 5 and 7 are %v", c, got)
		}
		if got, want := only(c, 12).Sub(only(c, 7)), only(c, 5); got != want {
			t.Errorf("%s: 12 without 7 is %v", c, got)
		}
		if got, want := since(only(c, 7), only(c, 12)), only(c, 5); got != want {
			t.Errorf("%s: from 7 to 12 it grew by %v", c, got)
		}
		if got, want := raised(only(c, 5), only(c, 7)), only(c, 7); got != want {
			t.Errorf("%s: 5 and then 7 is %v", c, got)
		}
		if got, want := raised(only(c, 7), only(c, 5)), only(c, 7); got != want {
			t.Errorf("%s: 7 and then 5 is %v", c, got)
		}
	}
}

func TestSinceAndRaise(t *testing.T) {
	const full = math.MaxUint32
	for name, tt := range map[string]struct {
		c                   Counter
		from, to            uint64
		wantGrowth, wantMax uint64
	}{
		"nothing new":                {Sent, 9, 9, 0, 9},
		"a wide counter goes back":   {Sent, 9, 8, 0, 9},
		"a wide counter has no wrap": {Received, full, full + 2, 2, full + 2},
		"a narrow counter wraps":     {Retransmits, full, 1, 2, 1},
		"a narrow counter goes back": {Retransmits, 9, 8, 0, 9},
		"back over its wrap":         {SegmentsSent, 1, full, 0, 1},
		"half of the range":          {CE, 0, 1 << 31, 1 << 31, 1 << 31},
		"farther":                    {CE, 0, 1<<31 + 1, 0, 0},
		"a short counter":            {Timeouts, 1, 1<<16 - 1, 1<<16 - 2, 1<<16 - 1},
		"a short counter goes back":  {Recoveries, 9, 8, 0, 9},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := only(tt.c, tt.from), only(tt.c, tt.to)
			if got := since(from, to); got != only(tt.c, tt.wantGrowth) {
				t.Errorf("grew by %v, want %d", got, tt.wantGrowth)
			}
			if got := raised(from, to); got != only(tt.c, tt.wantMax) {
				t.Errorf("the later is %v, want %d", got, tt.wantMax)
			}
		})
	}
}

// Sums over connections pass the width of a counter, and what was added can be taken away again.
func TestSumsDoNotWrap(t *testing.T) {
	sum := only(SegmentsSent, math.MaxUint32).Add(only(SegmentsSent, 10))
	if got := sum[SegmentsSent]; got != math.MaxUint32+10 {
		t.Errorf("the sum is %d", got)
	}
	if got := sum.Sub(only(SegmentsSent, 10)); got != only(SegmentsSent, math.MaxUint32) {
		t.Errorf("without 10 it is %v", got)
	}
}

// Whatever the order of reports, and wherever the narrow counters wrap: what is credited adds up to what was counted.
func TestGrowthAddsUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var counted, credited, total Counts
		for c := range counted {
			counted[c] = inWidth(Counter(c), random.Uint64())
			if Counter(c) >= firstShort {
				counted[c] /= 2
			}
		}
		credited = counted
		for range 20 {
			var more Counts
			for c := range more {
				more[c] = random.Uint64N(1 << 30)
				if Counter(c) >= firstShort {
					more[c] %= 1 << 10
				}
				counted[c] = inWidth(Counter(c), counted[c]+more[c])
			}
			total = total.Add(more)
			latest := raised(credited, counted)
			if stale := raised(latest, credited); stale != latest {
				t.Fatalf("an older report changed %v to %v", latest, stale)
			}
			total = total.Sub(since(credited, latest))
			credited = latest
		}
		if total != (Counts{}) {
			t.Fatalf("%v was not credited", total)
		}
	}
}

func TestLossesSince(t *testing.T) {
	for k := range LossKinds {
		var earlier, now Losses
		earlier[k], now[k] = 7, 12
		if got := now.Since(earlier); got[k] != 5 {
			t.Errorf("%s: from 7 to 12 it grew by %d", k, got[k])
		}
		if got := earlier.Since(now); got != (Losses{}) {
			t.Errorf("%s: from 12 to 7 it grew by %v", k, got)
		}
		for other := range k {
			if other.String() == k.String() {
				t.Errorf("losses %d and %d are both %q", other, k, k)
			}
		}
	}
}

// What a connection has counted passes through Totals whole, so that the difference of two reports does too.
func TestDifferenceOfTwoReports(t *testing.T) {
	first := Counts{
		Sent: 1 << 40, Received: 3, Busy: 180, LimitedByReceiver: 190, SegmentsSent: math.MaxUint32, Timeouts: 65_000,
	}
	second := first.Add(Counts{Sent: 5, LimitedByBuffer: 8, Retransmits: 2, Recoveries: 1})
	second[SegmentsSent], second[Timeouts] = 1, 70_000 // one wraps, one stops at the highest value
	want := Counts{Sent: 5, LimitedByBuffer: 8, SegmentsSent: 2, Retransmits: 2, Timeouts: 535, Recoveries: 1}
	if got := since(first, second); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := since(second, second); got != (Counts{}) {
		t.Errorf("a report that repeats the last one: %v", got)
	}
}

// Sums of connections do not wrap, and a difference of sums is what was added.
func TestSubtract(t *testing.T) {
	for c := range Counters {
		sum := only(c, math.MaxUint32).Add(only(c, 7))
		if got := sum.Sub(only(c, math.MaxUint32)); got != only(c, 7) {
			t.Errorf("%v: %v", c, got)
		}
	}
}
