package netconnreceiver

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/receiver"

	"github.com/netconn/netconn/internal/pipeline"
)

// A signal is what a receiver emits.
type signal uint8

const (
	signalMetrics signal = iota
	signalLogs
	signals // how many there are
)

// loads are the scrapers of one factory, one for each configuration: the receivers of one component ID, which the
// collector gives one configuration, share what is loaded into the kernel.
type loads struct {
	machine pipeline.Machine

	mu   sync.Mutex
	held map[*Config]*shared
}

type shared struct {
	scraper *netconnScraper
	shares  int
}

func newLoads(m pipeline.Machine) *loads { return &loads{machine: m, held: make(map[*Config]*shared)} }

// take returns a share in the scraper of a configuration. The settings are used if it is the first one.
func (l *loads) take(c *Config, set receiver.Settings, of signal) (*share, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[c] == nil {
		s, err := newScraper(c, set, l.machine)
		if err != nil {
			return nil, err
		}
		l.held[c] = &shared{scraper: s}
	}
	l.held[c].shares++
	return &share{netconnScraper: l.held[c].scraper, loads: l, signal: of}, nil
}

// leave gives a share back, and tells whether it was the last one: whoever takes one after that begins anew.
func (l *loads) leave(c *Config) (last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[c].shares--
	if l.held[c].shares > 0 {
		return false
	}
	delete(l.held, c)
	return true
}

// A share is what one receiver has of a scraper: the first one to start opens the kernel side, and the last one to shut
// down closes it. It is shut down once, started or not.
type share struct {
	*netconnScraper
	loads   *loads
	signal  signal
	started bool
}

func (s *share) start(ctx context.Context, host component.Host) error {
	if err := s.netconnScraper.start(ctx, host); err != nil {
		return err
	}
	s.started = true
	s.reportTo(s.signal, host)
	s.run(s.signal, 1)
	return nil
}

func (s *share) shutdown(ctx context.Context) error {
	if s.started {
		s.reportTo(s.signal, nil)
		s.run(s.signal, -1)
	}
	if s.loads.leave(s.config) {
		return s.netconnScraper.shutdown(ctx)
	}
	return nil
}
