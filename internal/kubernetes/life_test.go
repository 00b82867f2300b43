package kubernetes

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/netconn/netconn/internal/conn"
)

// TestAddressIsNeverAnothers gives addresses to pods for times that never overlap. The store gets the reports late and
// in any order. For every moment at which a pod had the address, the answer is that pod, or none.
func TestAddressIsNeverAnothers(t *testing.T) {
	for seed := range uint64(300) {
		world(t, rand.New(rand.NewPCG(seed, 7)))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

type life struct {
	pod         *pod
	had, let    time.Duration // the truth
	seen, ended time.Duration // when the API reported it
}

func world(t *testing.T, r *rand.Rand) {
	s := storeOf(Config{})
	const second = time.Second
	upTo := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
	var lives []life
	at := time.Duration(0)
	for i := range 2 + r.IntN(4) {
		had := at + upTo(3*second)
		let := had + second + upTo(20*second)
		began := max(0, had-upTo(10*second)) // waits for its address, which another pod may still have
		lives = append(lives, life{
			pod: podAt(fmt.Sprint("p", i), began, max(began, had-upTo(second)), shared),
			had: had, let: let, seen: had + upTo(patience), ended: let + upTo(patience),
		})
		at = let
	}
	type report struct {
		at   time.Duration
		tell func()
	}
	var reports []report
	for _, l := range lives {
		reports = append(reports,
			report{l.seen, func() { s.putPod(l.pod, after(l.seen)) }},
			report{l.ended, func() { s.dropPod(l.pod.key, after(l.ended)) }})
	}
	for now := time.Duration(0); now < at+5*second; now += 50 * time.Millisecond {
		for i := range reports {
			if reports[i].tell != nil && reports[i].at <= now {
				reports[i].tell()
				reports[i].tell = nil
			}
		}
		asked := upTo(now + 1)
		got, answer := who(s, shared, asked, now)
		if answer != conn.Final {
			continue
		}
		for _, l := range lives {
			if got != l.pod.key.name && asked > l.had && asked < l.let && got != "" {
				t.Errorf("asked at %v about %v: %s, but %s had it from %v to %v", now, asked, got, l.pod.key.name, l.had, l.let)
			}
		}
	}
}
