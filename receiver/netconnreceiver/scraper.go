package netconnreceiver

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.uber.org/zap"

	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/logs"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metrics"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/resources"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/telemetry"
)

// A netconnScraper runs a pipeline between start and shutdown, for a metrics receiver, a logs receiver or both.
type netconnScraper struct {
	config  *Config
	machine pipeline.Machine
	set     receiver.Settings // of the receiver that came first
	health  *telemetry.Telemetry

	startOnce sync.Once
	startErr  error // no receiver can start with it

	mu       sync.Mutex
	status   status
	pipeline *pipeline.Pipeline // nil when it is not running
	opened   time.Time
	places   *resources.Resources
	metrics  *metrics.Writer
	logs     *logs.Writer
	given    given // events that were not accepted yet
	sent     telemetry.Sent
	running  [signals]int // receivers
	last     bool         // a receiver makes its last collection

	stop     chan struct{} // closed by the first shutdown
	stopOnce sync.Once
	work     sync.WaitGroup
}

func newScraper(c *Config, set receiver.Settings, m pipeline.Machine) (*netconnScraper, error) {
	o, err := telemetry.New(set.TelemetrySettings, set.ID)
	if err != nil {
		return nil, err
	}
	return &netconnScraper{
		config: c, machine: m, set: set, health: o, status: newStatus(set.Logger), stop: make(chan struct{}),
	}, nil
}

// start opens the pipeline and begins to read, for the first receiver that starts. Its error is a sentence on what is
// missing and what to do; with error_mode ignore that becomes the status of each receiver.
func (s *netconnScraper) start(_ context.Context, host component.Host) error {
	s.startOnce.Do(s.open)
	if s.startErr != nil {
		return s.startErr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.begin(host)
	return nil
}

func (s *netconnScraper) open() {
	if s.startErr = s.health.Register(); s.startErr != nil {
		return
	}
	missing, err := s.load()
	switch {
	case err == nil:
		s.status.miss(missing)
		s.logCapacity()
		s.work.Go(s.drainUntilStop)
		s.work.Go(s.adopt)
	case s.config.ErrorMode == ErrorModePropagate:
		s.startErr = err
	default:
		s.status.refuse(err)
	}
}

// logCapacity says where the limit of connections is from, which depends on the machine.
func (s *netconnScraper) logCapacity() {
	c := s.pipeline.Capacity()
	if c.Warning != "" {
		s.set.Logger.Warn("Too many connections may be followed.", zap.String("error", c.Warning))
	}
	s.set.Logger.Info("Connections are followed one by one.", zap.Int("max_connections", c.Connections),
		zap.Int("sockets", c.Sockets), zap.Int64("memory_limit", c.Limit.Bytes), zap.String("source", c.Limit.Source))
}

// load opens the pipeline, makes the writers of what it returns, and returns what it works without.
func (s *netconnScraper) load() (missing []error, err error) {
	version, now := s.set.BuildInfo.Version, s.machine.Now()
	r := resources.New(s.config.ResourceAttributes)
	w := metrics.New(metrics.Options{
		Metrics:     s.config.Metrics,
		Resources:   r,
		Delta:       s.config.Temporality == TemporalityDelta,
		Bounds:      s.config.bounds(),
		Exponential: s.config.Histograms == HistogramsExponential,
		Version:     version,
		Start:       now,
	})
	p, err := pipeline.Open(s.config.options(w.Mask), s.machine)
	if err != nil {
		return nil, err
	}
	r.Host = resources.Host{ID: p.Host().ID, Name: p.Host().Name, Node: s.config.NodeName}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened, s.places = now, r
	s.pipeline, s.metrics, s.logs = p, w, &logs.Writer{Version: version, Resources: r}
	return p.Degraded(), nil
}

// reportTo sets the host that has the status of a signal's receiver; nil: it does not run.
func (s *netconnScraper) reportTo(of signal, host component.Host) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.hosts[of] = host
}

// run adds n to the receivers of a signal that run. Events are kept while one takes them.
func (s *netconnScraper) run(of signal, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[of] += n
	if s.pipeline != nil {
		s.pipeline.WantEvents(s.running[signalLogs] > 0)
	}
}

// scrape makes one collection, at one time. A failure is partial: what could be read is returned with it.
func (s *netconnScraper) scrape(context.Context) (pmetric.Metrics, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipeline == nil {
		return pmetric.NewMetrics(), nil
	}
	now := s.machine.Now()
	md := pmetric.NewMetrics()
	var err error
	if s.locate(now) || s.last {
		var flows []flow.Resource
		flows, err = s.pipeline.Collect(now)
		md = s.metrics.Write(flows, now)
	}
	s.status.update(s.pipeline.Faults(), now)
	err = errors.Join(err, s.readHealth())
	if err != nil {
		return md, scrapererror.NewPartialScrapeError(err, 0)
	}
	return md, nil
}

// locate gives the resources the zone of the node, and reports whether they can be written. The first collections may
// be too early for the Kubernetes API. A later one has all that they would have had.
func (s *netconnScraper) locate(now time.Time) bool {
	zone, region, settled := s.pipeline.Here()
	s.places.Locate(zone, region)
	return settled || now.Sub(s.opened) >= pipeline.StartPatience
}

// scrapeLogs returns the events since the last call. Without a metrics receiver it is a collection too.
func (s *netconnScraper) scrapeLogs(context.Context) (plog.Logs, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipeline == nil {
		return plog.NewLogs(), nil
	}
	now := s.machine.Now()
	var err error
	s.locate(now)
	if s.running[signalMetrics] == 0 {
		_, collectErr := s.pipeline.Collect(now)
		err = errors.Join(collectErr, s.readHealth())
		s.status.update(s.pipeline.Faults(), now)
	}
	s.given.events = s.pipeline.Events(now)
	ld := s.logs.Write(s.given.events)
	s.given.records = ld.LogRecordCount()
	if err != nil {
		return ld, scrapererror.NewPartialScrapeError(err, 0)
	}
	return ld, nil
}

// finish makes the last collection of a receiver: no identity is waited for.
func (s *netconnScraper) finish(collect func() error) error {
	s.takeAsFinal(true)
	defer s.takeAsFinal(false)
	return collect()
}

func (s *netconnScraper) takeAsFinal(final bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last = final; s.pipeline != nil {
		s.pipeline.TakeAsFinal(final)
	}
}

// readHealth has the receiver's own metrics show the health of the pipeline.
func (s *netconnScraper) readHealth() error {
	h, err := s.pipeline.Health()
	if err == nil {
		s.health.Set(h, s.sent)
	}
	return err
}

// adopt finds the connections that are open already. A collector with hundreds of thousands of them starts at once.
func (s *netconnScraper) adopt() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-s.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := s.pipeline.Adopt(ctx); err != nil {
		s.set.Logger.Error("Some of the connections that were open at the start are not read.", zap.Error(err))
	}
}

// drainUntilStop reads ten times a second, and while the kernel reports nothing, once it does.
func (s *netconnScraper) drainUntilStop() {
	timer := time.NewTimer(pipeline.DrainInterval)
	defer timer.Stop()
	failed := false
	for {
		select {
		case <-s.stop:
			return
		case <-timer.C:
		}
		began := time.Now()
		p, err := s.drain()
		if err != nil && !failed { // once, not ten times a second
			s.set.Logger.Error("Connections are read at collections only.", zap.Error(err))
		}
		if failed = err != nil; p != nil {
			p.Wait()
			began = time.Now()
		}
		timer.Reset(pipeline.DrainInterval - time.Since(began))
	}
}

// drain reads once, and returns the pipeline if it is quiet.
func (s *netconnScraper) drain() (quiet *pipeline.Pipeline, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipeline == nil {
		return nil, nil
	}
	if err := s.pipeline.Drain(s.machine.Now()); err != nil || !s.pipeline.Quiet() {
		return nil, err
	}
	return s.pipeline, nil
}

// wake ends a wait.
func (s *netconnScraper) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipeline != nil {
		s.pipeline.Wake()
	}
}

// shutdown waits for what runs, and leaves nothing in the kernel. It may be called without a start, twice, and during a
// scrape.
func (s *netconnScraper) shutdown(context.Context) error {
	s.stopOnce.Do(func() { close(s.stop) })
	s.wake()
	s.work.Wait()
	s.health.Unregister()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipeline == nil {
		return nil
	}
	p := s.pipeline
	s.pipeline = nil
	return p.Close()
}
