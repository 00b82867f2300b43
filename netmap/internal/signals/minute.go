package signals

import "slices"

// kept is how many details of each kind a minute has.
const kept = 8

// A minute is the details of a source that are worth showing.
type minute struct {
	slow, failed   [2][]*span // by direction; slow are the slowest, longest first, failed the last, oldest first
	errors         []*line    // the last, oldest first
	recent, longer []*event   // the last, oldest first, and those of the longest connections, longest first
}

// The directions of calls.
const (
	served = iota
	made
)

// insert puts an element into a list of the greatest, if it is one of them. It returns the bytes that the list has
// grown by, and whether the element is in it.
func insert[T interface{ bytes() int }](list *[]T, element T, compare func(a, b T) int) (int, bool) {
	i, _ := slices.BinarySearchFunc(*list, element, func(a, b T) int {
		if compare(a, b) >= 0 {
			return -1
		}
		return 1
	})
	if i >= kept {
		return 0, false
	}
	grown := element.bytes()
	if len(*list) == kept {
		grown -= (*list)[kept-1].bytes()
		*list = (*list)[:kept-1]
	}
	*list = slices.Insert(*list, i, element)
	return grown, true
}

// push appends an element to a list of the last ones, and returns the bytes that the list has grown by.
func push[T interface{ bytes() int }](list *[]T, element T) int {
	grown := element.bytes()
	if len(*list) == kept {
		grown -= (*list)[0].bytes()
		*list = slices.Delete(*list, 0, 1)
	}
	*list = append(*list, element)
	return grown
}

// spans calls f with the spans of a direction; with one that is both slow and failed once.
func (m *minute) spans(direction int, f func(*span)) {
	for _, s := range m.slow[direction] {
		f(s)
	}
	for _, s := range m.failed[direction] {
		if !slices.Contains(m.slow[direction], s) {
			f(s)
		}
	}
}

// events calls f with each event once.
func (m *minute) events(f func(*event)) {
	for _, e := range m.recent {
		f(e)
	}
	for _, e := range m.longer {
		if !slices.Contains(m.recent, e) {
			f(e)
		}
	}
}

func (m *minute) len() int {
	n := len(m.errors) + len(m.recent) + len(m.longer)
	for d := range m.slow {
		n += len(m.slow[d]) + len(m.failed[d])
	}
	return n
}

// bytes returns the memory of a minute beyond minuteBytes. What is in two lists counts twice.
func (m *minute) bytes() int {
	n := sum(m.errors) + sum(m.recent) + sum(m.longer)
	for d := range m.slow {
		n += sum(m.slow[d]) + sum(m.failed[d])
	}
	return n
}

func sum[T interface{ bytes() int }](list []T) int {
	n := 0
	for _, element := range list {
		n += element.bytes()
	}
	return n
}
