// Package kubernetes tells who has an address, a container or a service in a cluster.
//
// In: what the API server reports of pods, services, nodes and, where they are needed, endpoint slices. Out: a conn.Peer, as far
// as it is certain. A look-up never asks the API and never waits for it: it answers from what is known by then, and says whether a
// better answer may follow (Answer). So an API server that is away, slow or refuses costs the answers that only it has.
//
// Of an object only what is used is kept, and only once: the reflectors of client-go fill a Store of our own instead of an informer's
// cache. Listing again, reconnecting and pausing in between (0.8 s to 60 s, and twice if a watch cannot go on where it was) are theirs.
//
// Time: an address belongs to one pod after another, so a look-up names a moment, and the answer is who had the address then. What has
// ended stays known for Grace. While the API does not tell, what it told before is Provisional, and of a moment since there is no answer,
// but for services, nodes and containers. A moment at which two pods may have had the address has no answer. The moments are of this
// machine's clock; those of the API (when a pod's network was there) are of other machines, to the second.
//
// Scope: with ScopeCluster every pod of the cluster is watched, which is right up to a size (see docs/design.md). With ScopeNode only
// the pods of one node are; for others the endpoint slices, which kube-proxy watches on every node as well, tell which pod has an
// address, and that pod is asked for once, by name, at most QPS times a second. A pod of another node that is behind no service is
// then not known; its own node's netconn knows it.
//
// Names of workloads and of service.name follow the k8s_attributes processor, so that a peer has the name that its own telemetry has.
//
// Errors: of Open, where there is no way to the API at all. What goes wrong later is in Health. All methods are safe for concurrent use.
package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
)

// AuthType tells how to reach the API.
type AuthType string

const (
	AuthNone           AuthType = "none"           // not at all
	AuthServiceAccount AuthType = "serviceAccount" // as the pod that this runs in
	AuthKubeConfig     AuthType = "kubeConfig"     // as kubectl does: KUBECONFIG, ~/.kube/config
)

// Scope tells which pods are watched.
type Scope string

const (
	ScopeCluster Scope = "cluster"
	ScopeNode    Scope = "node"
)

// Config is how the API is reached and what is asked of it.
type Config struct {
	AuthType AuthType
	Context  string // of the kubeconfig file; empty: its current one
	Scope    Scope
	Node     string // that this runs on; required with ScopeNode
	MaxPods  int    // that are kept; those beyond are not known
	QPS      float32
	Burst    int
}

// Answer tells how good an answer is.
type Answer uint8

const (
	Unknown     Answer = iota // there is none, but there may be one later
	Provisional               // there is one, but a better one may follow
	Final                     // no better one will follow
)

// String returns the value of the attribute netconn.answer.
func (a Answer) String() string { return [...]string{"unknown", "provisional", "final"}[a] }

// Question is about the other end of a connection of which only the address is known.
type Question struct {
	Address netip.Addr
	Port    uint16    // that it listens on; 0 if it is the client, whose port tells nothing
	At      time.Time // a moment at which it had the address: when the connection began, or else was first seen
	Now     time.Time // when it is asked
}

// A Cluster is the watched part of a cluster.
type Cluster struct {
	*Store
	now     func() time.Time
	watches []*watch
	stop    context.CancelFunc
	work    sync.WaitGroup
}

// Open begins to watch; it does not wait for the API. The caller must Close it.
func Open(c Config, now func() time.Time) (*Cluster, error) {
	r, err := restConfig(c)
	if err != nil {
		return nil, err
	}
	return open(c, r, now)
}

func open(c Config, r *rest.Config, now func() time.Time) (*Cluster, error) {
	api, err := newAPI(r)
	if err != nil {
		return nil, fmt.Errorf("make a client of the Kubernetes API: %w", err)
	}
	k := &Cluster{Store: NewStore(c), now: now}
	// The reflectors log every attempt that fails; Health has what they meet.
	ctx, stop := context.WithCancel(klog.NewContext(context.Background(), logr.Discard()))
	k.stop = stop
	k.watches = watches(c, api, k.Store, now)
	for _, w := range k.watches {
		k.work.Go(func() { w.run(ctx) })
	}
	if c.Scope == ScopeNode {
		k.work.Go(func() { (&fetcher{api: api, store: k.Store, now: now}).run(ctx) })
	}
	k.work.Go(func() { k.expire(ctx) })
	return k, nil
}

func (k *Cluster) expire(ctx context.Context) {
	ticker := time.NewTicker(Grace / 10)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			k.Expire(k.now())
		}
	}
}

// Close ends the watches and waits for them. It may be called twice.
func (k *Cluster) Close() {
	k.stop()
	k.work.Wait()
}

// Health is how the watches are, and how much is known.
type Health struct {
	Watches []WatchHealth // by Kind
	Store   StoreStats
}

// WatchHealth is how one watch is.
type WatchHealth struct {
	Kind     string // pods, services, nodes, endpointslices
	Synced   bool   // everything was listed once
	Failures uint64 // requests that failed since the start
	Err      error  // what stands in the way now; nil: nothing
}

// Health tells how the watches are.
func (k *Cluster) Health() Health {
	h := Health{Store: k.Stats()}
	for _, w := range k.watches {
		h.Watches = append(h.Watches, w.health())
	}
	slices.SortFunc(h.Watches, func(a, b WatchHealth) int { return cmp.Compare(a.Kind, b.Kind) })
	return h
}

// Synced tells whether everything was listed once.
func (k *Cluster) Synced() bool {
	for _, w := range k.watches {
		if !w.health().Synced {
			return false
		}
	}
	return true
}

// A Fault is something that does not work now.
type Fault struct {
	About string // stays the same as long as it is the same thing
	Err   error  // a sentence, with what it costs
}

// Faults returns what does not work now.
func (k *Cluster) Faults() []Fault {
	var faults []Fault
	h := k.Health()
	for _, w := range h.Watches {
		if w.Err != nil {
			err := fmt.Errorf("watch %s in the Kubernetes API (without: %s): %w", w.Kind, costs[w.Kind], w.Err)
			faults = append(faults, Fault{w.Kind, err})
		}
	}
	if err := k.fetchFault(); err != nil {
		err = fmt.Errorf("get pods and nodes by name in the Kubernetes API (without: pods of other nodes have no workload): %w", err)
		faults = append(faults, Fault{"objects", err})
	}
	if h.Store.PodsRefused > 0 && h.Store.Pods >= k.config.MaxPods {
		err := fmt.Errorf("keep the pods of the cluster: there are more than kubernetes::max_pods (%d), and those beyond it are not known "+
			"as peers; scope: node is for clusters of that size", k.config.MaxPods)
		faults = append(faults, Fault{"max_pods", err})
	}
	return faults
}

// costs tells what is missing without a kind of object.
var costs = map[string]string{
	kindPods:     "peers have no names of workloads",
	kindServices: "original destinations have no names of services",
	kindNodes:    "nodes are not told from other hosts, and there are no zones",
	kindSlices:   "services whose addresses were entered by hand have no names",
}
