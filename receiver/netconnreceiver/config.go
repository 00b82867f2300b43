package netconnreceiver

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metrics"
)

// ErrorMode tells what to do when the kernel does not let netconn start.
type ErrorMode string

const (
	ErrorModePropagate ErrorMode = "propagate" // the collector does not start
	ErrorModeIgnore    ErrorMode = "ignore"    // a permanent component status; the collector runs without these metrics
)

// Temporality tells what counters and histograms count from. netconn.active is cumulative with either.
type Temporality string

const (
	TemporalityCumulative Temporality = "cumulative" // since their flow began
	TemporalityDelta      Temporality = "delta"      // since the collection before; what has not changed has no point
)

// maxBuckets bounds the points of a histogram: each bound is a number in each flow of each collection.
const maxBuckets = 12

// Config is the configuration of the receiver, netconn: in a collector's file.
type Config struct {
	// Collections start every collection_interval, the first one after initial_delay.
	scraperhelper.ControllerConfig `mapstructure:",squash"`
	// Switches and attributes of each metric, switches of the resource attributes.
	metadata.MetricsBuilderConfig `mapstructure:",squash"`

	// ErrorMode is propagate or ignore.
	ErrorMode ErrorMode `mapstructure:"error_mode"`
	// RootPath is where the host's /proc, /sys/fs/cgroup and /etc are, for instance /hostfs in a container.
	RootPath string `mapstructure:"root_path"`
	// NodeName becomes the resource attribute k8s.node.name. Empty: no such attribute.
	NodeName string `mapstructure:"node_name"`
	// LimitPerResource is how many flows one resource has; the connections beyond it share one overflow flow.
	LimitPerResource int `mapstructure:"limit_per_resource"`
	// MaxResources is how many containers and host services are told apart; those beyond it share one resource.
	MaxResources int `mapstructure:"max_resources"`
	// MaxConnections is how many connections are followed one by one; those beyond it are counted when they end.
	MaxConnections int `mapstructure:"max_connections"`
	// Temporality is cumulative or delta.
	Temporality Temporality `mapstructure:"temporality"`
	// ExpireAfter is how long a flow without live connections is still reported.
	ExpireAfter time.Duration `mapstructure:"expire_after"`
	// HistogramBuckets are the upper bounds, rising, of all histograms. Empty: 12 bounds from 50us to 10s.
	HistogramBuckets []time.Duration `mapstructure:"histogram_buckets"`
	// Networks are names for ranges of addresses; the narrowest range that holds an address names it.
	Networks map[string][]netip.Prefix `mapstructure:"networks"`
	// Events are those of a logs pipeline.
	Events EventsConfig `mapstructure:"events"`
	// Kubernetes is the API that knows peers by their names.
	Kubernetes pipeline.ClusterConfig `mapstructure:"kubernetes"`
}

// EventsConfig is about the log records of ended connections, which a receiver in a logs pipeline emits.
type EventsConfig struct {
	// Enabled tells whether there are any.
	Enabled bool `mapstructure:"enabled"`
	// MaxPerSecond is how many are emitted of the connections that end in a second; the rest is counted.
	MaxPerSecond int `mapstructure:"max_per_second"`
	// Switches of each event.
	metadata.EventsConfig `mapstructure:",squash"`
}

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	controller.CollectionInterval = 10 * time.Second
	d := pipeline.Defaults()
	return &Config{
		ControllerConfig:     controller,
		MetricsBuilderConfig: metrics.DefaultConfig(),
		ErrorMode:            ErrorModePropagate,
		RootPath:             d.Root,
		LimitPerResource:     d.Flows.LimitPerResource,
		MaxResources:         d.Flows.MaxResources,
		MaxConnections:       d.Flows.MaxConnections,
		Temporality:          TemporalityCumulative,
		ExpireAfter:          d.Flows.ExpireAfter,
		Events: EventsConfig{MaxPerSecond: d.Events.MaxPerSecond,
			EventsConfig: metadata.DefaultEventsConfig()},
		Kubernetes: d.Kubernetes,
	}
}

// buckets returns the upper bounds of the histograms in seconds.
func (c *Config) buckets() []float64 {
	if len(c.HistogramBuckets) == 0 {
		return flow.DefaultBuckets()
	}
	bounds := make([]float64, len(c.HistogramBuckets))
	for i, b := range c.HistogramBuckets {
		bounds[i] = b.Seconds()
	}
	return bounds
}

// options returns what the pipeline reads, and what it tells apart.
func (c *Config) options(mask func(flow.Key) flow.Key) pipeline.Options {
	return pipeline.Options{
		Root:       c.RootPath,
		Networks:   c.Networks,
		Kubernetes: c.cluster(),
		Flows: flow.Config{
			LimitPerResource: c.LimitPerResource,
			MaxResources:     c.MaxResources,
			MaxConnections:   c.MaxConnections,
			ExpireAfter:      c.ExpireAfter,
			Buckets:          c.buckets(),
		},
		Events: pipeline.EventOptions{
			Closed:       c.Events.Enabled && c.Events.NetconnConnectionClosed.Enabled,
			Failed:       c.Events.Enabled && c.Events.NetconnConnectionFailed.Enabled,
			MaxPerSecond: c.Events.MaxPerSecond,
			Interval:     c.CollectionInterval,
		},
		Mask: mask,
	}
}

// cluster returns how the API is reached from this node.
func (c *Config) cluster() pipeline.ClusterConfig {
	k := c.Kubernetes
	k.Node = c.NodeName
	return k
}

// Validate returns one error for each key that is wrong, and names the key in it. The embedded parts validate
// themselves.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateErrorMode(),
		c.validateRootPath(),
		atLeastOne("limit_per_resource", c.LimitPerResource),
		atLeastOne("max_resources", c.MaxResources),
		atLeastOne("max_connections", c.MaxConnections),
		c.validateTemporality(),
		atLeastOne("events::max_per_second", c.Events.MaxPerSecond),
		c.validateExpireAfter(),
		validateBuckets(c.HistogramBuckets),
		validateNetworks(c.Networks),
		metrics.Validate(c.Metrics),
		c.cluster().Check(),
	)
}

func (c *Config) validateErrorMode() error {
	switch c.ErrorMode {
	case ErrorModePropagate, ErrorModeIgnore:
		return nil
	}
	return fmt.Errorf("error_mode: must be %s or %s, not %q", ErrorModePropagate, ErrorModeIgnore, c.ErrorMode)
}

func (c *Config) validateTemporality() error {
	switch c.Temporality {
	case TemporalityCumulative, TemporalityDelta:
		return nil
	}
	return fmt.Errorf("temporality: must be %s or %s, not %q", TemporalityCumulative, TemporalityDelta, c.Temporality)
}

// The path is always one of Linux, also where a configuration is checked on another system.
func (c *Config) validateRootPath() error {
	if !path.IsAbs(c.RootPath) {
		return fmt.Errorf("root_path: must be an absolute path, not %q", c.RootPath)
	}
	return nil
}

// A flow that expires between two collections would lose what it counted since the last one.
func (c *Config) validateExpireAfter() error {
	if c.ExpireAfter <= c.CollectionInterval {
		return fmt.Errorf("expire_after: must be longer than collection_interval (%v), not %v",
			c.CollectionInterval, c.ExpireAfter)
	}
	return nil
}

func atLeastOne(key string, n int) error {
	if n < 1 {
		return fmt.Errorf("%s: must be at least 1, not %d", key, n)
	}
	return nil
}

func validateBuckets(bounds []time.Duration) error {
	if len(bounds) > maxBuckets {
		return fmt.Errorf("histogram_buckets: must be at most %d bounds, not %d", maxBuckets, len(bounds))
	}
	below := time.Duration(0)
	for _, b := range bounds {
		if b <= below {
			return fmt.Errorf("histogram_buckets: must be positive and rise, but %v follows %v", b, below)
		}
		below = b
	}
	return nil
}

func validateNetworks(networks map[string][]netip.Prefix) error {
	var errs error
	owner := make(map[netip.Prefix]string)
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		if name == "" || len(networks[name]) == 0 {
			errs = errors.Join(errs, fmt.Errorf("networks: %q must have a name and at least one range", name))
		}
		for _, p := range networks[name] {
			errs = errors.Join(errs, validateRange(name, p, owner))
		}
	}
	return errs
}

// validateRange remembers in owner who has the range: one range with two names would be named by chance.
func validateRange(name string, p netip.Prefix, owner map[netip.Prefix]string) error {
	if p != p.Masked() {
		return fmt.Errorf("networks::%s: %v is an address, the range is %v", name, p, p.Masked())
	}
	if other, taken := owner[p]; taken {
		return fmt.Errorf("networks::%s: %v belongs to %q already", name, p, other)
	}
	owner[p] = name
	return nil
}
