package kubernetes

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/netconn/netconn/internal/conn"
)

// AuthType is a way to reach the API.
type AuthType string

const (
	AuthNone           AuthType = "none"           // the API is not used
	AuthServiceAccount AuthType = "serviceAccount" // of the pod that this runs in
	AuthKubeConfig     AuthType = "kubeConfig"     // as kubectl does: KUBECONFIG, ~/.kube/config
)

// Choices returns all ways.
func (AuthType) Choices() []string {
	return []string{string(AuthNone), string(AuthServiceAccount), string(AuthKubeConfig)}
}

// Scope is which pods are watched.
type Scope string

const (
	ScopeCluster Scope = "cluster"
	ScopeNode    Scope = "node"
)

// Choices returns all scopes.
func (Scope) Choices() []string { return []string{string(ScopeCluster), string(ScopeNode)} }

// Config is how the API is reached and what is requested of it. Its keys in a collector's file have the names that they
// have for other components.
type Config struct {
	AuthType AuthType `mapstructure:"auth_type"`
	Context  string   `mapstructure:"context"` // of the kubeconfig file; empty: its current one
	Scope    Scope    `mapstructure:"scope"`
	Node     string   `mapstructure:"-"`            // that this runs on; required with ScopeNode
	Boot     string   `mapstructure:"-"`            // id of this kernel's boot; empty: not known
	MaxPods  int      `mapstructure:"max_pods"`     // that are kept; those beyond are not known
	QPS      float32  `mapstructure:"kube_api_qps"` // of requests for single objects, with ScopeNode
	Burst    int      `mapstructure:"kube_api_burst"`
	// Patience is how long the API may take to report that an address has gone to another pod: an answer about a more
	// recent moment is Provisional. It is also how long a connection waits for its identity.
	Patience time.Duration `mapstructure:"-"`
}

// A Cluster is the watched part of a cluster.
type Cluster struct {
	*store
	now     func() time.Time
	watches []*watch
	stop    context.CancelFunc
	work    sync.WaitGroup
}

// Open starts the watches; it does not wait for the API. The caller must Close the cluster.
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
	k := &Cluster{store: newStore(c), now: now}
	// The reflectors would log every attempt that fails; Health has the errors.
	ctx, stop := context.WithCancel(klog.NewContext(context.Background(), logr.Discard()))
	k.stop = stop
	k.watches = watches(c, api, k.store, now)
	for _, w := range k.watches {
		k.work.Go(func() { w.run(ctx) })
	}
	if c.Scope == ScopeNode {
		k.work.Go(func() { (&fetcher{api: api, store: k.store, now: now}).run(ctx) })
	}
	k.work.Go(func() { k.expireRegularly(ctx) })
	return k, nil
}

func (k *Cluster) expireRegularly(ctx context.Context) {
	ticker := time.NewTicker(rememberFor / 10)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			k.expire(k.now())
		}
	}
}

// Close ends the watches and waits for them. It may be called twice.
func (k *Cluster) Close() {
	k.stop()
	k.work.Wait()
}

// Health is the state of the watches, and how much is known.
type Health struct {
	Watches []WatchHealth // by Kind
	Store   StoreStats
}

// WatchHealth is the state of one watch.
type WatchHealth struct {
	Kind     string // pods, services, nodes, endpointslices
	Synced   bool   // all objects were listed once
	Failures uint64 // requests that failed since the start
	Err      error  // of the last request; nil: it was answered
}

// Health returns the state of the watches.
func (k *Cluster) Health() Health {
	h := Health{Store: k.Stats()}
	for _, w := range k.watches {
		h.Watches = append(h.Watches, w.health())
	}
	slices.SortFunc(h.Watches, func(a, b WatchHealth) int { return cmp.Compare(a.Kind, b.Kind) })
	return h
}

// Synced reports whether all objects were listed once.
func (k *Cluster) Synced() bool {
	for _, w := range k.watches {
		if !w.health().Synced {
			return false
		}
	}
	return true
}

// Faults returns what does not work now.
func (k *Cluster) Faults() []conn.Fault {
	var faults []conn.Fault
	h := k.Health()
	for _, w := range h.Watches {
		if w.Err != nil {
			err := fmt.Errorf("watch %s in the Kubernetes API (without: %s): %w", w.Kind, costs[w.Kind], w.Err)
			faults = append(faults, conn.Fault{About: w.Kind, Err: err})
		}
	}
	if err := k.fetches.fault(); err != nil {
		err = fmt.Errorf("get pods and nodes by name in the Kubernetes API "+
			"(without: pods of other nodes have no workload): %w", err)
		faults = append(faults, conn.Fault{About: "objects", Err: err})
	}
	if h.Store.PodsRefused > 0 && h.Store.Pods >= k.config.MaxPods {
		err := fmt.Errorf("keep the pods of the cluster: there are more than kubernetes::max_pods (%d), "+
			"and those beyond it are not known as peers; scope: node is for clusters of that size", k.config.MaxPods)
		faults = append(faults, conn.Fault{About: "max_pods", Err: err})
	}
	return faults
}

// costs has what is missing without a kind of objects.
var costs = map[string]string{
	kindPods:     "peers have no names of workloads",
	kindServices: "original destinations have no names of services",
	kindNodes:    "nodes look like other hosts, and there are no zones",
	kindSlices:   "services whose addresses were entered by hand have no names",
}
