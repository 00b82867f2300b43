package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryv1client "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// The kinds of objects that are watched.
const (
	kindPods     = "pods"
	kindServices = "services"
	kindNodes    = "nodes"
	kindSlices   = "endpointslices"
)

// api are the two groups of the API that are asked. The clientset of all groups would be forty more.
type api struct {
	core      corev1client.CoreV1Interface
	discovery discoveryv1client.DiscoveryV1Interface
}

func restConfig(c Config) (*rest.Config, error) {
	if c.AuthType == AuthServiceAccount {
		r, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("use the service account of this pod for the Kubernetes API: %w", err)
		}
		return c.limit(r), nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.Context}
	r, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("use the kubeconfig file for the Kubernetes API: %w", err)
	}
	return c.limit(r), nil
}

func (c Config) limit(r *rest.Config) *rest.Config {
	r.UserAgent = "netconn"
	r.QPS, r.Burst = c.QPS, c.Burst
	r.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // the API is in the cluster, no proxy leads there
	// Half the size of JSON, and a fifth of the work.
	r.ContentType = runtime.ContentTypeProtobuf
	r.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	return r
}

func newAPI(r *rest.Config) (api, error) {
	core, err := corev1client.NewForConfig(r)
	if err != nil {
		return api{}, err
	}
	discovery, err := discoveryv1client.NewForConfig(r)
	if err != nil {
		return api{}, err
	}
	return api{core: core, discovery: discovery}, nil
}

// othersSlices selects the endpoint slices that do not just list the pods of a service, which are watched themselves.
const othersSlices = discoveryv1.LabelManagedBy + "!=endpointslice-controller.k8s.io"

// watches are what a scope needs.
func watches(c Config, a api, s *Store, now func() time.Time) []*watch {
	pods, nodes, selected := fields.Everything(), fields.Everything(), othersSlices
	if c.Scope == ScopeNode {
		pods = fields.OneTermEqualSelector("spec.nodeName", c.Node)
		nodes = fields.OneTermEqualSelector("metadata.name", c.Node)
		selected = ""
	}
	of := func(kind string) *watch {
		s.lose(kind, now())
		return &watch{kind: kind, store: s, now: now}
	}
	core, discovery := a.core.RESTClient(), a.discovery.RESTClient()
	return []*watch{
		newWatch(of(kindPods), core, &corev1.Pod{}, metav1.ListOptions{FieldSelector: pods.String()},
			feed[*corev1.Pod, *pod]{describePod, s.putPod, s.dropPod, s.keepPods, now}),
		newWatch(of(kindServices), core, &corev1.Service{}, metav1.ListOptions{},
			feed[*corev1.Service, *service]{describeService, s.putService, s.dropService, s.keepServices, now}),
		newWatch(of(kindNodes), core, &corev1.Node{}, metav1.ListOptions{FieldSelector: nodes.String()},
			feed[*corev1.Node, *node]{describeNode, s.putNode, s.dropNode, s.keepNodes, now}),
		newWatch(of(kindSlices), discovery, &discoveryv1.EndpointSlice{}, metav1.ListOptions{LabelSelector: selected},
			feed[*discoveryv1.EndpointSlice, *slice]{describeSlice, s.putSlice, s.dropSlice, s.keepSlices, now}),
	}
}

// watch is one kind of object, listed and watched by a reflector.
type watch struct {
	kind      string
	store     *Store
	now       func() time.Time
	reflector *cache.Reflector

	mu       sync.Mutex
	synced   bool
	failures uint64
	err      error
}

func newWatch(w *watch, client rest.Interface, of runtime.Object, selected metav1.ListOptions, f cache.ReflectorStore) *watch {
	selects := func(o *metav1.ListOptions) {
		o.FieldSelector, o.LabelSelector = selected.FieldSelector, selected.LabelSelector
	}
	plain := cache.NewFilteredListWatchFromClient(client, w.kind, metav1.NamespaceAll, selects)
	w.reflector = cache.NewReflectorWithOptions(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := plain.ListWithContext(ctx, o)
			w.note(err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (apiwatch.Interface, error) {
			stream, err := plain.WatchWithContext(ctx, o)
			streams := o.SendInitialEvents != nil && *o.SendInitialEvents
			if !streams || !apierrors.IsInvalid(err) {
				w.note(err) // a server that cannot begin a watch with a list says so, and is asked for the list
				w.resumed(err == nil && !streams)
			}
			if err != nil {
				return nil, err
			}
			return overhear(stream, func(err error) { w.broken(err, streams) }), nil
		},
	}, of, noting{f, w}, cache.ReflectorOptions{Name: "netconn " + w.kind})
	return w
}

func (w *watch) run(ctx context.Context) { w.reflector.RunWithContext(ctx) }

// note keeps what stands in the way of a request, until one succeeds. What ends because this ends is no failure.
func (w *watch) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(err, context.Canceled) {
		return
	}
	if w.err = err; err != nil {
		w.failures++
		w.store.lose(w.kind, w.now())
	}
}

// resumed tells the store that a watch without a list has begun: of one with a list, the end of the list tells.
func (w *watch) resumed(yes bool) {
	if yes {
		w.store.resume(w.kind, w.now())
	}
}

// broken takes note of an error that ends a watch. A server that was away lets a watch go on and says in it that it does not know any
// more what has changed since; then the list is asked for, after a pause. That the list cannot come in a watch is no fault.
func (w *watch) broken(err error, streams bool) {
	if !streams {
		w.note(err)
		return
	}
	w.store.lose(w.kind, w.now())
}

// overheard is a watch on its way to the reflector. (watch.Filter would wait for ever for who has stopped to listen.)
type overheard struct {
	apiwatch.Interface
	events chan apiwatch.Event
	done   chan struct{}
	stop   func()
}

// overhear returns a watch whose errors are told before it passes them on.
func overhear(stream apiwatch.Interface, tell func(error)) apiwatch.Interface {
	o := &overheard{Interface: stream, events: make(chan apiwatch.Event), done: make(chan struct{})}
	o.stop = sync.OnceFunc(func() { close(o.done) })
	go o.pass(tell)
	return o
}

func (o *overheard) pass(tell func(error)) {
	defer close(o.events)
	for e := range o.Interface.ResultChan() {
		if e.Type == apiwatch.Error {
			tell(apierrors.FromObject(e.Object))
		}
		select {
		case o.events <- e:
		case <-o.done:
			return
		}
	}
}

func (o *overheard) ResultChan() <-chan apiwatch.Event { return o.events }

func (o *overheard) Stop() {
	o.stop()
	o.Interface.Stop()
}

func (w *watch) health() WatchHealth {
	w.mu.Lock()
	defer w.mu.Unlock()
	return WatchHealth{Kind: w.kind, Synced: w.synced, Failures: w.failures, Err: w.err}
}

// noting takes note of the first list.
type noting struct {
	cache.ReflectorStore
	watch *watch
}

func (n noting) Replace(list []any, version string) error {
	err := n.ReflectorStore.Replace(list, version)
	n.watch.mu.Lock()
	defer n.watch.mu.Unlock()
	if err == nil {
		n.watch.synced = true
		n.watch.store.listed(n.watch.kind)
	}
	return err
}

// Transformer lets the reflector keep what is used of an object while it collects a list, not the object.
func (n noting) Transformer() cache.TransformFunc {
	return n.ReflectorStore.(cache.TransformingStore).Transformer()
}

// A feed leads the objects of a reflector to the store, described.
type feed[O metav1.Object, R any] struct {
	describe func(O) R
	put      func(R, time.Time)
	drop     func(key, time.Time)
	keep     func(map[key]bool, time.Time) // drop all others
	now      func() time.Time
}

// described stands for an object in a reflector's own lists, which ask for its name.
type described[R any] struct {
	metav1.ObjectMeta
	record R
}

// Transformer returns the function that describes an object, of whatever list it is in.
func (f feed[O, R]) Transformer() cache.TransformFunc {
	return func(object any) (any, error) {
		o, ok := object.(O)
		if !ok {
			return object, nil
		}
		return &described[R]{metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName()}, f.describe(o)}, nil
	}
}

func (f feed[O, R]) record(object any) (key, R, error) {
	switch o := object.(type) {
	case O:
		return key{o.GetNamespace(), o.GetName()}, f.describe(o), nil
	case *described[R]:
		return key{o.Namespace, o.Name}, o.record, nil
	}
	var none R
	return key{}, none, fmt.Errorf("describe an object: %T is not expected", object)
}

func (f feed[O, R]) Add(object any) error {
	_, r, err := f.record(object)
	if err == nil {
		f.put(r, f.now())
	}
	return err
}

func (f feed[O, R]) Update(object any) error { return f.Add(object) }

func (f feed[O, R]) Delete(object any) error {
	o, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	f.drop(key{o.GetNamespace(), o.GetName()}, f.now())
	return nil
}

// Replace takes a list of all objects. What is not in it has ended since the list before: when, nobody tells any more.
func (f feed[O, R]) Replace(list []any, _ string) error {
	there := make(map[key]bool, len(list))
	now := f.now()
	records := make([]R, 0, len(list))
	for _, object := range list {
		k, r, err := f.record(object)
		if err != nil {
			return err
		}
		there[k] = true
		records = append(records, r)
	}
	f.keep(there, now)
	for _, r := range records {
		f.put(r, now)
	}
	return nil
}

// Resync has nothing to do: the store is all there is.
func (f feed[O, R]) Resync() error { return nil }
