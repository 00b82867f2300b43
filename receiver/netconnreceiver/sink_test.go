package netconnreceiver

import (
	"context"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// A sink takes what two receivers emit, and tells at each time that there is something.
type sink struct {
	t     *testing.T
	news  chan struct{}
	mu    sync.Mutex
	told  int   // events
	total int64 // closed connections, by the last metrics
}

func (s *sink) metrics() consumer.Metrics {
	next, err := consumer.NewMetrics(func(_ context.Context, md pmetric.Metrics) error {
		s.take(func() { s.total = totalsOf(md).Closed })
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return next
}

func (s *sink) logs() consumer.Logs {
	next, err := consumer.NewLogs(func(_ context.Context, ld plog.Logs) error {
		s.take(func() { s.told += ld.LogRecordCount() })
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return next
}

func (s *sink) take(what func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// wait returns when there were so many events and closed connections at least.
func (s *sink) wait(told int, total int64) {
	for {
		s.mu.Lock()
		enough := s.told >= told && s.total >= total
		s.mu.Unlock()
		if enough {
			return
		}
		<-s.news
	}
}
