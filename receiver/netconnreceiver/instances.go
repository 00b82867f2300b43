package netconnreceiver

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"

	"github.com/netconn/netconn/internal/pipeline"
)

// instances are the scrapers of one factory, one for each configuration. The Collector gives the receivers of one
// component ID the same configuration, so they share what is loaded into the kernel.
type instances struct {
	machine pipeline.Machine

	mu   sync.Mutex
	used map[*Config]*instance
}

type instance struct {
	scraper    *netconnScraper
	references int
	acquired   [signals]bool // by receivers of the signal, since the first one
	warned     bool
}

func newInstances(m pipeline.Machine) *instances {
	return &instances{machine: m, used: make(map[*Config]*instance)}
}

// acquire returns a reference to the scraper of a configuration. The first one makes it, with these settings.
func (i *instances) acquire(c *Config, set receiver.Settings, of signal) (*reference, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.used[c] == nil {
		s, err := newScraper(c, set, i.machine)
		if err != nil {
			return nil, err
		}
		i.used[c] = &instance{scraper: s}
	}
	i.used[c].references++
	i.used[c].acquired[of] = true
	return &reference{scraper: i.used[c].scraper, instances: i, signal: of}, nil
}

// release gives a reference back, and reports whether it was the last one. The next acquire makes a new scraper then.
func (i *instances) release(c *Config) (last bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.used[c].references--
	if i.used[c].references > 0 {
		return false
	}
	delete(i.used, c)
	return true
}

// warn says once what a user probably did not mean. The Collector creates all receivers before it starts one, so the
// first start knows them all.
func (i *instances) warn(s *netconnScraper) {
	i.mu.Lock()
	defer i.mu.Unlock()
	this := i.used[s.config]
	if this == nil || this.warned {
		return
	}
	this.warned = true
	if s.config.Events.Enabled && !this.acquired[signalLogs] {
		s.set.Logger.Warn("events::enabled is true, but no logs pipeline has this receiver: there are no events.")
	}
	for _, other := range i.used {
		if other != this && other.warned {
			s.set.Logger.Warn("Another receiver reads the same connections. Sums over both count each connection "+
				"twice; one receiver can be in several pipelines.", zap.Stringer("other", other.scraper.set.ID))
		}
	}
}

// A reference is one receiver's use of a scraper. The first one to start opens the pipeline, and the last one to shut
// down closes it. It is shut down once, started or not.
type reference struct {
	scraper   *netconnScraper
	instances *instances
	signal    signal
	started   bool
	last      func(context.Context) error // makes the last collection and emits it
}

func (r *reference) start(ctx context.Context, host component.Host) error {
	if err := r.scraper.start(ctx, host); err != nil {
		return err
	}
	r.instances.warn(r.scraper)
	r.started = true
	r.scraper.reportTo(r.signal, host)
	r.scraper.run(r.signal, 1)
	return nil
}

func (r *reference) shutdown(ctx context.Context) error {
	var err error
	if r.started {
		err = r.scraper.finish(func() error { return r.last(ctx) })
		r.scraper.reportTo(r.signal, nil)
		r.scraper.run(r.signal, -1)
	}
	if r.instances.release(r.scraper.config) {
		err = errors.Join(err, r.scraper.shutdown(ctx))
	}
	return err
}

// collectMetrics makes one collection.
func (r *reference) collectMetrics(ctx context.Context) (pmetric.Metrics, error) {
	return r.scraper.scrape(ctx)
}

// collectLogs returns the events since the last call.
func (r *reference) collectLogs(ctx context.Context) (plog.Logs, error) {
	return r.scraper.scrapeLogs(ctx)
}
