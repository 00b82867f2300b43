package netmapextension

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"

	"github.com/netconn/netconn/netmap/internal/history"
	"github.com/netconn/netconn/netmap/internal/snap"
)

// HistoryConfig is the store that has what the map does not remember. Without an endpoint there is none.
type HistoryConfig struct {
	// How to reach it: endpoint, tls, auth, headers, timeout (of one query) and what else the Collector's clients have.
	confighttp.ClientConfig `mapstructure:",squash"`

	// Labels are labels that all series must have, where a store has the edges of several maps.
	Labels map[string]string `mapstructure:"labels"`
	// Cache is how long an answer of the store is used.
	Cache time.Duration `mapstructure:"cache"`
	// MaxSeries is how many series an answer of the store may have.
	MaxSeries int `mapstructure:"max_series"`
	// MaxSizeMiB is how large an answer of the store may be.
	MaxSizeMiB int `mapstructure:"max_size_mib"`
	// MaxQueries is how many queries run at a time.
	MaxQueries int `mapstructure:"max_queries"`
}

const (
	mostSeries  = 10_000_000
	mostSizeMiB = 4096
	mostQueries = 100
)

func defaultHistory() HistoryConfig {
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 20 * time.Second
	return HistoryConfig{
		ClientConfig: client, Cache: 30 * time.Second, MaxSeries: 200_000, MaxSizeMiB: 128, MaxQueries: 4,
	}
}

func (c *HistoryConfig) validate() error {
	if c.Endpoint == "" {
		return nil
	}
	var timeout error
	if c.Timeout <= 0 {
		timeout = fmt.Errorf("history::timeout: must be positive, but is %v", c.Timeout)
	}
	if !isWeb(c.Endpoint) {
		return errors.New("history::endpoint: must begin with http:// or https:// and a host")
	}
	if c.Cache < time.Second || c.Cache > 10*time.Minute {
		return fmt.Errorf("history::cache: must be from 1s to 10m, not %v", c.Cache)
	}
	for name := range c.Labels {
		if name == "" || name == "__name__" {
			return fmt.Errorf("history::labels: %q is no label that series may be chosen by", name)
		}
	}
	return errors.Join(
		timeout,
		upTo("history::max_series", c.MaxSeries, mostSeries),
		upTo("history::max_size_mib", c.MaxSizeMiB, mostSizeMiB),
		upTo("history::max_queries", c.MaxQueries, mostQueries),
	)
}

func upTo(key string, n, most int) error {
	if n < 1 || n > most {
		return fmt.Errorf("%s: must be from 1 to %d, not %d", key, most, n)
	}
	return nil
}

// source returns the store as a source; nil: there is none.
func (c *HistoryConfig) source(ctx context.Context, host component.Host, set component.TelemetrySettings) (
	*history.Source, error,
) {
	if c.Endpoint == "" {
		return nil, nil
	}
	client, err := c.ToClient(ctx, host.GetExtensions(), set)
	if err != nil {
		return nil, fmt.Errorf("reach the store of the history: %w", err)
	}
	return history.New(history.Config{
		Client: client, Endpoint: c.Endpoint, Timeout: c.Timeout, Cache: c.Cache, Labels: c.Labels,
		MaxSeries: c.MaxSeries, MaxBytes: int64(c.MaxSizeMiB) << 20, Queries: c.MaxQueries,
	}), nil
}

// Sources are what the map remembers, and a store that has the rest. A map that has received nothing, because no
// pipeline feeds it, has everything from the store.
type sources struct {
	recent snap.Source
	past   hourly
}

// An hourly source is faster for an answer without a history, as history.Source is.
type hourly interface {
	snap.Source
	Hours(ctx context.Context, r snap.Range, sums bool, wants ...snap.Want) (*snap.Snapshot, error)
}

// live reports whether metrics have arrived.
func (s *sources) live() bool { return s.recent.Version().Generation > 0 }

// Spans returns the steps of both.
func (s *sources) Spans() snap.Spans {
	if !s.live() {
		return s.past.Spans()
	}
	all := append(snap.Spans{}, s.recent.Spans()...)
	for _, span := range s.past.Spans() {
		if span.Length > s.recent.Spans().Longest() {
			all = append(all, span)
		}
	}
	return all
}

// Range returns the steps of the source that has the window.
func (s *sources) Range(window, end int64) snap.Range {
	if s.live() {
		if r := s.recent.Range(window, end); s.remembers(r, 0) {
			return r
		}
	}
	return s.past.Range(window, end)
}

// remembers reports whether a range is of the time that the map remembers. A range that was chosen some seconds ago may
// begin a little earlier.
func (s *sources) remembers(r snap.Range, slack int64) bool {
	held := s.recent.Spans().Longest()
	return r.To-r.From <= held && r.From >= time.Now().Unix()-held-slack
}

// Snapshot returns the edges of a range.
func (s *sources) Snapshot(ctx context.Context, r snap.Range, wants ...snap.Want) (*snap.Snapshot, error) {
	if s.live() && s.remembers(r, r.Step) {
		return s.recent.Snapshot(ctx, r, wants...)
	}
	return s.past.Snapshot(ctx, r, wants...)
}

// Hours returns a snapshot of an answer without a history. What is remembered is fast already.
func (s *sources) Hours(ctx context.Context, r snap.Range, sums bool, wants ...snap.Want) (*snap.Snapshot, error) {
	if s.live() && s.remembers(r, r.Step) {
		return s.recent.Snapshot(ctx, r, wants...)
	}
	return s.past.Hours(ctx, r, sums, wants...)
}

// Version changes if that of one of both does.
func (s *sources) Version() snap.Version {
	v := s.recent.Version()
	if v.Generation == 0 {
		return s.past.Version() // the same in all replicas
	}
	v.Generation += s.past.Version().Generation
	return v
}

// Status returns what is remembered, and the state of the store.
func (s *sources) Status() snap.Status {
	status := s.recent.Status()
	status.Remote = s.past.Status().Remote
	return status
}
