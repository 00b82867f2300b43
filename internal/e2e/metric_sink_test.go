//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/netconn/netconn/internal/harness/otlp"
)

// A sink is an OTLP receiver of metrics that keeps every collection.
type sink struct {
	t       *testing.T
	address string
	server  *otlp.Server

	mu          sync.Mutex
	collections []collection
	during      func() // called once, while the collector waits for the answer; or nil
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{t: t}
	s.server = serveOTLP(t, otlp.Handlers{Metrics: s.receive})
	s.address = s.server.Address
	return s
}

// serveOTLP runs a server until the end of the test.
func serveOTLP(t *testing.T, h otlp.Handlers) *otlp.Server {
	t.Helper()
	s, err := otlp.Listen(freeAddress(t), h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *sink) receive(md pmetric.Metrics) error {
	c, err := readCollection(md)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collections = append(s.collections, c)
	if s.during != nil {
		s.during()
		s.during = nil
	}
	return err
}

// all returns the collections so far.
func (s *sink) all() []collection {
	s.t.Helper()
	if err := s.server.Err(); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.collections[:len(s.collections):len(s.collections)]
}

// duringExport has f called in the next collection, while the collector waits for the answer.
func (s *sink) duringExport(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.during = f
}

// latest returns the last collection, or an empty one.
func (s *sink) latest() collection {
	s.t.Helper()
	all := s.all()
	if len(all) == 0 {
		return collection{}
	}
	return all[len(all)-1]
}

// next waits for n collections more. The first of them may have begun before the call.
func (s *sink) next(n int) {
	s.t.Helper()
	seen := len(s.all())
	until(s.t, "a collection", func() bool { return len(s.all()) >= seen+n })
}

// counts are those of some resources, by the keys of the resources and the names of the series.
type counts map[string]map[string]int64

// differ returns the series whose values are not the wanted ones, a line each: a resource may have a hundred that are
// right.
func (want counts) differ(got counts) string {
	var lines []string
	for key, series := range want {
		for name, n := range series {
			if m, there := got[key][name]; !there || m != n {
				lines = append(lines, fmt.Sprintf("%.12s %s: -%d", key, name, n))
			}
		}
		for name, n := range got[key] {
			if m, wanted := series[name]; !wanted || m != n {
				lines = append(lines, fmt.Sprintf("%.12s %s: +%d", key, name, n))
			}
		}
	}
	return strings.Join(slices.Sorted(slices.Values(lines)), "\n")
}

// want waits until the counts of these resources are the wanted ones, all of them, in so many collections in a row, and
// returns the last: a count that is too high never comes down, and one that still moves is not what it is to be.
func (s *sink) want(want counts, inARow int) collection {
	s.t.Helper()
	last, diff := s.settle(want, inARow)
	if diff != "" {
		s.t.Fatalf("counts (-want +got):\n%s", diff)
	}
	return last
}

// settle waits as want does, and returns the last collection. If the counts do not become the wanted ones, it returns
// the last difference too.
func (s *sink) settle(want counts, inARow int) (last collection, diff string) {
	s.t.Helper()
	diff = "nothing was received"
	seen, same := len(s.all()), 0
	settled := poll(func() bool {
		for all := s.all(); seen < len(all) && same < inARow; seen++ {
			if diff = want.differ(all[seen].countsOf(want)); diff != "" {
				same = 0
				continue
			}
			same++
		}
		return same == inARow
	})
	if !settled {
		return s.latest(), cmp.Or(diff, "equal, but not in so many collections in a row")
	}
	return s.all()[seen-1], ""
}
