package kubernetes

import (
	"context"
	"net/netip"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// fetchPause is the time between two requests for the same pod, if the first did not return it. It keeps pods that
	// do not exist from using up the requests that QPS allows.
	fetchPause = 30 * time.Second
	// maxRequests bounds the queue. A pod that finds no room is requested by a later look-up.
	maxRequests = 1024
)

// fetches are the requests for pods of other nodes. A look-up adds to them and never waits.
type fetches struct {
	queue chan request

	mu        *sync.Mutex
	requested map[string]time.Time // by uid; the zero time: it is in the queue
	err       error                // of the last request; nil: it was answered
}

// request names a pod, and the address at which a slice has it.
type request struct {
	uid     string
	key     key
	address netip.Addr
}

func newFetches() fetches {
	return fetches{
		queue: make(chan request, maxRequests), mu: &sync.Mutex{}, requested: make(map[string]time.Time),
	}
}

// request queues a request, unless there was one for the pod already.
func (f *fetches) request(r request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.requested[r.uid]; ok {
		return
	}
	select {
	case f.queue <- r:
		f.requested[r.uid] = time.Time{}
	default:
	}
}

func (f *fetches) done(uid string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requested[uid] = now
}

func (f *fetches) expire(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for uid, at := range f.requested {
		if !at.IsZero() && now.Sub(at) > fetchPause {
			delete(f.requested, uid)
		}
	}
}

// note keeps the error of a request. An object that does not exist is an answer of the API too.
func (f *fetches) note(err error) (failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err = err; apierrors.IsNotFound(err) {
		f.err = nil
	}
	return f.err != nil
}

// fault returns the error of the last request; nil: it was answered.
func (f *fetches) fault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// fetcher requests pods by name, and the nodes that they run on. The client keeps to QPS.
type fetcher struct {
	api   api
	store *store
	now   func() time.Time
}

func (f *fetcher) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-f.store.fetches.queue:
			f.fetch(ctx, r)
			f.store.fetches.done(r.uid, f.now())
		}
	}
}

// fromCache lets the API server answer from memory. The answer may be a little old, and no etcd is read.
var fromCache = metav1.GetOptions{ResourceVersion: "0"}

func (f *fetcher) fetch(ctx context.Context, r request) {
	p, err := f.api.core.Pods(r.key.namespace).Get(ctx, r.key.name, fromCache)
	if f.store.countFetch(err); err != nil || string(p.UID) != r.uid {
		return
	}
	d := describePod(p)
	if kept := f.store.putFetched(d, r, f.now()); !kept || d.node == "" || f.store.knowsNode(d.node) {
		return
	}
	n, err := f.api.core.Nodes().Get(ctx, d.node, fromCache)
	if f.store.countFetch(err); err != nil {
		return
	}
	place := describeNode(n)
	place.fetched = f.now()
	f.store.putNode(place, place.fetched)
}

// countFetch counts a request for an object.
func (s *store) countFetch(err error) {
	s.stats.fetches.Add(1)
	if s.fetches.note(err) {
		s.stats.fetchFailures.Add(1)
	}
}

// putFetched takes a pod that was fetched, unless it has left its slice meanwhile: then no watch would report its end.
func (s *store) putFetched(p *pod, r request, now time.Time) (kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.slices.names(r.address, r.uid) {
		return false
	}
	p.fetched = true
	s.addPod(p, now)
	return true
}

func (s *store) knowsNode(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.nodes.named(name) != nil
}
