package flow

import (
	"math/rand/v2"
	"testing"
)

// Whatever is reported in whatever order, with whatever limits: the sums over all flows are those of the reports, no
// counter falls, and active returns to the number of open connections.
func TestTotalsHold(t *testing.T) {
	for seed := range uint64(400) {
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
