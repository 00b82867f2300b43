package netconnreceiver

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.uber.org/zap"

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
	startErr  error                         // what no receiver can start with
	status    func() *componentstatus.Event // what each receiver's status is; nil: nothing to tell

	reporting reporting // under mu

	mu       sync.Mutex
	pipeline *pipeline.Pipeline // nil when it is not running
	metrics  *metrics.Writer
	logs     *logs.Writer
	emitted  uint64       // events
	running  [signals]int // receivers

	stop     chan struct{} // closed by the first shutdown
	stopOnce sync.Once
	drains   sync.WaitGroup
}

func newScraper(c *Config, set receiver.Settings, m pipeline.Machine) (*netconnScraper, error) {
	o, err := telemetry.New(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &netconnScraper{config: c, machine: m, set: set, health: o, stop: make(chan struct{})}, nil
}

// start opens the kernel side and begins to read, for the first receiver that starts. Its error is a sentence on what is
// missing and what to do; with error_mode ignore that becomes the status of each receiver.
func (s *netconnScraper) start(_ context.Context, host component.Host) error {
	s.startOnce.Do(s.open)
	if s.startErr == nil && s.status != nil {
		componentstatus.ReportStatus(host, s.status())
	}
	return s.startErr
}

func (s *netconnScraper) open() {
	if s.startErr = s.health.Register(); s.startErr != nil {
		return
	}
	p, err := s.load()
	if err != nil {
		s.refuse(err)
		return
	}
	s.tell(p.Degraded())
	s.drains.Go(s.drainUntilStop)
}

// load opens the pipeline, and makes the writers of what it returns.
func (s *netconnScraper) load() (*pipeline.Pipeline, error) {
	version := s.set.BuildInfo.Version
	r := resources.New(s.config.ResourceAttributes)
	w := metrics.New(metrics.Options{
		Metrics:   s.config.Metrics,
		Resources: r,
		Delta:     s.config.Temporality == TemporalityDelta,
		Bounds:    s.config.buckets(),
		Version:   version,
		Start:     s.machine.Now(),
	})
	p, err := pipeline.Open(s.config.options(w.Mask), s.machine)
	if err != nil {
		return nil, err
	}
	r.Host = resources.Host{ID: p.Host().ID, Name: p.Host().Name, Node: s.config.NodeName}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pipeline, s.metrics, s.logs = p, w, &logs.Writer{Version: version, Resources: r}
	return p, nil
}

func (s *netconnScraper) refuse(err error) {
	if s.config.ErrorMode == ErrorModePropagate {
		s.startErr = err
		return
	}
	s.set.Logger.Error("No connections are read.", zap.Error(err))
	s.status = func() *componentstatus.Event { return componentstatus.NewPermanentErrorEvent(err) }
}

// tell names once what is missing. The status is that of an error one can live with: all else works.
func (s *netconnScraper) tell(degraded []error) {
	if len(degraded) == 0 {
		return
	}
	for _, err := range degraded {
		s.set.Logger.Warn("Something is missing.", zap.Error(err))
	}
	s.status = func() *componentstatus.Event {
		return componentstatus.NewRecoverableErrorEvent(errors.Join(degraded...))
	}
}

// run counts the receivers of a signal that run, more or fewer by n. Events are kept while somebody takes them.
func (s *netconnScraper) run(of signal, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[of] += n
	if s.pipeline != nil {
		s.pipeline.WantEvents(s.running[signalLogs] > 0)
	}
}

// scrape is one collection; time enters here. A failure is partial: what could be read is returned with it.
func (s *netconnScraper) scrape(context.Context) (pmetric.Metrics, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipeline == nil {
		return pmetric.NewMetrics(), nil
	}
	now := s.machine.Now()
	flows, err := s.pipeline.Collect(now)
	md := s.metrics.Write(flows, now)
	s.retell()
	err = errors.Join(err, s.readHealth())
	if err != nil {
		return md, scrapererror.NewPartialScrapeError(err, 0)
	}
	return md, nil
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
	if s.running[signalMetrics] == 0 {
		_, collectErr := s.pipeline.Collect(now)
		err = errors.Join(collectErr, s.readHealth())
		s.retell()
	}
	told := s.logs.Write(s.pipeline.Events(now))
	s.emitted += uint64(told.LogRecordCount())
	if err != nil {
		return told, scrapererror.NewPartialScrapeError(err, 0)
	}
	return told, nil
}

// readHealth has the receiver's own metrics show how the pipeline is.
func (s *netconnScraper) readHealth() error {
	h, err := s.pipeline.Health()
	if err == nil {
		s.health.Set(h, s.emitted)
	}
	return err
}

func (s *netconnScraper) drainUntilStop() {
	ticker := time.NewTicker(pipeline.DrainInterval)
	defer ticker.Stop()
	failed := false
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		err := s.drain()
		if err != nil && !failed { // ten lines a second help nobody
			s.set.Logger.Error("Connections are read at collections only.", zap.Error(err))
		}
		failed = err != nil
	}
}

func (s *netconnScraper) drain() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipeline == nil {
		return nil
	}
	return s.pipeline.Drain(s.machine.Now())
}

// shutdown waits for what runs, and leaves nothing in the kernel. It may come without a start, twice, and during a
// scrape.
func (s *netconnScraper) shutdown(context.Context) error {
	s.stopOnce.Do(func() { close(s.stop) })
	s.drains.Wait()
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
