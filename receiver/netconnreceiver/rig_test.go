package netconnreceiver

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/owner"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// A rig is a scraper on a machine whose parts a test replaces one by one, and what is told to its surroundings.
type rig struct {
	scraper *netconnScraper
	sockets pipeline.Sockets // what open returns
	tables  pipeline.Tables  // what ask returns
	openErr error
	hostErr error
	sources pipeline.Sources // what join returns

	tablesErr, sourceErr error

	logs   *observer.ObservedLogs
	events []*componentstatus.Event
	closed int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	set := receivertest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	return newRigWith(t, set, logs)
}

func newRigWith(t *testing.T, set receiver.Settings, logs *observer.ObservedLogs) *rig {
	t.Helper()
	r := &rig{logs: logs}
	r.sockets = pipeline.Sockets{
		Drain:    func(kernel.Handler) error { return nil },
		Snapshot: func(bool, kernel.Handler) error { return nil },
		Losses:   func() (conn.Losses, error) { return conn.Losses{}, nil },
		Stats:    func() (kernel.Stats, error) { return kernel.Stats{}, nil },
		Close:    func() error { r.closed++; return nil },
	}
	c := createDefaultConfig().(*Config)
	c.RootPath = emptyHost(t)
	s, err := newScraper(c, set, pipeline.Machine{
		Open: func() (pipeline.Sockets, error) { return r.sockets, r.openErr },
		Ask:  func(string, time.Time) (pipeline.Tables, error) { return r.tables, r.tablesErr },
		Host: func(string) (string, string, error) { return "4d3c", "node-1", r.hostErr },
		Join: func(pipeline.Options, func() time.Time) (pipeline.Sources, []error) {
			return r.sources, []error{r.sourceErr}
		},
		Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.scraper = s
	t.Cleanup(func() { _ = s.shutdown(context.Background()) })
	return r
}

// GetExtensions and Report make the rig a host that takes the status of its component.
func (*rig) GetExtensions() map[component.ID]component.Component { return nil }

func (r *rig) Report(e *componentstatus.Event) { r.events = append(r.events, e) }

func (r *rig) start(t *testing.T) {
	t.Helper()
	if err := r.scraper.start(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

// noCgroups is the warning of a host without cgroups, such as the rig's.
func (r *rig) noCgroups(t *testing.T) string {
	t.Helper()
	o, err := owner.New(r.scraper.config.RootPath)
	if err != nil || len(o.Warnings()) != 1 {
		t.Fatal("want one warning of a host without cgroups", err)
	}
	return o.Warnings()[0]
}

// told returns what was logged and reported, in order.
func (r *rig) told() []string {
	var all []string
	for _, l := range r.logs.All() {
		all = append(all, l.Message+" "+l.ContextMap()["error"].(string))
	}
	for _, e := range r.events {
		all = append(all, e.Status().String()+" "+e.Err().Error())
	}
	return all
}

var _ componentstatus.Reporter = (*rig)(nil)
