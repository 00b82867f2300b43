package kubernetes

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// The kinds of objects that are watched.
const (
	kindPods     = "pods"
	kindServices = "services"
	kindNodes    = "nodes"
	kindSlices   = "endpointslices"
)

// enteredSlices selects the endpoint slices that the controller did not make. The others only list pods, which are
// watched themselves.
const enteredSlices = discoveryv1.LabelManagedBy + "!=endpointslice-controller.k8s.io"

// watches returns the watches of a scope.
func watches(c Config, a api, s *store, now func() time.Time) []*watch {
	pods, nodes, selected := fields.Everything(), fields.Everything(), enteredSlices
	if c.Scope == ScopeNode {
		pods = fields.OneTermEqualSelector("spec.nodeName", c.Node)
		nodes = fields.OneTermEqualSelector("metadata.name", c.Node)
		selected = ""
	}
	of := func(kind string) *watch {
		s.interrupted(kind, now())
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

// watch is one kind of objects, listed and watched by a reflector.
type watch struct {
	kind      string
	store     *store
	now       func() time.Time
	reflector *cache.Reflector

	mu       sync.Mutex
	synced   bool
	failures uint64
	err      error
}

func newWatch(
	w *watch, client rest.Interface, of runtime.Object, selected metav1.ListOptions, f cache.ReflectorStore,
) *watch {
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
			lists := o.SendInitialEvents != nil && *o.SendInitialEvents
			w.began(lists, err)
			if err != nil {
				return nil, err
			}
			return observe(stream, func(err error) { w.broken(err, lists) }), nil
		},
	}, of, noteLists{f, w}, cache.ReflectorOptions{Name: "netconn " + w.kind})
	return w
}

func (w *watch) run(ctx context.Context) { w.reflector.RunWithContext(ctx) }

// began records the answer to a request for a watch. A watch that lists says at the end of its list that it is up to
// date; any other one is up to date from the start.
func (w *watch) began(lists bool, err error) {
	if lists && apierrors.IsInvalid(err) {
		return // the server knows no watches that list: the reflector asks for a list next
	}
	w.note(err)
	if err == nil && !lists {
		w.store.resumed(w.kind, w.now())
	}
}

// note keeps the error of a request until one succeeds. A request that Close cancels has not failed.
func (w *watch) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(err, context.Canceled) {
		return
	}
	if w.err = err; err != nil {
		w.failures++
		w.store.interrupted(w.kind, w.now())
	}
}

// broken records an error that ends a watch. A server that was restarted lets a watch continue, only to report in it
// that it does not know what has changed; the reflector asks for a list then, after a pause. If a watch that lists
// breaks, the reflector asks for a plain list, which is no fault.
func (w *watch) broken(err error, lists bool) {
	if !lists {
		w.note(err)
		return
	}
	w.store.interrupted(w.kind, w.now())
}

func (w *watch) health() WatchHealth {
	w.mu.Lock()
	defer w.mu.Unlock()
	return WatchHealth{Kind: w.kind, Synced: w.synced, Failures: w.failures, Err: w.err}
}

// observed is a watch that passes its events to the reflector. (watch.Filter would block for ever if the reflector
// stopped reading.)
type observed struct {
	apiwatch.Interface
	events chan apiwatch.Event
	done   chan struct{}
	stop   func()
}

// observe returns a watch that reports errors before it passes them on.
func observe(stream apiwatch.Interface, report func(error)) apiwatch.Interface {
	o := &observed{Interface: stream, events: make(chan apiwatch.Event), done: make(chan struct{})}
	o.stop = sync.OnceFunc(func() { close(o.done) })
	go o.pass(report)
	return o
}

func (o *observed) pass(report func(error)) {
	defer close(o.events)
	for e := range o.Interface.ResultChan() {
		if e.Type == apiwatch.Error {
			report(apierrors.FromObject(e.Object))
		}
		select {
		case o.events <- e:
		case <-o.done:
			return
		}
	}
}

func (o *observed) ResultChan() <-chan apiwatch.Event { return o.events }

func (o *observed) Stop() {
	o.stop()
	o.Interface.Stop()
}

// noteLists records when all objects were listed.
type noteLists struct {
	cache.ReflectorStore
	watch *watch
}

func (n noteLists) Replace(list []any, version string) error {
	err := n.ReflectorStore.Replace(list, version)
	n.watch.mu.Lock()
	defer n.watch.mu.Unlock()
	if err == nil {
		n.watch.synced = true
		n.watch.store.listed(n.watch.kind)
	}
	return err
}

// Transformer lets the reflector describe each object while it collects a list, so that it never holds a list of whole
// objects.
func (n noteLists) Transformer() cache.TransformFunc {
	return n.ReflectorStore.(cache.TransformingStore).Transformer()
}
