package snap

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// filled returns figures with a different value in each field, so that a field that is forgotten shows.
func filled(t *testing.T, times uint64) Figures {
	t.Helper()
	var f Figures
	v := reflect.ValueOf(&f).Elem()
	for i := range v.NumField() {
		n := times * uint64(i+1)
		switch field := v.Field(i); field.Kind() {
		case reflect.Uint64:
			field.SetUint(n)
		case reflect.Float64:
			field.SetFloat(float64(n))
		default:
			f.Outcomes = []Outcome{{Kind: 3, N: n}}
		}
	}
	return f
}

func TestAddTakesEveryField(t *testing.T) {
	sum, one := filled(t, 1), filled(t, 10)
	sum.Add(&one)
	want := filled(t, 11)
	want.RTTMax = one.RTTMax // the higher one
	if diff := cmp.Diff(want, sum); diff != "" {
		t.Errorf("sum (-want +got):\n%s", diff)
	}
	low := filled(t, 1)
	one.Add(&low)
	if one.RTTMax != want.RTTMax {
		t.Errorf("slowest round trip %v, want %v", one.RTTMax, want.RTTMax)
	}
}

// That a name does not exist is an answer, and every other error is a fault.
func TestFault(t *testing.T) {
	for kind, want := range map[Kind]bool{
		{Of: Attempts}:                     false,
		{Of: Attempts, Error: "refused"}:   true,
		{Of: Closed}:                       false,
		{Of: Closed, Error: "reset"}:       true,
		{Of: Lookups}:                      false,
		{Of: Lookups, Error: "NXDOMAIN"}:   false,
		{Of: Lookups, Error: "SERVFAIL"}:   true,
		{Of: Lookups, Error: NoResponse}:   true,
		{Of: Attempts, Error: "NXDOMAIN"}:  true,
		{Of: Lookups, Error: "not a code"}: true,
	} {
		if got := kind.Fault(); got != want {
			t.Errorf("%+v: %v, want %v", kind, got, want)
		}
	}
}

// Outcomes of another kind are kept apart, and the other edge's list stays as it is.
func TestAddKeepsKindsApart(t *testing.T) {
	a := Figures{Outcomes: []Outcome{{1, 5}}}
	b := Figures{Outcomes: []Outcome{{2, 7}, {1, 1}}}
	a.Add(&b)
	a.Count(2, 3)
	if diff := cmp.Diff([]Outcome{{1, 6}, {2, 10}}, a.Outcomes); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Outcome{{2, 7}, {1, 1}}, b.Outcomes); diff != "" {
		t.Errorf("outcomes of the other edge (-want +got):\n%s", diff)
	}
}

// Whatever was counted, an edge is not idle. Sums of times without a sample are nothing.
func TestIdle(t *testing.T) {
	if !(&Figures{}).Idle() || !(&Figures{RTTSum: 1, HandshakeSum: 1, RTTMax: 1}).Idle() {
		t.Error("figures without a count are not idle")
	}
	all := filled(t, 1)
	v := reflect.ValueOf(all)
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.Float64 {
			continue
		}
		var one Figures
		reflect.ValueOf(&one).Elem().Field(i).Set(v.Field(i))
		if one.Idle() {
			t.Errorf("an edge with %s is idle", v.Type().Field(i).Name)
		}
	}
}

var spans = Spans{{Step: 10, Length: 300}, {Step: 60, Length: 3600}}

func TestRange(t *testing.T) {
	const now = 1_800_000_004
	for name, tt := range map[string]struct {
		window, end int64
		want        Range
	}{
		"now":                            {300, 0, Range{1_799_999_710, 1_800_000_010, 10}},
		"an end in the future is now":    {300, now + 1000, Range{1_799_999_710, 1_800_000_010, 10}},
		"an end before time is now":      {300, -1, Range{1_799_999_710, 1_800_000_010, 10}},
		"a window is rounded up":         {11, 0, Range{1_799_999_990, 1_800_000_010, 10}},
		"one step":                       {10, 0, Range{1_800_000_000, 1_800_000_010, 10}},
		"longer than the short steps":    {301, 0, Range{1_799_999_700, 1_800_000_060, 60}},
		"an hour":                        {3600, 0, Range{1_799_996_460, 1_800_000_060, 60}},
		"a short window a while ago":     {60, now - 200, Range{1_799_999_750, 1_799_999_810, 10}},
		"beyond the short steps":         {60, now - 300, Range{1_799_999_700, 1_799_999_760, 60}},
		"the last that fits short steps": {60, now - 240, Range{1_799_999_710, 1_799_999_770, 10}},
		"the first that does not fit":    {60, now - 245, Range{1_799_999_760 - 60 + 0, 1_799_999_760, 60}},
		"an end at the border of a step": {60, now - 4, Range{1_799_999_950, 1_800_000_010, 10}},
		"an end before the border":       {60, now - 5, Range{1_799_999_940, 1_800_000_000, 10}},
	} {
		got := spans.Range(now, tt.window, tt.end)
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
		if got.From%got.Step != 0 || got.To%got.Step != 0 || got.To-got.From < tt.window {
			t.Errorf("%s: %+v is not whole steps of at least %d s", name, got, tt.window)
		}
	}
}

func TestSteps(t *testing.T) {
	r := Range{From: 1000, To: 1300, Step: 10}
	if r.Len() != 30 {
		t.Errorf("%d steps, want 30", r.Len())
	}
	for at, want := range map[int64]int{1000: 0, 1010: 1, 1015: 1, 1290: 29} {
		if got := r.Index(at); got != want {
			t.Errorf("the step of %d is %d, want %d", at, got, want)
		}
	}
	if got := spans.Longest(); got != 3600 {
		t.Errorf("figures reach back %d s, want 3600", got)
	}
}

// Every reason counts.
func TestAnyDropped(t *testing.T) {
	if (&Dropped{}).Any() {
		t.Error("nothing was dropped")
	}
	for i := range reflect.TypeFor[Dropped]().NumField() {
		var d Dropped
		reflect.ValueOf(&d).Elem().Field(i).SetUint(1)
		if !d.Any() {
			t.Errorf("a point dropped as %s is not counted", reflect.TypeFor[Dropped]().Field(i).Name)
		}
		for j := range i { // two reasons do not cancel each other out
			reflect.ValueOf(&d).Elem().Field(j).SetUint(1)
			if !d.Any() {
				t.Errorf("points dropped for two reasons are not counted: %+v", d)
			}
			reflect.ValueOf(&d).Elem().Field(j).SetUint(0)
		}
	}
}

// Whatever window is asked for: whole steps, at least the window, up to the end, in steps that reach back far enough.
func TestEveryRange(t *testing.T) {
	for _, now := range []int64{1_800_000_000, 1_800_000_001, 1_800_000_009, 1_800_000_059} {
		for window := int64(10); window <= 3600; window += 7 {
			for _, ago := range []int64{0, 1, 59, 290, 300, 1799} {
				end := now - ago
				r := spans.Range(now, window, end)
				switch {
				case r.From%r.Step != 0 || r.To%r.Step != 0 || r.Len() < 1:
					t.Fatalf("%d s up to %d: %+v is not whole steps", window, end, r)
				case r.To <= end || r.To > end+r.Step:
					t.Fatalf("%d s up to %d: %+v ends elsewhere", window, end, r)
				case r.To-r.From < window || r.To-r.From >= window+r.Step:
					t.Fatalf("%d s up to %d: %+v is as long as it should not be", window, end, r)
				case r.Step == 10 && r.From <= now-300, r.Step == 10 && window > 300:
					t.Fatalf("%d s up to %d: %+v is older than its steps are held", window, end, r)
				case r.Index(r.From) != 0 || r.Index(r.To-1) != r.Len()-1:
					t.Fatalf("%+v: the last step is %d of %d", r, r.Index(r.To-1), r.Len())
				}
			}
		}
	}
}

// A source with one length of steps has them for every window.
func TestOneSpan(t *testing.T) {
	one := Spans{{Step: 60, Length: 3600}}
	if got := one.Range(1_800_000_000, 10, 0); got != (Range{1_800_000_000, 1_800_000_060, 60}) {
		t.Errorf("%+v", got)
	}
}

// In which order edges are added does not matter, except for the order of their outcomes.
func TestTheOrderOfAddingDoesNotMatter(t *testing.T) {
	a, b := filled(t, 3), filled(t, 5)
	b.RTTMax = 1
	ab, ba := filled(t, 0), filled(t, 0)
	ab.Add(&a)
	ab.Add(&b)
	ba.Add(&b)
	ba.Add(&a)
	if diff := cmp.Diff(ab, ba); diff != "" {
		t.Errorf("a+b (-) and b+a (+):\n%s", diff)
	}
}

// The slowest round trip of edges is that of one of them, in whatever order they are added; one without a sample has
// none.
func TestTheSlowestRoundTrip(t *testing.T) {
	for name, edges := range map[string][]Figures{
		"rising":           {{RTTs: 1, RTTSum: 0.1, RTTMax: 0.1}, {RTTs: 1, RTTSum: 0.4, RTTMax: 0.4}},
		"falling":          {{RTTs: 1, RTTSum: 0.4, RTTMax: 0.4}, {RTTs: 1, RTTSum: 0.1, RTTMax: 0.1}},
		"nothing at first": {{}, {RTTs: 2, RTTSum: 0.5, RTTMax: 0.4}},
		"nothing at last":  {{RTTs: 2, RTTSum: 0.5, RTTMax: 0.4}, {}},
	} {
		var sum Figures
		for i := range edges {
			sum.Add(&edges[i])
		}
		if sum.RTTMax != 0.4 || sum.RTTs != 2 || sum.RTTSum != 0.5 {
			t.Errorf("%s: %+v", name, sum)
		}
	}
}

// An edge that has no outcomes gets those of the other in their order, in a list of its own.
func TestAddCopiesOutcomes(t *testing.T) {
	var sum Figures
	one := Figures{Outcomes: []Outcome{{2, 7}, {1, 1}}}
	sum.Add(&one)
	sum.Count(2, 1)
	if diff := cmp.Diff([]Outcome{{2, 8}, {1, 1}}, sum.Outcomes); diff != "" || one.Outcomes[0].N != 7 {
		t.Errorf("outcomes (-want +got):\n%s, of the other edge: %v", diff, one.Outcomes)
	}
}

// Every second of a range is in the step that its index says.
func TestIndexOfEverySecond(t *testing.T) {
	r := Range{From: 120, To: 300, Step: 60}
	for at := r.From; at < r.To; at++ {
		i := r.Index(at)
		if begins := r.From + int64(i)*r.Step; i < 0 || i >= r.Len() || at < begins || at >= begins+r.Step {
			t.Errorf("%d is in step %d of %d", at, i, r.Len())
		}
	}
}
