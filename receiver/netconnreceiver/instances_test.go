package netconnreceiver

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/kernel"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// A factoryRig is a factory on a rig's machine, which counts how often it is opened and closed.
type factoryRig struct {
	*rig
	t       *testing.T
	factory receiver.Factory

	mu             sync.Mutex
	opened, closed int
}

func newFactoryRig(t *testing.T) *factoryRig {
	r := &factoryRig{rig: newRig(t), t: t}
	m := r.scraper.machine
	m.Open = func() (pipeline.Sockets, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.openErr == nil {
			r.opened++
		}
		s := r.sockets
		s.Close = func() error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.closed++
			return nil
		}
		return s, r.openErr
	}
	r.factory = newFactory(m)
	return r
}

// config is one that a collector would have for a component ID.
func (r *factoryRig) config() *Config {
	c := createDefaultConfig().(*Config)
	c.RootPath, c.CollectionInterval, c.InitialDelay = r.scraper.config.RootPath, 1e7, 0
	c.Events.Enabled, c.Events.MaxPerSecond = true, 1e6
	return c
}

func (r *factoryRig) metrics(c *Config, next consumer.Metrics) component.Component {
	r.t.Helper()
	created, err := r.factory.CreateMetrics(context.Background(), r.scraper.set, c, next)
	if err != nil {
		r.t.Fatal(err)
	}
	return created
}

func (r *factoryRig) logs(c *Config, next consumer.Logs) component.Component {
	r.t.Helper()
	created, err := r.factory.CreateLogs(context.Background(), r.scraper.set, c, next)
	if err != nil {
		r.t.Fatal(err)
	}
	return created
}

func (r *factoryRig) begin(all ...component.Component) {
	r.t.Helper()
	for _, c := range all {
		if err := c.Start(context.Background(), r); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *factoryRig) end(all ...component.Component) {
	r.t.Helper()
	for _, c := range all {
		if err := c.Shutdown(context.Background()); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *factoryRig) wantLoads(what string, opened, closed int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opened != opened || r.closed != closed {
		r.t.Errorf("%s: opened %d and closed %d times, want %d and %d", what, r.opened, r.closed, opened, closed)
	}
}

// TestOneLoadForBothSignals opens the kernel side once, in whatever order its receivers start and stop.
func TestOneLoadForBothSignals(t *testing.T) {
	for _, logsFirst := range []bool{false, true} {
		r := newFactoryRig(t)
		c := r.config()
		first, second := r.metrics(c, consumertest.NewNop()), r.logs(c, consumertest.NewNop())
		if logsFirst {
			first, second = second, first
		}
		r.wantLoads("created", 0, 0)
		r.begin(first)
		r.wantLoads("one started", 1, 0)
		r.begin(second)
		r.wantLoads("both started", 1, 0)
		r.end(first, first)
		r.wantLoads("one shut down, twice", 1, 0)
		r.end(second)
		r.wantLoads("both shut down", 1, 1)
	}
}

// TestTwoLoads are those of two configurations, and of one that is used again after all of its receivers are gone.
func TestTwoLoads(t *testing.T) {
	r := newFactoryRig(t)
	a, b := r.config(), r.config()
	one, other := r.metrics(a, consumertest.NewNop()), r.logs(b, consumertest.NewNop())
	r.begin(one, other)
	r.wantLoads("two", 2, 0)
	r.end(one)
	r.wantLoads("one is left", 2, 1)
	again := r.logs(a, consumertest.NewNop())
	r.begin(again)
	r.wantLoads("again", 3, 1)
	r.end(again, other)
	r.wantLoads("all shut down", 3, 3)
}

// TestSharedWithoutStart is shut down by a collector that could not start something else.
func TestSharedWithoutStart(t *testing.T) {
	r := newFactoryRig(t)
	c := r.config()
	metrics, logs := r.metrics(c, consumertest.NewNop()), r.logs(c, consumertest.NewNop())
	r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
		h.Conn(conn.Conn{Socket: conn.Socket{ID: conn.ID{Cookie: 1}, Role: conn.RoleClient, Phase: conn.Failed}})
		return nil
	}
	r.begin(metrics)
	r.end(logs)
	r.wantLoads("the other one was never started", 1, 0)
	to := &sink{t: t, news: make(chan struct{}, 1)}
	later := r.logs(c, to.logs())
	r.begin(later)
	to.wait(1, 0)
	r.end(metrics, later)
	r.wantLoads("all shut down", 1, 1)
}

// TestSharedRefused tells both receivers why: as an error, or as the status of each.
func TestSharedRefused(t *testing.T) {
	r := newFactoryRig(t)
	r.openErr = errNoBTF
	c := r.config()
	for _, u := range []component.Component{r.metrics(c, consumertest.NewNop()), r.logs(c, consumertest.NewNop())} {
		if err := u.Start(context.Background(), r); !errors.Is(err, errNoBTF) {
			t.Errorf("got %v", err)
		}
		defer r.end(u)
	}
	c = r.config()
	c.ErrorMode = ErrorModeIgnore
	metrics, logs := r.metrics(c, consumertest.NewNop()), r.logs(c, consumertest.NewNop())
	r.begin(metrics, logs)
	r.end(metrics, logs)
	status := "StatusPermanentError " + errNoBTF.Error()
	want := []string{"No connections are read. " + errNoBTF.Error(), status, status}
	if diff := cmp.Diff(want, r.told()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLogsWithoutEvents(t *testing.T) {
	r := newFactoryRig(t)
	core, told := observer.New(zap.WarnLevel)
	set := receivertest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	r.scraper.set = set
	c := r.config()
	r.end(r.logs(c, consumertest.NewNop()))
	c.Events.Enabled = false
	r.end(r.logs(c, consumertest.NewNop()))
	var messages []string
	for _, l := range told.All() {
		messages = append(messages, l.Message)
	}
	want := []string{"A logs pipeline has this receiver, but events::enabled is false: it gets no logs."}
	if diff := cmp.Diff(want, messages); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// warnings returns what the receivers of the factory log, but for what the rig's machine lacks.
func (r *factoryRig) warnings() func() []string {
	core, told := observer.New(zap.WarnLevel)
	r.scraper.set.Logger = zap.New(core)
	return func() (messages []string) {
		for _, l := range told.TakeAll() {
			if l.Message == "Something is missing." {
				continue
			}
			messages = append(messages, l.Message)
		}
		return messages
	}
}

// TestEventsWithoutLogs warns once, if no logs pipeline has the receiver in whatever order they start.
func TestEventsWithoutLogs(t *testing.T) {
	r := newFactoryRig(t)
	warnings := r.warnings()
	c := r.config()
	metrics := r.metrics(c, consumertest.NewNop())
	r.begin(metrics)
	want := []string{"events::enabled is true, but no logs pipeline has this receiver: there are no events."}
	if diff := cmp.Diff(want, warnings()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.end(metrics)
	c = r.config()
	metrics, logs := r.metrics(c, consumertest.NewNop()), r.logs(c, consumertest.NewNop())
	r.begin(metrics, logs)
	r.end(metrics, logs)
	c = r.config()
	c.Events.Enabled = false
	metrics = r.metrics(c, consumertest.NewNop())
	r.begin(metrics)
	r.end(metrics)
	if got := warnings(); got != nil {
		t.Errorf("warned of %q", got)
	}
}

// TestTwoReceiversOfOneHost of one host are warned of once, when the second one starts.
func TestTwoReceiversOfOneHost(t *testing.T) {
	r := newFactoryRig(t)
	warnings := r.warnings()
	a, b := r.config(), r.config()
	a.Events.Enabled, b.Events.Enabled = false, false
	one, other := r.metrics(a, consumertest.NewNop()), r.metrics(b, consumertest.NewNop())
	r.begin(one)
	if got := warnings(); got != nil {
		t.Errorf("the first: %q", got)
	}
	r.begin(other)
	want := []string{"Another receiver reads the same connections. Sums over both count each connection twice; " +
		"one receiver can be in several pipelines."}
	if diff := cmp.Diff(want, warnings()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.end(one, other)
}

// TestSharedExactly closes connections while both receivers run, a few at each collection: each of them tells all,
// once.
func TestSharedExactly(t *testing.T) {
	const each, collections = 7, 20
	r := newFactoryRig(t)
	cookie := uint64(0)
	r.sockets.Snapshot = func(_ bool, h kernel.Handler) error {
		for n := 0; n < each && cookie < each*collections; n++ {
			cookie++
			h.Conn(conn.Conn{
				Socket: conn.Socket{
					ID: conn.ID{Cookie: cookie}, Role: conn.RoleClient, Phase: conn.Closed, SeenOpening: true,
				},
			})
		}
		return nil
	}
	c, to := r.config(), &sink{t: t, news: make(chan struct{}, 1)}
	receivers := []component.Component{r.logs(c, to.logs()), r.metrics(c, to.metrics())}
	r.begin(receivers...)
	to.wait(each*collections, each*collections)
	r.end(receivers...)
	if to.told != each*collections || to.total != each*collections {
		t.Errorf("%d events and %d closed, want %d of each", to.told, to.total, each*collections)
	}
}

// TestLogsAlone collect too: without a metrics receiver no other one does.
func TestLogsAlone(t *testing.T) {
	r := newFactoryRig(t)
	passes := 0
	r.sockets.Losses = func() (conn.Losses, error) { return conn.Losses{conn.LostKnown: 1}, nil }
	r.sockets.Snapshot = func(all bool, h kernel.Handler) error {
		if all {
			passes++
		}
		h.Conn(conn.Conn{Socket: conn.Socket{ID: conn.ID{Cookie: 1}, Role: conn.RoleClient, Phase: conn.Failed}})
		return nil
	}
	c, to := r.config(), &sink{t: t, news: make(chan struct{}, 1)}
	logs := r.logs(c, to.logs())
	r.begin(logs)
	to.wait(10, 0)
	r.end(logs)
	if passes < lostPasses {
		t.Errorf("%d full passes after a loss, want %d", passes, lostPasses)
	}
}

// lostPasses are how many full passes follow a loss.
const lostPasses = 2
