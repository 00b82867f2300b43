package kubernetes

import "iter"

// index finds values by a key, in the order in which they were added. Most keys have one value: only a second one takes
// a slice. The zero value is an empty index.
type index[K, V comparable] struct {
	first map[K]V
	more  map[K][]V // those after the first
}

func (x *index[K, V]) add(k K, v V) {
	if x.first == nil {
		x.first, x.more = make(map[K]V), make(map[K][]V)
	}
	if _, taken := x.first[k]; taken {
		x.more[k] = append(x.more[k], v)
		return
	}
	x.first[k] = v
}

// remove removes a value from a key that may have it.
func (x *index[K, V]) remove(k K, v V) {
	first, found := x.first[k]
	if !found {
		return
	}
	more := x.more[k]
	switch {
	case first != v:
		more = without(more, v)
	case len(more) == 0:
		delete(x.first, k)
		return
	default:
		x.first[k] = more[0]
		more = without(more, more[0])
	}
	if len(more) == 0 {
		delete(x.more, k)
		return
	}
	x.more[k] = more
}

// without removes the first of the values that equal v.
func without[V comparable](values []V, v V) []V {
	for i := range values {
		if values[i] == v {
			copy(values[i:], values[i+1:])
			clear(values[len(values)-1:])
			return values[:len(values)-1]
		}
	}
	return values
}

// all returns the values of a key.
func (x *index[K, V]) all(k K) iter.Seq[V] {
	return func(yield func(V) bool) {
		first, found := x.first[k]
		if !found || !yield(first) {
			return
		}
		for _, v := range x.more[k] {
			if !yield(v) {
				return
			}
		}
	}
}

// newest returns the value that was added last, or the zero value.
func (x *index[K, V]) newest(k K) (v V) {
	if more := x.more[k]; len(more) > 0 {
		return more[len(more)-1]
	}
	return x.first[k]
}

// only returns the value of a key that has exactly one, or the zero value.
func (x *index[K, V]) only(k K) (v V) {
	if len(x.more[k]) > 0 {
		return v
	}
	return x.first[k]
}

// table holds the objects of one kind by their names, and keeps the indexes of the kind up to date. An object stays at
// its address in memory for as long as it exists, whatever the API reports of it, so indexes point to it.
type table[T any] struct {
	objects map[key]*T
	index   func(*T) // adds an object to the indexes of its kind
	unindex func(*T) // removes it from all of them
}

func newTable[T any](index, unindex func(*T)) table[T] {
	return table[T]{objects: make(map[key]*T), index: index, unindex: unindex}
}

// put adds an object, or replaces the one of that name.
func (t *table[T]) put(k key, o *T) *T {
	known := t.objects[k]
	if known == nil {
		known = o
		t.objects[k] = known
	} else {
		t.unindex(known)
		*known = *o
	}
	t.index(known)
	return known
}

// drop removes an object that may be there, from its indexes too, and returns it.
func (t *table[T]) drop(k key) *T {
	o := t.objects[k]
	if o != nil {
		delete(t.objects, k)
		t.unindex(o)
	}
	return o
}

// missing returns the objects that are not in a list of all.
func (t *table[T]) missing(list map[key]bool) map[key]*T {
	missing := make(map[key]*T)
	for k, o := range t.objects {
		if !list[k] {
			missing[k] = o
		}
	}
	return missing
}
