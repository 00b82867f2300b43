package history

import (
	"context"
	"sync"
	"time"
)

// failureTTL is how long a failure is kept, so that a store that is away is not asked by every request.
const failureTTL = 3 * time.Second

// A cache makes values once for all that want them at a time, and keeps them for a while.
type cache[K comparable, V any] struct {
	ttl     time.Duration
	limit   int // values that are kept
	now     func() time.Time
	running *running

	mu   sync.Mutex
	held map[K]*entry[V]
}

// An entry is a value that is being made, or that was.
type entry[V any] struct {
	done  chan struct{}
	value V
	err   error
	until time.Time // it is kept
}

// running is what goes on without a request that waits for it.
type running struct {
	ctx  context.Context
	stop context.CancelFunc
	wait sync.WaitGroup
}

func newRunning() *running {
	ctx, stop := context.WithCancel(context.Background())
	return &running{ctx: ctx, stop: stop}
}

// get returns the value of a key. It waits no longer than ctx, and making the value goes on then.
func (c *cache[K, V]) get(ctx context.Context, key K, produce func(context.Context) (V, error)) (V, error) {
	e := c.entry(key, produce)
	select {
	case <-e.done:
		return e.value, e.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

func (c *cache[K, V]) entry(key K, produce func(context.Context) (V, error)) *entry[V] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.held[key]; e != nil && (e.until.IsZero() || c.now().Before(e.until)) {
		return e
	}
	c.evict()
	e := &entry[V]{done: make(chan struct{})}
	c.held[key] = e
	c.running.wait.Go(func() {
		e.value, e.err = produce(c.running.ctx)
		c.mu.Lock()
		e.until = c.now().Add(c.ttl)
		if e.err != nil {
			e.until = c.now().Add(min(c.ttl, failureTTL))
		}
		c.mu.Unlock()
		close(e.done)
	})
	return e
}

// evict makes room: what is out of date leaves, and all that is made if that is not enough.
func (c *cache[K, V]) evict() {
	now := c.now()
	for key, e := range c.held {
		if !e.until.IsZero() && !now.Before(e.until) {
			delete(c.held, key)
		}
	}
	if len(c.held) < c.limit {
		return
	}
	for key, e := range c.held {
		if !e.until.IsZero() {
			delete(c.held, key)
		}
	}
}
