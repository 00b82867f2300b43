package kubernetes

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A key keeps the order of its values, whichever of them is removed.
func TestIndexOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		add    []int
		remove []int
		want   []int
	}{
		{"empty", nil, []int{1}, nil},
		{"one", []int{1}, nil, []int{1}},
		{"one, removed", []int{1}, []int{1}, nil},
		{"another value removed", []int{1}, []int{2}, []int{1}},
		{"first of three removed", []int{1, 2, 3}, []int{1}, []int{2, 3}},
		{"middle removed", []int{1, 2, 3}, []int{2}, []int{1, 3}},
		{"last removed", []int{1, 2, 3}, []int{3}, []int{1, 2}},
		{"first and second removed", []int{1, 2, 3}, []int{1, 2}, []int{3}},
		{"added twice, removed once", []int{1, 1}, []int{1}, []int{1}},
		{"all removed", []int{1, 2}, []int{2, 1}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var x index[string, int]
			x.add("other", 9)
			for _, v := range c.add {
				x.add("key", v)
			}
			for _, v := range c.remove {
				x.remove("key", v)
			}
			if diff := cmp.Diff(c.want, slices.Collect(x.all("key"))); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
			if got := x.newest("other"); got != 9 {
				t.Errorf("the other key has %d", got)
			}
		})
	}
}

func TestIndexNewestAndOnly(t *testing.T) {
	var x index[string, int]
	want := func(newest, only int) {
		t.Helper()
		if got := [2]int{x.newest("key"), x.only("key")}; got != [2]int{newest, only} {
			t.Errorf("newest and only %v, want %v", got, [2]int{newest, only})
		}
	}
	want(0, 0)
	x.add("key", 1)
	want(1, 1)
	x.add("key", 2)
	want(2, 0)
	x.add("key", 3)
	want(3, 0)
	x.remove("key", 3)
	x.remove("key", 1)
	want(2, 2)
}

// An iteration can stop at any value.
func TestIndexStopsEarly(t *testing.T) {
	var x index[int, int]
	for v := range 4 {
		x.add(0, v)
	}
	for n := range 5 {
		var got []int
		for v := range x.all(0) {
			if len(got) == n {
				break
			}
			got = append(got, v)
		}
		if len(got) != min(n, 4) {
			t.Errorf("stopped after %d values, want %d", len(got), n)
		}
	}
}

// Whatever is added and removed, an index holds what a plain map of lists does, and nothing when all of it is removed.
func TestIndexAgainstModel(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		var x index[int, int]
		model := make(map[int][]int)
		for range 200 {
			k, v := r.IntN(5), r.IntN(4)
			if r.IntN(2) == 0 {
				x.add(k, v)
				model[k] = append(model[k], v)
			} else {
				x.remove(k, v)
				if i := slices.Index(model[k], v); i >= 0 {
					model[k] = slices.Delete(model[k], i, i+1)
				}
			}
			if got := slices.Collect(x.all(k)); !slices.Equal(got, model[k]) {
				t.Fatalf("seed %d: key %d has %v, want %v", seed, k, got, model[k])
			}
		}
		for k, values := range model {
			for _, v := range slices.Clone(values) {
				x.remove(k, v)
			}
		}
		if len(x.first) != 0 || len(x.more) != 0 {
			t.Fatalf("seed %d: %d keys and %d lists are left", seed, len(x.first), len(x.more))
		}
	}
}

// A table keeps an object where it is while it changes, and its indexes in step.
func TestTable(t *testing.T) {
	type object struct{ color string }
	var byColor index[string, *object]
	table := newTable(
		func(o *object) { byColor.add(o.color, o) },
		func(o *object) { byColor.remove(o.color, o) },
	)
	k := key{"shop", "a"}
	first := table.put(k, &object{"red"})
	second := table.put(k, &object{"blue"})
	if first != second || first.color != "blue" {
		t.Errorf("the object has moved, or has not changed: %p %v, %p %v", first, first, second, second)
	}
	if byColor.newest("red") != nil || byColor.newest("blue") != first {
		t.Error("the index has the colors of before")
	}
	table.put(key{"shop", "b"}, &object{"green"})
	missing := table.missing(map[key]bool{k: true, {"shop", "c"}: true})
	if len(missing) != 1 || missing[key{"shop", "b"}] == nil {
		t.Errorf("missing from the list: %v, want b", missing)
	}
	if table.drop(k) != first || table.drop(k) != nil {
		t.Error("the object was not dropped once")
	}
	if len(byColor.first) != 1 || len(table.objects) != 1 {
		t.Errorf("%d colors of %d objects are left, want one", len(byColor.first), len(table.objects))
	}
}
