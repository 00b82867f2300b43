package kubernetes

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Grace is how long what has ended is still known: connections are described after their end, at the next collection.
const Grace = 5 * time.Minute

// Store is what is known of a cluster: records by their names, and indexes of them by what a connection shows. It asks nobody.
type Store struct {
	config Config

	mu         sync.RWMutex
	pods       map[key]*pod // that are there
	uids       map[string]*pod
	containers map[string]placed
	holders    map[netip.Addr][]*holding // of addresses of pods, in the order in which they were seen
	hostPorts  map[hostPort][]*pod
	ended      []*pod // in the order of their end

	services  map[key]*service
	addresses map[netip.Addr][]*service
	nodePorts map[uint16]*service

	nodes         map[string]*node
	nodeAddresses map[netip.Addr]*node

	slices    map[key]*slice
	endpoints map[netip.Addr][]served

	silences map[string]silence // by kind; none: it is watched

	wanted   wanted // pods and nodes to ask for
	fetchErr error  // of the last request for one
	stats    counters
}

// placed is a container of a pod, by its place there.
type placed struct {
	pod   *pod
	index int
}

type hostPort struct {
	node string
	port uint16
}

// served is an endpoint of a service.
type served struct {
	of *slice
	endpoint
}

// NewStore returns a store that knows nothing yet.
func NewStore(c Config) *Store {
	return &Store{
		config:        c,
		pods:          make(map[key]*pod),
		uids:          make(map[string]*pod),
		containers:    make(map[string]placed),
		holders:       make(map[netip.Addr][]*holding),
		hostPorts:     make(map[hostPort][]*pod),
		services:      make(map[key]*service),
		addresses:     make(map[netip.Addr][]*service),
		nodePorts:     make(map[uint16]*service),
		nodes:         make(map[string]*node),
		nodeAddresses: make(map[netip.Addr]*node),
		slices:        make(map[key]*slice),
		endpoints:     make(map[netip.Addr][]served),
		silences:      make(map[string]silence),
		wanted:        newWanted(),
	}
}

// putPod takes a pod as it is now.
func (s *Store) putPod(p *pod, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addPod(p, now)
}

func (s *Store) addPod(p *pod, now time.Time) {
	known := s.pods[p.key]
	if known != nil && known.uid != p.uid { // made anew under the same name, as those of a StatefulSet are
		s.end(known, now)
		known = nil
	}
	if known == nil {
		if s.config.MaxPods > 0 && len(s.pods) >= s.config.MaxPods {
			s.stats.podsRefused++
			return
		}
		known = &pod{}
		s.pods[p.key], s.uids[p.uid] = known, known
	}
	s.unindex(known)
	for _, a := range known.addresses {
		if p.over || !slices.Contains(p.addresses, a) {
			s.release(a, known, now)
		}
	}
	if !known.ready.IsZero() && known.ready.Before(p.ready) {
		p.ready = known.ready // a container that was started again tells less
	}
	*known = *p
	s.index(known)
	if known.over {
		return
	}
	for _, a := range known.addresses {
		s.hold(a, known, now)
	}
}

func (s *Store) index(p *pod) {
	for i, c := range p.containers {
		for _, id := range c.ids {
			s.containers[id] = placed{p, i}
		}
	}
	if p.over || !p.ended.IsZero() {
		return
	}
	for _, e := range p.hostPorts {
		at := hostPort{p.node, e.port}
		s.hostPorts[at] = append(s.hostPorts[at], p)
	}
}

func (s *Store) unindex(p *pod) {
	for _, c := range p.containers {
		for _, id := range c.ids {
			if s.containers[id].pod == p { // or the pod is there again, as another record
				delete(s.containers, id)
			}
		}
	}
	s.unindexPorts(p)
}

func (s *Store) unindexPorts(p *pod) {
	for _, e := range p.hostPorts {
		at := hostPort{p.node, e.port}
		remove(s.hostPorts, at, func(other *pod) bool { return other == p })
	}
}

// remove takes the values that match out of a list of an index, and the list with the last of them.
func remove[K comparable, V any](index map[K][]V, k K, match func(V) bool) {
	list, there := index[k]
	if !there {
		return
	}
	if list = slices.DeleteFunc(list, match); len(list) == 0 {
		delete(index, k)
		return
	}
	index[k] = list
}

// dropPod takes note that a pod is gone.
func (s *Store) dropPod(k key, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pods[k]; p != nil {
		s.end(p, now)
	}
}

// end keeps a pod for those that were connected to it. Of one that ended in a silence nobody knows how long it had its addresses since.
func (s *Store) end(p *pod, now time.Time) {
	until := now
	if silent, known := s.silences[p.source()]; known && silent.over.IsZero() {
		until = silent.from
	}
	for _, a := range p.addresses {
		s.release(a, p, until)
	}
	s.unindexPorts(p)
	p.ended = now
	s.ended = append(s.ended, p)
	delete(s.pods, p.key)
}

// keepPods ends the pods that were watched and are not in a list of all.
func (s *Store) keepPods(there map[key]bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, p := range s.pods {
		if !there[k] && !p.fetched {
			s.end(p, now)
		}
	}
}

// Expire forgets what ended longer than Grace ago.
func (s *Store) Expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.ended) && now.Sub(s.ended[n].ended) > Grace {
		s.forget(s.ended[n])
		n++
	}
	s.ended = slices.Delete(s.ended, 0, n)
	for a := range s.holders {
		remove(s.holders, a, func(h *holding) bool { return !h.until.IsZero() && now.Sub(h.until) > Grace })
	}
	s.expireNodes(now)
	s.wanted.expire(now)
}

func (s *Store) forget(p *pod) {
	s.unindex(p)
	if s.uids[p.uid] == p {
		delete(s.uids, p.uid)
	}
}

func (s *Store) putService(v *service, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeService(v.key)
	v.full = v.key.name + "." + v.key.namespace
	s.services[v.key] = v
	for _, a := range v.addresses {
		s.addresses[a] = append(s.addresses[a], v)
	}
	for _, p := range v.nodePorts {
		s.nodePorts[p] = v
	}
}

func (s *Store) dropService(k key, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeService(k)
}

func (s *Store) removeService(k key) {
	v := s.services[k]
	if v == nil {
		return
	}
	delete(s.services, k)
	for _, a := range v.addresses {
		remove(s.addresses, a, func(other *service) bool { return other == v })
	}
	for _, p := range v.nodePorts {
		if s.nodePorts[p] == v { // or it has gone to another service by now
			delete(s.nodePorts, p)
		}
	}
}

func (s *Store) keepServices(there map[key]bool, now time.Time) {
	s.keep(s.serviceKeys, there, s.dropService, now)
}

func (s *Store) putNode(n *node, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeNode(n.key.name)
	s.nodes[n.key.name] = n
	for _, a := range n.addresses {
		s.nodeAddresses[a] = n
	}
}

func (s *Store) dropNode(k key, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeNode(k.name)
}

func (s *Store) removeNode(name string) {
	n := s.nodes[name]
	if n == nil {
		return
	}
	delete(s.nodes, name)
	for _, a := range n.addresses {
		if s.nodeAddresses[a] == n {
			delete(s.nodeAddresses, a)
		}
	}
}

func (s *Store) keepNodes(there map[key]bool, now time.Time) {
	s.keep(s.nodeKeys, there, s.dropNode, now)
}

func (s *Store) putSlice(v *slice, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.slices[v.key]
	s.removeSlice(v.key)
	s.slices[v.key] = v
	for _, e := range v.endpoints {
		s.endpoints[e.address] = append(s.endpoints[e.address], served{v, e})
	}
	s.endFetched(before, now)
}

func (s *Store) dropSlice(k key, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.slices[k]
	s.removeSlice(k)
	s.endFetched(before, now)
}

func (s *Store) removeSlice(k key) {
	v := s.slices[k]
	if v == nil {
		return
	}
	delete(s.slices, k)
	for _, e := range v.endpoints {
		remove(s.endpoints, e.address, func(other served) bool { return other.of == v })
	}
}

// endFetched ends the pods that were asked for because a slice named them, and that no slice names any more: nothing else tells.
func (s *Store) endFetched(before *slice, now time.Time) {
	if before == nil {
		return
	}
	for _, e := range before.endpoints {
		p := s.uids[e.uid]
		if p == nil || !p.fetched || !p.ended.IsZero() {
			continue
		}
		if !s.serves(e.address, e.uid) {
			s.end(p, now)
		}
	}
}

func (s *Store) keepSlices(there map[key]bool, now time.Time) {
	s.keep(s.sliceKeys, there, s.dropSlice, now)
}

// keep drops what is known and not in a list of all.
func (s *Store) keep(known func() []key, there map[key]bool, drop func(key, time.Time), now time.Time) {
	for _, k := range known() {
		if !there[k] {
			drop(k, now)
		}
	}
}

func (s *Store) serviceKeys() []key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Keys(s.services))
}

func (s *Store) sliceKeys() []key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Keys(s.slices))
}

func (s *Store) nodeKeys() []key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var keys []key
	for name, n := range s.nodes {
		if n.fetched.IsZero() {
			keys = append(keys, key{name: name})
		}
	}
	return keys
}
