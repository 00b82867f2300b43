package kubernetes

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// again is how long a pod that could not be had is not asked for anew.
const again = 30 * time.Second

// wanted are the pods of other nodes to ask for. A look-up adds to it and never waits.
type wanted struct {
	mu    *sync.Mutex
	asked map[string]time.Time // by uid; the zero time: it is in the queue
	queue chan request
}

type request struct {
	uid     string
	key     key
	address netip.Addr // that a slice has it at
}

// maxWanted bounds what waits to be asked for; what is beyond it is asked for when it is looked up again.
const maxWanted = 1024

func newWanted() wanted {
	return wanted{mu: &sync.Mutex{}, asked: make(map[string]time.Time), queue: make(chan request, maxWanted)}
}

func (w wanted) pod(r request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.asked[r.uid]; ok {
		return
	}
	select {
	case w.queue <- r:
		w.asked[r.uid] = time.Time{}
	default:
	}
}

func (w wanted) done(uid string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[uid] = now
}

func (w wanted) expire(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for uid, at := range w.asked {
		if !at.IsZero() && now.Sub(at) > again {
			delete(w.asked, uid)
		}
	}
}

// fetcher asks for pods by name, and for the nodes that they run on. The client keeps to QPS.
type fetcher struct {
	api   api
	store *Store
	now   func() time.Time
}

func (f *fetcher) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-f.store.wanted.queue:
			f.fetch(ctx, r)
			f.store.wanted.done(r.uid, f.now())
		}
	}
}

// fromCache lets the API server answer from its memory: what it has may be a little old, and no etcd is asked.
var fromCache = metav1.GetOptions{ResourceVersion: "0"}

func (f *fetcher) fetch(ctx context.Context, r request) {
	p, err := f.api.core.Pods(r.key.namespace).Get(ctx, r.key.name, fromCache)
	if f.store.fetched(err) || string(p.UID) != r.uid {
		return
	}
	d := describePod(p)
	if kept := f.store.putFetched(d, r, f.now()); !kept || d.node == "" || f.store.knowsNode(d.node) {
		return
	}
	n, err := f.api.core.Nodes().Get(ctx, d.node, fromCache)
	if f.store.fetched(err) {
		return
	}
	place := describeNode(n)
	place.fetched = f.now()
	f.store.putNode(place, place.fetched)
}

// putFetched takes a pod that was asked for, unless it has left its slice meanwhile: then nothing would tell of its end.
func (s *Store) putFetched(p *pod, r request, now time.Time) (kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.serves(r.address, r.uid) {
		return false
	}
	p.fetched = true
	s.addPod(p, now)
	return true
}

// serves tells whether a slice has a pod at an address.
func (s *Store) serves(a netip.Addr, uid string) bool {
	return slices.ContainsFunc(s.endpoints[a], func(e served) bool { return e.uid == uid })
}

// expireNodes forgets the nodes that were asked for and that nothing is known to run on: nothing tells of their end.
func (s *Store) expireNodes(now time.Time) {
	old := make(map[string]bool)
	for name, n := range s.nodes {
		if !n.fetched.IsZero() && now.Sub(n.fetched) > Grace {
			old[name] = true
		}
	}
	if len(old) == 0 {
		return
	}
	for _, p := range s.uids {
		delete(old, p.node)
	}
	for _, v := range s.slices {
		for _, e := range v.endpoints {
			delete(old, e.node)
		}
	}
	for name := range old {
		s.removeNode(name)
	}
}

// fetched counts a request, and tells whether there is no answer. That an object is gone is an answer of the API, but of no use.
func (s *Store) fetched(err error) (failed bool) {
	s.stats.fetches.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fetchErr = err; err != nil && apierrors.IsNotFound(err) {
		s.fetchErr = nil
	}
	if s.fetchErr != nil {
		s.stats.fetchFailures.Add(1)
	}
	return err != nil
}

// fetchFault returns what stood in the way of the last request; nil: nothing.
func (s *Store) fetchFault() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.fetchErr
}

func (s *Store) knowsNode(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.nodes[name] != nil
}
