package kubernetes

import (
	"iter"
	"net/netip"
	"slices"
	"time"
)

// rememberFor is how long a pod is known after its end. Its connections are described after their own end, at the next
// collection, so it is longer than any sensible collection interval.
const rememberFor = 5 * time.Minute

// podTable holds the pods, and for rememberFor those that have ended. The indexes find both; only byHostPort finds no
// pod that has ended, as a port of a node has no record of the times at which a pod had it.
type podTable struct {
	table[pod]
	byUID       index[string, *pod] // and by hash
	byContainer index[string, *pod] // by container ID
	byAddress   index[netip.Addr, *assignment]
	byHostPort  index[hostPort, *pod]

	ended    []*pod     // in the order of their end
	released []released // assignments that have ended, in that order
}

// hostPort is a port of a node.
type hostPort struct {
	node string
	port port
}

func newPodTable() *podTable {
	t := &podTable{}
	t.table = newTable(t.addToIndexes, t.removeFromIndexes)
	return t
}

func (t *podTable) addToIndexes(p *pod) {
	for uid := range p.uids() {
		t.byUID.add(uid, p)
	}
	for id := range p.containerIDs() {
		t.byContainer.add(id, p)
	}
	if p.over {
		return
	}
	for _, e := range p.hostPorts {
		t.byHostPort.add(hostPort{p.node, e.port}, p)
	}
}

func (t *podTable) removeFromIndexes(p *pod) {
	for uid := range p.uids() {
		t.byUID.remove(uid, p)
	}
	for id := range p.containerIDs() {
		t.byContainer.remove(id, p)
	}
	t.removeHostPorts(p)
}

func (t *podTable) removeHostPorts(p *pod) {
	for _, e := range p.hostPorts {
		t.byHostPort.remove(hostPort{p.node, e.port}, p)
	}
}

// uids returns the uids that the API and a kubelet have for the pod.
func (p *pod) uids() iter.Seq[string] {
	return func(yield func(string) bool) {
		if yield(p.uid) && p.hash != "" && p.hash != p.uid {
			yield(p.hash)
		}
	}
}

// containerIDs returns the ids of the pod's containers.
func (p *pod) containerIDs() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range p.containers {
			for _, id := range p.containers[i].ids {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// update takes a pod that exists, as it is now.
func (t *podTable) update(p *pod, now time.Time) {
	if known := t.objects[p.key]; known != nil {
		for _, a := range known.addresses {
			if p.over || !slices.Contains(p.addresses, a) {
				t.release(a, known, now)
			}
		}
		if !known.ready.IsZero() && known.ready.Before(p.ready) {
			p.ready = known.ready // the start of a container that was restarted says less
		}
	}
	known := t.put(p.key, p)
	if known.over {
		return
	}
	for _, a := range known.addresses {
		t.assign(a, known, now)
	}
}

// end ends a pod that exists. It had its addresses until a time that may be before now.
func (t *podTable) end(p *pod, until, now time.Time) {
	for _, a := range p.addresses {
		t.release(a, p, until)
	}
	t.removeHostPorts(p)
	p.ended = now
	t.ended = append(t.ended, p)
	delete(t.objects, p.key)
}

// expire forgets the pods and the assignments that ended before a time.
func (t *podTable) expire(before time.Time) {
	n := 0
	for ; n < len(t.ended) && t.ended[n].ended.Before(before); n++ {
		t.removeFromIndexes(t.ended[n])
	}
	t.ended = slices.Delete(t.ended, 0, n)

	n = 0
	for ; n < len(t.released) && t.released[n].until.Before(before); n++ {
		t.byAddress.remove(t.released[n].address, t.released[n].assignment)
	}
	t.released = slices.Delete(t.released, 0, n)
}

// remembered returns every pod that is known, those that have ended included.
func (t *podTable) remembered() iter.Seq[*pod] {
	return func(yield func(*pod) bool) {
		for _, p := range t.objects {
			if !yield(p) {
				return
			}
		}
		for _, p := range t.ended {
			if !yield(p) {
				return
			}
		}
	}
}

// serviceTable holds the services. An address or a port can be another service's for a moment too, as changes of two
// services are reported one after the other.
type serviceTable struct {
	table[service]
	byAddress  index[netip.Addr, *service]
	byNodePort index[port, *service]
}

func newServiceTable() *serviceTable {
	t := &serviceTable{}
	t.table = newTable(t.addToIndexes, t.removeFromIndexes)
	return t
}

func (t *serviceTable) addToIndexes(v *service) {
	for _, a := range v.addresses {
		t.byAddress.add(a, v)
	}
	for _, p := range v.nodePorts {
		t.byNodePort.add(p, v)
	}
}

func (t *serviceTable) removeFromIndexes(v *service) {
	for _, a := range v.addresses {
		t.byAddress.remove(a, v)
	}
	for _, p := range v.nodePorts {
		t.byNodePort.remove(p, v)
	}
}

// nodeTable holds the nodes.
type nodeTable struct {
	table[node]
	byAddress index[netip.Addr, *node]
}

func newNodeTable() *nodeTable {
	t := &nodeTable{}
	t.table = newTable(t.addToIndexes, t.removeFromIndexes)
	return t
}

func (t *nodeTable) named(name string) *node { return t.objects[key{name: name}] }

func (t *nodeTable) addToIndexes(n *node) {
	for _, a := range n.addresses {
		t.byAddress.add(a, n)
	}
}

func (t *nodeTable) removeFromIndexes(n *node) {
	for _, a := range n.addresses {
		t.byAddress.remove(a, n)
	}
}

// sliceTable holds the endpoint slices.
type sliceTable struct {
	table[slice]
	byAddress index[netip.Addr, *endpoint]
}

func newSliceTable() *sliceTable {
	t := &sliceTable{}
	t.table = newTable(t.addToIndexes, t.removeFromIndexes)
	return t
}

func (t *sliceTable) addToIndexes(v *slice) {
	for i := range v.endpoints {
		e := &v.endpoints[i]
		e.slice = v
		t.byAddress.add(e.address, e)
	}
}

func (t *sliceTable) removeFromIndexes(v *slice) {
	for i := range v.endpoints {
		t.byAddress.remove(v.endpoints[i].address, &v.endpoints[i])
	}
}

// names reports whether a slice has a pod at an address.
func (t *sliceTable) names(a netip.Addr, uid string) bool {
	for e := range t.byAddress.all(a) {
		if e.uid == uid {
			return true
		}
	}
	return false
}
