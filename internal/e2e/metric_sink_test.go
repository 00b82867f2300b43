//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // what the exporter compresses with by default
)

// A sink is the OTLP receiver at the other end of the collector. It keeps every collection.
type sink struct {
	pmetricotlp.UnimplementedGRPCServer
	t       *testing.T
	address string

	mu          sync.Mutex
	collections []collection
	err         error  // the first that could not be read
	during      func() // called once, while the collector waits for the answer; or nil
}

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{t: t}
	s.address = serveOTLP(t, func(server *grpc.Server) { pmetricotlp.RegisterGRPCServer(server, s) })
	return s
}

// serveOTLP runs a server for the test, and returns its address.
func serveOTLP(t *testing.T, register func(*grpc.Server)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// Export is what the collector calls.
func (s *sink) Export(_ context.Context, r pmetricotlp.ExportRequest) (pmetricotlp.ExportResponse, error) {
	c, err := readCollection(r.Metrics())
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.err == nil {
		s.err = err
	}
	s.collections = append(s.collections, c)
	if s.during != nil {
		s.during()
		s.during = nil
	}
	return pmetricotlp.NewExportResponse(), nil
}

// all returns the collections so far.
func (s *sink) all() []collection {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		s.t.Fatal(s.err)
	}
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

// differ returns the series whose values are not the wanted ones, a line each: a resource may have a hundred that are right.
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
	diff := "nothing was received"
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
		s.t.Fatalf("counts (-want +got):\n%s", diff)
	}
	return s.all()[seen-1]
}
