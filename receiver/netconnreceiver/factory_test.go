package netconnreceiver

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

func create(t *testing.T, c *Config) receiver.Metrics {
	t.Helper()
	r, err := NewFactory().CreateMetrics(
		context.Background(), receivertest.NewNopSettings(metadata.Type), c, consumertest.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestReceiverRefused cannot start on any machine: there is no such root. The collector shuts it down all the same.
func TestReceiverRefused(t *testing.T) {
	for _, mode := range []ErrorMode{ErrorModePropagate, ErrorModeIgnore} {
		t.Run(string(mode), func(t *testing.T) {
			c := createDefaultConfig().(*Config)
			c.RootPath, c.ErrorMode = "/nowhere", mode
			r := create(t, c)
			err := r.Start(context.Background(), componenttest.NewNopHost())
			if (err != nil) != (mode == ErrorModePropagate) {
				t.Errorf("start: got %v", err)
			}
			for range 2 {
				if err := r.Shutdown(context.Background()); err != nil {
					t.Errorf("shutdown: got %v", err)
				}
			}
		})
	}
}

func TestReceiverShutdownWithoutStart(t *testing.T) {
	r := create(t, createDefaultConfig().(*Config))
	for range 2 {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Errorf("got %v", err)
		}
	}
}

// TestReceiverShutdownError is returned once, by the first shutdown.
func TestReceiverShutdownError(t *testing.T) {
	broken := errors.New("broken")
	s := &stoppable{Component: brokenReceiver{broken}}
	if err := s.Shutdown(context.Background()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Errorf("again: got %v", err)
	}
}

type brokenReceiver struct{ err error }

func (brokenReceiver) Start(context.Context, component.Host) error { return nil }

func (b brokenReceiver) Shutdown(context.Context) error { return b.err }
