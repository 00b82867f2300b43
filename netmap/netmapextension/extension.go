package netmapextension

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/netconn/netconn/netmap/internal/alerts"
	"github.com/netconn/netconn/netmap/internal/history"
	"github.com/netconn/netconn/netmap/internal/signals"
	"github.com/netconn/netconn/netmap/internal/snap"
	"github.com/netconn/netconn/netmap/internal/store"
	"github.com/netconn/netconn/netmap/netmapextension/internal/metadata"
	"github.com/netconn/netconn/netmap/web"
)

// A sink takes in metrics.
type sink interface{ Add(pmetric.Metrics) }

// A netmap is the extension. It is the consumer that the exporter looks for.
type netmap struct {
	config    *Config
	settings  component.TelemetrySettings
	sink      sink
	source    snap.Source
	kept      *signals.Store
	telemetry *metadata.TelemetryBuilder
	server    *http.Server
	address   string // that it listens on, once started
	serving   sync.WaitGroup
	stop      context.CancelFunc // ends the polling of alerts
	past      *history.Source    // nil: there is none
}

var (
	_ consumer.Metrics = (*netmap)(nil)
	_ consumer.Traces  = (*netmap)(nil)
	_ consumer.Logs    = (*netmap)(nil)
)

func newNetmap(c *Config, set component.TelemetrySettings) *netmap {
	s := store.New(store.Config{MaxEdges: c.MaxEdges, MaxBytes: c.maxBytes(), Learning: c.LearningPeriod})
	return &netmap{config: c, settings: set, sink: s, source: s,
		kept: signals.New(signals.Config{MaxBytes: c.Signals.MaxMemoryMiB << 20})}
}

// Start begins to listen and to serve.
func (n *netmap) Start(ctx context.Context, host component.Host) error {
	past, err := n.config.History.source(ctx, host, n.settings)
	if err != nil {
		return err
	}
	if past != nil {
		n.past, n.source = past, &sources{recent: n.source, past: past}
	}
	if err := n.observe(); err != nil {
		return err
	}
	if err := n.config.removeStaleSocket(); err != nil {
		n.telemetry.Shutdown()
		return err
	}
	source, err := n.config.Alerts.source(ctx, host, n.settings)
	if err != nil {
		n.telemetry.Shutdown()
		return err
	}
	listener, err := n.config.ToListener(ctx)
	if err != nil {
		n.telemetry.Shutdown()
		return fmt.Errorf("listen for the network map: %w", err)
	}
	server, err := n.config.ToServer(ctx, host.GetExtensions(), n.settings, n.handler(source))
	if err != nil {
		n.telemetry.Shutdown()
		return errors.Join(fmt.Errorf("serve the network map: %w", err), listener.Close())
	}
	server.MaxHeaderBytes = maxHeaderBytes
	n.server, n.address = server, listener.Addr().String()
	scheme := "http"
	if n.config.TLS.HasValue() {
		scheme = "https"
	}
	n.settings.Logger.Info("Serving the network map.", zap.String("url", scheme+"://"+n.address+"/"))
	polling, stop := context.WithCancel(context.Background())
	n.stop = stop
	if source != nil {
		n.serving.Go(func() { source.Run(polling) })
	}
	n.serving.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			componentstatus.ReportStatus(host,
				componentstatus.NewFatalErrorEvent(fmt.Errorf("serve the network map: %w", err)))
		}
	})
	return nil
}

// Shutdown stops serving. Answers that are being made are still sent.
func (n *netmap) Shutdown(ctx context.Context) error {
	if n.server == nil {
		return nil
	}
	n.stop()
	err := n.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, n.server.Close())
	}
	n.serving.Wait()
	if n.past != nil {
		n.past.Close()
	}
	n.telemetry.Shutdown()
	return err
}

// Capabilities returns that signals are only read.
func (n *netmap) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeMetrics takes in the metrics of netconn, and CPU and memory of containers, and ignores others. It never fails:
// points that cannot be counted are counted as dropped.
func (n *netmap) ConsumeMetrics(_ context.Context, m pmetric.Metrics) error {
	n.sink.Add(m)
	n.kept.AddMetrics(m)
	return nil
}

// ConsumeTraces takes in spans. It never fails.
func (n *netmap) ConsumeTraces(_ context.Context, t ptrace.Traces) error {
	n.kept.AddTraces(t)
	return nil
}

// ConsumeLogs takes in log records and the events of netconn. It never fails.
func (n *netmap) ConsumeLogs(_ context.Context, l plog.Logs) error {
	n.kept.AddLogs(l)
	return nil
}

func (n *netmap) handler(source *alerts.Source) http.Handler {
	mux := http.NewServeMux()
	a := newAPI(n.config.Links, n.source, n.config.QueryTimeout)
	a.alerts, a.kept, a.thresholds, a.costs = source, n.kept, n.config.Thresholds, n.config.Costs
	mux.Handle("/api/", a.handler())
	mux.Handle("/", newPage(web.Files()))
	return guard(n.config, mux)
}
