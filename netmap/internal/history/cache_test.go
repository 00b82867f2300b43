package history

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A shelf is a cache with a clock of the test's. Its values say how often the key was made.
type shelf struct {
	cache[string, int]
	at   time.Time
	made map[string]int
}

func newShelf(t *testing.T, ttl time.Duration, limit int) *shelf {
	s := &shelf{at: time.Unix(now, 0), made: make(map[string]int)}
	s.cache = cache[string, int]{
		ttl: ttl, limit: limit, now: func() time.Time { return s.at }, running: newRunning(), held: make(map[string]*entry[int]),
	}
	t.Cleanup(func() { s.running.stop(); s.running.wait.Wait() })
	return s
}

// take gets values of keys, one after the other.
func (s *shelf) take(t *testing.T, err error, keys ...string) {
	t.Helper()
	for _, key := range keys {
		n, got := s.get(t.Context(), key, func(context.Context) (int, error) { s.made[key]++; return s.made[key], err })
		if n != s.made[key] || !errors.Is(got, err) {
			t.Errorf("%s: got %d and %v, want %d and %v", key, n, got, s.made[key], err)
		}
	}
}

// Requests for one key at a time are one, and all of them get its value.
func TestACacheIsShared(t *testing.T) {
	s := newShelf(t, time.Minute, 10)
	var made, sum atomic.Int64
	var requests sync.WaitGroup
	release := make(chan struct{})
	for range 20 {
		requests.Go(func() {
			n, err := s.get(t.Context(), "a", func(context.Context) (int, error) { <-release; return int(made.Add(1)), nil })
			if err != nil {
				t.Error(err)
			}
			sum.Add(int64(n))
		})
	}
	close(release)
	requests.Wait()
	if made.Load() != 1 || sum.Load() != 20 {
		t.Errorf("made %d times, and the values add up to %d", made.Load(), sum.Load())
	}
}

// A value is kept for its time, a failure for a shorter one.
func TestWhatACacheKeeps(t *testing.T) {
	failure := errors.New("the store is away")
	for name, tt := range map[string]struct {
		ttl, after time.Duration
		err        error
		want       int
	}{
		"a value":                          {time.Minute, time.Minute - 1, nil, 1},
		"a value that is out of date":      {time.Minute, time.Minute, nil, 2},
		"a failure":                        {time.Minute, failureTTL - 1, failure, 1},
		"a failure that is out of date":    {time.Minute, failureTTL, failure, 2},
		"a failure, and values leave soon": {time.Second, time.Second, failure, 2},
	} {
		s := newShelf(t, tt.ttl, 10)
		s.take(t, tt.err, "a")
		s.at = s.at.Add(tt.after)
		s.take(t, tt.err, "a")
		if s.made["a"] != tt.want {
			t.Errorf("%s: made %d times, want %d", name, s.made["a"], tt.want)
		}
	}
}

// What is out of date leaves first. If that is not enough, all leaves that no request waits for.
func TestACacheIsBounded(t *testing.T) {
	for name, tt := range map[string]struct {
		after time.Duration // between the first two keys and the third one
		want  map[string]int
	}{
		"room":            {time.Minute, map[string]int{"a": 2, "b": 2, "c": 1, "d": 1}},
		"nothing is old":  {time.Second, map[string]int{"a": 2, "b": 2, "c": 2, "d": 1}},
		"all at one time": {0, map[string]int{"a": 2, "b": 2, "c": 2, "d": 1}},
	} {
		s := newShelf(t, time.Minute, 3)
		s.take(t, nil, "a", "b")
		s.at = s.at.Add(tt.after)
		s.take(t, nil, "c", "d", "c", "a", "b")
		if diff := cmp.Diff(tt.want, s.made); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if len(s.held) > s.limit {
			t.Errorf("%s: %d values are kept", name, len(s.held))
		}
	}
}

// A value that is being made is not evicted, so it is not made twice.
func TestACacheKeepsWhatIsBeingMade(t *testing.T) {
	s := newShelf(t, time.Minute, 1)
	release, got := make(chan struct{}), make(chan int)
	started := make(chan struct{})
	go func() {
		n, _ := s.get(t.Context(), "slow", func(context.Context) (int, error) { close(started); <-release; return 7, nil })
		got <- n
	}()
	<-started
	s.take(t, nil, "a", "b", "c")
	close(release)
	again, err := s.get(t.Context(), "slow", func(context.Context) (int, error) { return 8, nil })
	if first := <-got; first != 7 || again != 7 || err != nil {
		t.Errorf("got %d, then %d (%v)", first, again, err)
	}
}

// Closing a source ends what is being made.
func TestACacheThatIsClosed(t *testing.T) {
	s := newShelf(t, time.Minute, 1)
	s.running.stop()
	_, err := s.get(t.Context(), "a", func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
