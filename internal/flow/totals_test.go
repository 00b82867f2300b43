package flow

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever is reported in whatever order, with whatever limits: the sums over all flows are those of the reports, no
// counter falls, and active returns to the number of open connections.
func TestTotalsHold(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, random.IntN)
		for range 500 {
			if w.step(); t.Failed() {
				break
			}
		}
		w.finish()
	}
}

func FuzzTotalsHold(f *testing.F) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 2))
		story := make([]byte, 400)
		for i := range story {
			story[i] = byte(random.Uint32())
		}
		f.Add(story)
	}
	f.Fuzz(func(t *testing.T, story []byte) {
		next := func(n int) int {
			if len(story) < 2 {
				story = nil
				return 0
			}
			v := int(story[0])
			if story = story[1:]; n > 256 {
				v = v<<8 | int(story[0])
				story = story[1:]
			}
			return v % n
		}
		w := newWorld(t, next)
		for len(story) > 0 {
			w.step()
		}
		w.finish()
	})
}

// figures returns a pointer to each figure of a flow by its name, also to those that are still to come.
func figures(f *Flow) map[string]any {
	all := map[string]any{}
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		switch v.Addr().Interface().(type) {
		case *uint64, *int64, *Histogram:
			all[name] = v.Addr().Interface()
			return
		}
		if v.Kind() == reflect.Array {
			for i := range v.Len() {
				walk(fmt.Sprint(name, " ", i), v.Index(i))
			}
		}
	}
	v := reflect.ValueOf(f).Elem()
	for i := range v.NumField() {
		walk(v.Type().Field(i).Name, v.Field(i))
	}
	return all
}

// with returns a flow that has counted n of one figure.
func with(figure string, n int) Flow {
	f := Flow{Start: at(0)}
	switch v := figures(&f)[figure].(type) {
	case *uint64:
		*v = uint64(n)
	case *int64:
		*v = int64(n)
	case *Histogram:
		for range n {
			v.observe(DefaultBounds()[Duration], 0)
		}
	}
	return f
}

// No figure is forgotten when flows are added up, subtracted and copied, and one figure is enough to have
// counted something.
func TestEveryFigure(t *testing.T) {
	names := figures(&Flow{})
	if len(names) < 37 {
		t.Fatalf("only %d figures", len(names))
	}
	for figure := range names {
		sum := with(figure, 3)
		other := with(figure, 2)
		sum.Add(&other)
		if diff := cmp.Diff(with(figure, 5), sum, options()...); diff != "" {
			t.Errorf("%s: 3 and 2 (-want +got):\n%s", figure, diff)
		}
		var copied Flow
		copied.copyFrom(&sum)
		if diff := cmp.Diff(sum, copied, options()...); diff != "" {
			t.Errorf("%s: a copy (-want +got):\n%s", figure, diff)
		}
		more := sum.since(&other)
		more.Start = at(0)
		want := with(figure, 3)
		if figure == "Active" { // how many there are, not how much was counted
			want.Active = 0
		} else if !more.counted() {
			t.Errorf("%s: 5 after 2 is nothing new", figure)
		}
		if diff := cmp.Diff(want, more, options()...); diff != "" {
			t.Errorf("%s: 5 after 2 (-want +got):\n%s", figure, diff)
		}
		if same := sum.since(&sum); same.counted() {
			t.Errorf("%s: 5 after 5 is news: %+v", figure, same)
		}
	}
}

// The sum began with the first flow, and has what any of them has.
func TestAddOfLives(t *testing.T) {
	sum := Flow{Start: at(20), Connections: true}
	sum.Add(&Flow{Start: at(10), Listens: true})
	sum.Add(&Flow{Start: at(30)})
	want := Flow{Start: at(10), Connections: true, Listens: true}
	if diff := cmp.Diff(want, sum, options()...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
