package kubernetes

import (
	"sync"
	"time"
)

// store is what is known of a cluster: a table of objects for each kind, with indexes by what a connection shows. It
// never asks the API itself.
type store struct {
	config Config

	mu       sync.RWMutex
	pods     *podTable
	services *serviceTable
	nodes    *nodeTable
	slices   *sliceTable
	outages  map[string]outage // by kind; a kind without one is watched
	fetches  fetches
	stats    counters
}

// newStore returns a store that knows nothing yet.
func newStore(c Config) *store {
	return &store{
		config:   c,
		pods:     newPodTable(),
		services: newServiceTable(),
		nodes:    newNodeTable(),
		slices:   newSliceTable(),
		outages:  make(map[string]outage),
		fetches:  newFetches(),
	}
}

// putPod takes a pod as it is now.
func (s *store) putPod(p *pod, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addPod(p, now)
}

func (s *store) addPod(p *pod, now time.Time) {
	known := s.pods.objects[p.key]
	if known != nil && known.uid != p.uid { // created anew with the same name, as the pods of a StatefulSet are
		s.endPod(known, now)
		known = nil
	}
	if known == nil && s.config.MaxPods > 0 && len(s.pods.objects) >= s.config.MaxPods {
		s.stats.podsRefused++
		return
	}
	s.pods.update(p, now)
}

// dropPod ends a pod that was deleted.
func (s *store) dropPod(k key, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pods.objects[k]; p != nil {
		s.endPod(p, now)
	}
}

// endPod remembers a pod for the connections that it had. If it ended during an outage of its watch, it is not known
// how long it kept its addresses after the outage began, so they end there.
func (s *store) endPod(p *pod, now time.Time) {
	until := now
	if o, found := s.outages[p.source()]; found && o.until.IsZero() {
		until = o.since
	}
	s.pods.end(p, until, now)
}

// keepPods ends the watched pods that are not in a list of all.
func (s *store) keepPods(list map[key]bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pods.missing(list) {
		if !p.fetched {
			s.endPod(p, now)
		}
	}
}

// expire forgets what ended longer than rememberFor ago.
func (s *store) expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pods.expire(now.Add(-rememberFor))
	s.expireNodes(now)
	s.fetches.expire(now)
}

func (s *store) putService(v *service, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.qualifiedName = v.key.name + "." + v.key.namespace
	s.services.put(v.key, v)
}

func (s *store) dropService(k key, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.services.drop(k)
}

func (s *store) keepServices(list map[key]bool, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.services.missing(list) {
		s.services.drop(k)
	}
}

func (s *store) putNode(n *node, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes.put(n.key, n)
}

func (s *store) dropNode(k key, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes.drop(k)
}

// keepNodes drops the watched nodes that are not in a list of all.
func (s *store) keepNodes(list map[key]bool, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, n := range s.nodes.missing(list) {
		if n.fetched.IsZero() {
			s.nodes.drop(k)
		}
	}
}

// expireNodes forgets the nodes that were fetched and that nothing known runs on: no watch reports their end.
func (s *store) expireNodes(now time.Time) {
	unused := make(map[string]key)
	for k, n := range s.nodes.objects {
		if !n.fetched.IsZero() && now.Sub(n.fetched) > rememberFor {
			unused[k.name] = k
		}
	}
	if len(unused) == 0 {
		return
	}
	for p := range s.pods.remembered() {
		delete(unused, p.node)
	}
	for _, v := range s.slices.objects {
		for i := range v.endpoints {
			delete(unused, v.endpoints[i].node)
		}
	}
	for _, k := range unused {
		s.nodes.drop(k)
	}
}

func (s *store) putSlice(v *slice, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var before []endpoint
	if known := s.slices.objects[v.key]; known != nil {
		before = known.endpoints
	}
	s.slices.put(v.key, v)
	s.endFetched(before, now)
}

func (s *store) dropSlice(k key, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeSlice(k, now)
}

func (s *store) removeSlice(k key, now time.Time) {
	if v := s.slices.drop(k); v != nil {
		s.endFetched(v.endpoints, now)
	}
}

func (s *store) keepSlices(list map[key]bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.slices.missing(list) {
		s.removeSlice(k, now)
	}
}

// endFetched ends the pods that were fetched because a slice named them, once no slice names them: no watch reports
// their end.
func (s *store) endFetched(before []endpoint, now time.Time) {
	for i := range before {
		e := &before[i]
		p := s.pods.byUID.newest(e.uid)
		if p != nil && p.fetched && p.ended.IsZero() && !s.slices.names(e.address, e.uid) {
			s.endPod(p, now)
		}
	}
}
