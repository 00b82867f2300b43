package signals

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// word is an element of a list, as large as its number.
type word int

func (w word) bytes() int { return int(w) }

func byNumber(a, b word) int { return cmp.Compare(a, b) }

// Whatever the order, the list has the greatest, and its growth is what it holds.
func TestInsertKeepsTheGreatest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		all := make([]word, random.IntN(3*kept))
		for i := range all {
			all[i] = word(random.IntN(20))
		}
		var list []word
		bytes := 0
		for _, w := range all {
			grown, in := insert(&list, w, byNumber)
			bytes += grown
			if in && !slices.Contains(list, w) {
				t.Fatalf("%d is reported to be in %v", w, list)
			}
		}
		want := slices.SortedFunc(slices.Values(all), func(a, b word) int { return byNumber(b, a) })
		want = want[:min(len(want), kept)]
		if !slices.Equal(list, want) {
			t.Fatalf("of %v: %v, want %v", all, list, want)
		}
		if bytes != sum(list) {
			t.Fatalf("grown by %d, holds %d", bytes, sum(list))
		}
	}
}

// Of equal elements, the first ones stay: a list that is full does not change for each new one.
func TestInsertOfAnEqual(t *testing.T) {
	list := slices.Repeat([]word{5}, kept)
	if grown, in := insert(&list, 5, byNumber); grown != 0 || in {
		t.Errorf("grown by %d, in the list: %t", grown, in)
	}
	if grown, in := insert(&list, 6, byNumber); grown != 1 || !in || list[0] != 6 || len(list) != kept {
		t.Errorf("grown by %d, in the list: %t; %v", grown, in, list)
	}
}

func TestPushKeepsTheLast(t *testing.T) {
	var list []word
	bytes := 0
	for i := range word(3 * kept) {
		bytes += push(&list, i)
		if len(list) > kept || bytes != sum(list) {
			t.Fatalf("after %d: %v, grown by %d", i, list, bytes)
		}
	}
	if list[0] != 2*kept || list[kept-1] != 3*kept-1 {
		t.Errorf("%v", list)
	}
}

// What is in two lists is listed once, but its memory counts in both: removal from one then never counts too much.
func TestMinuteListsEachOnce(t *testing.T) {
	both, slow, failed := &span{name: "both"}, &span{name: "slow"}, &span{name: "failed"}
	short, long := &event{body: "short"}, &event{body: "long"}
	m := minute{recent: []*event{short}, longer: []*event{long, short}, errors: []*line{{body: "x"}}}
	m.slow[served], m.failed[served] = []*span{slow, both}, []*span{both, failed}
	m.slow[made] = []*span{{name: "made"}}
	var names []string
	m.spans(served, func(s *span) { names = append(names, s.name) })
	m.events(func(e *event) { names = append(names, e.body) })
	if diff := gocmp.Diff([]string{"slow", "both", "failed", "short", "long"}, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if m.len() != 9 {
		t.Errorf("%d details, want 9", m.len())
	}
	want := 2*both.bytes() + slow.bytes() + failed.bytes() + m.slow[made][0].bytes() + 2*short.bytes() + long.bytes() +
		m.errors[0].bytes()
	if m.bytes() != want {
		t.Errorf("%d bytes, want %d", m.bytes(), want)
	}
}
