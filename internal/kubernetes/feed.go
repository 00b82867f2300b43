package kubernetes

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// feed is what a reflector writes to: it describes the objects and passes them to the store. It implements
// cache.ReflectorStore and cache.TransformingStore.
type feed[O metav1.Object, R any] struct {
	describe func(O) R
	put      func(R, time.Time)
	drop     func(key, time.Time)
	keep     func(map[key]bool, time.Time) // drops all others
	now      func() time.Time
}

// described stands for an object in a reflector's own lists, which need its name.
type described[R any] struct {
	metav1.ObjectMeta
	record R
}

// Transformer returns the function that describes an object.
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

// Add takes an object that was created or changed.
func (f feed[O, R]) Add(object any) error {
	_, r, err := f.record(object)
	if err == nil {
		f.put(r, f.now())
	}
	return err
}

// Update takes an object that has changed.
func (f feed[O, R]) Update(object any) error { return f.Add(object) }

// Delete takes an object that was deleted.
func (f feed[O, R]) Delete(object any) error {
	o, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	f.drop(key{o.GetNamespace(), o.GetName()}, f.now())
	return nil
}

// Replace takes a list of all objects. An object that is not in it was deleted at an unknown time since the last list.
func (f feed[O, R]) Replace(objects []any, _ string) error {
	list := make(map[key]bool, len(objects))
	now := f.now()
	records := make([]R, 0, len(objects))
	for _, object := range objects {
		k, r, err := f.record(object)
		if err != nil {
			return err
		}
		list[k] = true
		records = append(records, r)
	}
	f.keep(list, now)
	for _, r := range records {
		f.put(r, now)
	}
	return nil
}

// Resync does nothing: there is no other copy that could differ.
func (f feed[O, R]) Resync() error { return nil }
