package netconnreceiver

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/pipeline"
	"github.com/netconn/netconn/internal/schema"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/attributes"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metrics"
)

// ErrorMode is what happens if the kernel does not let netconn start, or the Kubernetes API cannot be reached with this
// configuration.
type ErrorMode string

const (
	ErrorModePropagate ErrorMode = "propagate" // the collector does not start
	ErrorModeIgnore    ErrorMode = "ignore"    // a permanent component status; the collector runs without these metrics
)

// Choices returns all modes.
func (ErrorMode) Choices() []string {
	return []string{string(ErrorModePropagate), string(ErrorModeIgnore)}
}

// Temporality is the moment that counters and histograms count from. netconn.active is cumulative with either.
type Temporality string

const (
	TemporalityCumulative Temporality = "cumulative" // since their flow began
	TemporalityDelta      Temporality = "delta"      // since the collection before; what has not changed has no point
)

// Choices returns all temporalities.
func (Temporality) Choices() []string {
	return []string{string(TemporalityCumulative), string(TemporalityDelta)}
}

// Histograms is the kind of the histograms.
type Histograms string

const (
	HistogramsExplicit    Histograms = "explicit"    // with a few bounds
	HistogramsExponential Histograms = "exponential" // with many narrow buckets, a native histogram of Prometheus
)

// Choices returns all kinds.
func (Histograms) Choices() []string {
	return []string{string(HistogramsExplicit), string(HistogramsExponential)}
}

// Detail is how much of the other end the attributes of points say.
type Detail string

const (
	DetailWorkload  Detail = "workload"  // which workload or service it is, and what was asked for
	DetailContainer Detail = "container" // also its container and version, and how addresses were translated
	DetailFull      Detail = "full"      // also its pod, node and zone
)

// Choices returns all levels, each with more than the one before.
func (Detail) Choices() []string {
	return []string{string(DetailWorkload), string(DetailContainer), string(DetailFull)}
}

// maxBuckets bounds the points of a histogram: each bound is a number in each flow of each collection.
const maxBuckets = 12

// Config is the configuration of the receiver, netconn: in a collector's file.
type Config struct {
	// CollectionInterval is the time between two collections.
	CollectionInterval time.Duration `mapstructure:"collection_interval"`
	// InitialDelay is the time from the start to the first collection.
	InitialDelay time.Duration `mapstructure:"initial_delay"`
	// Timeout bounds the time that a collection may take. Zero: no bound.
	Timeout time.Duration `mapstructure:"timeout"`

	// Detail is which attributes the points of all metrics have: workload, container or full.
	Detail Detail `mapstructure:"detail"`
	// Attributes switches single attributes on or off for all metrics alike, whatever Detail says.
	Attributes map[string]bool `mapstructure:"attributes"`
	// Metrics switches each metric on or off. A list of attributes of a metric replaces what Detail and Attributes say.
	Metrics metadata.MetricsConfig `mapstructure:"metrics"`
	// ResourceAttributes switches each resource attribute on or off.
	ResourceAttributes metadata.ResourceAttributesConfig `mapstructure:"resource_attributes"`

	// ErrorMode is propagate (the collector does not start) or ignore (a permanent component status, no metrics).
	ErrorMode ErrorMode `mapstructure:"error_mode"`
	// RootPath is where the host's /proc, /sys/fs/cgroup and /etc are, for instance /hostfs in a container.
	RootPath string `mapstructure:"root_path"`
	// NodeName becomes the resource attribute k8s.node.name. Empty: no such attribute.
	NodeName string `mapstructure:"node_name"`
	// LimitPerResource is how many flows one resource has; the connections beyond it share one overflow flow.
	LimitPerResource int `mapstructure:"limit_per_resource"`
	// MaxResources is how many containers and host services have a resource of their own; the rest shares one.
	MaxResources int `mapstructure:"max_resources"`
	// MaxConnections is how many connections are followed one by one; those beyond it are counted when they end.
	// Zero: as many as fit into the memory limit.
	MaxConnections int `mapstructure:"max_connections"`
	// Temporality is cumulative (since a flow began) or delta (since the collection before).
	Temporality Temporality `mapstructure:"temporality"`
	// ExpireAfter is how long a flow without live connections is still reported.
	ExpireAfter time.Duration `mapstructure:"expire_after"`
	// Histograms is explicit (a series of each bucket) or exponential (one series in a backend that has native
	// histograms).
	Histograms Histograms `mapstructure:"histograms"`
	// HistogramBuckets are the upper bounds, rising, of all explicit histograms. Empty: few, by measure.
	HistogramBuckets []time.Duration `mapstructure:"histogram_buckets"`
	// Networks are names for ranges of addresses; the narrowest range that holds an address names it.
	Networks map[string][]Range `mapstructure:"networks"`
	// Services are ranges of service addresses. Such an address is never the actual server.
	Services []Range `mapstructure:"services"`
	// DNS is which DNS exchanges are followed: off, servers (those of containers and units that serve DNS) or all.
	DNS pipeline.DNSMode `mapstructure:"dns"`
	// PeerDomains is how many names of peers outside one resource has in netconn.peer.domain; 0: none.
	PeerDomains int `mapstructure:"peer_domains"`
	// Events are the log records of a logs pipeline.
	Events EventsConfig `mapstructure:"events"`
	// UDP is which UDP sockets are counted: off, used (in cgroups that use UDP, without DNS) or all (and DNS).
	UDP pipeline.UDP `mapstructure:"udp"`
	// Drops is whether dropped packets are counted by the kernel's reason: off or on.
	Drops pipeline.DropsMode `mapstructure:"drops"`
	// Kubernetes is the API that has the names of peers.
	Kubernetes pipeline.ClusterConfig `mapstructure:"kubernetes"`
}

// EventsConfig chooses the log records of ended connections, which a receiver in a logs pipeline emits.
type EventsConfig struct {
	// Enabled switches all events on.
	Enabled bool `mapstructure:"enabled"`
	// MaxPerSecond is how many are emitted for the connections that end in a second; the rest is counted.
	MaxPerSecond int `mapstructure:"max_per_second"`
	// OpenInterval is how often a live connection is reported, if netconn.connection.open is enabled.
	OpenInterval time.Duration `mapstructure:"open_interval"`
	// Switches of each event.
	metadata.EventsConfig `mapstructure:",squash"`
}

func createDefaultConfig() component.Config {
	controller := scraperhelper.NewDefaultControllerConfig()
	d, builder := pipeline.Defaults(), metrics.DefaultConfig()
	return &Config{
		CollectionInterval: 10 * time.Second,
		InitialDelay:       controller.InitialDelay,
		Timeout:            controller.Timeout,
		Detail:             DetailContainer,
		Metrics:            builder.Metrics,
		ResourceAttributes: builder.ResourceAttributes,
		ErrorMode:          ErrorModePropagate,
		RootPath:           d.Root,
		LimitPerResource:   d.Flows.LimitPerResource,
		MaxResources:       d.Flows.MaxResources,
		Temporality:        TemporalityCumulative,
		Histograms:         HistogramsExplicit,
		ExpireAfter:        d.Flows.ExpireAfter,
		Events: EventsConfig{MaxPerSecond: d.Events.MaxPerSecond, OpenInterval: d.Events.OpenInterval,
			EventsConfig: metadata.DefaultEventsConfig()},
		DNS: d.DNS, PeerDomains: d.PeerDomains,
		UDP:        pipeline.UDPUsed,
		Drops:      pipeline.DropsOff,
		Kubernetes: d.Kubernetes,
	}
}

// Unmarshal checks a file before it is decoded into c. The Collector's decoder takes 10 for ten nanoseconds, and its
// errors name Go types.
func (c *Config) Unmarshal(file *confmap.Conf) error {
	if err := schema.Of(reflect.TypeFor[Config]()).Check(file.ToStringMap()); err != nil {
		return err
	}
	if err := file.Unmarshal(c); err != nil {
		return err
	}
	metrics.Enable(&c.Metrics, c.attributes(), func(metric string) bool {
		return file.IsSet("metrics::" + metric + "::attributes")
	})
	return nil
}

// attributes returns the attributes of flows that the points of metrics have.
func (c *Config) attributes() attributes.Set {
	set := map[Detail]attributes.Set{
		DetailWorkload: attributes.Workload, DetailContainer: attributes.Container, DetailFull: attributes.Full,
	}[c.Detail]
	for key, on := range c.Attributes {
		if set &^= attributes.Of([]string{key}); on {
			set |= attributes.Of([]string{key})
		}
	}
	return set
}

// controller returns the times of collections, as the Collector's helpers take them.
func (c *Config) controller() *scraperhelper.ControllerConfig {
	return &scraperhelper.ControllerConfig{
		CollectionInterval: c.CollectionInterval, InitialDelay: c.InitialDelay, Timeout: c.Timeout,
	}
}

// bounds returns the upper bounds of the histograms in seconds.
func (c *Config) bounds() flow.Bounds {
	switch {
	case c.Histograms == HistogramsExponential:
		return flow.ExponentialBounds()
	case len(c.HistogramBuckets) == 0:
		return flow.DefaultBounds()
	}
	bounds := make([]float64, len(c.HistogramBuckets))
	for i, b := range c.HistogramBuckets {
		bounds[i] = b.Seconds()
	}
	return flow.SameBounds(bounds)
}

// options returns what the pipeline reads. The mask leaves out what must not separate flows.
func (c *Config) options(mask func(flow.Key) flow.Key) pipeline.Options {
	return pipeline.Options{
		Root:              c.RootPath,
		Networks:          prefixes(c.Networks),
		Services:          services(c.Services),
		Kubernetes:        c.cluster(),
		DNS:               c.DNS,
		PeerDomains:       c.PeerDomains,
		RequireKubeconfig: c.ErrorMode == ErrorModePropagate,
		Flows: flow.Config{
			LimitPerResource: c.LimitPerResource,
			MaxResources:     c.MaxResources,
			MaxConnections:   c.MaxConnections,
			ExpireAfter:      c.ExpireAfter,
			Bounds:           c.bounds(),
		},
		Events: pipeline.EventOptions{
			Closed:       c.Events.Enabled && c.Events.NetconnConnectionClosed.Enabled,
			Failed:       c.Events.Enabled && c.Events.NetconnConnectionFailed.Enabled,
			Open:         c.Events.Enabled && c.Events.NetconnConnectionOpen.Enabled,
			OpenInterval: c.Events.OpenInterval,
			MaxPerSecond: c.Events.MaxPerSecond,
			Interval:     c.CollectionInterval,
		},
		UDP:   c.UDP,
		Drops: c.Drops,
		Mask:  mask,
	}
}

// cluster returns how the API is reached from this node.
func (c *Config) cluster() pipeline.ClusterConfig {
	k := c.Kubernetes
	k.Node = c.NodeName
	return k
}

// Validate returns one error for each key that is wrong, and names the key in it. The switches of metrics validate
// themselves.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateTimes(),
		oneOf("error_mode", c.ErrorMode),
		c.validateDetail(),
		oneOf("udp", c.UDP),
		oneOf("drops", c.Drops),
		c.validateRootPath(),
		atLeastOne("limit_per_resource", c.LimitPerResource),
		atLeastOne("max_resources", c.MaxResources),
		notNegative("max_connections", c.MaxConnections),
		notNegative("peer_domains", c.PeerDomains),
		oneOf("temporality", c.Temporality),
		oneOf("dns", c.DNS),
		atLeastOne("events::max_per_second", c.Events.MaxPerSecond),
		c.validateExpireAfter(),
		c.validateHistograms(),
		validateBuckets(c.HistogramBuckets),
		validateNetworks(c.Networks), validateServices(c.Services),
		metrics.Validate(c.Metrics),
		c.cluster().Check(),
	)
}

func (c *Config) validateTimes() error {
	var errs error
	if c.CollectionInterval <= 0 {
		errs = fmt.Errorf("collection_interval: must be above 0, not %v", c.CollectionInterval)
	}
	if d := c.Events.OpenInterval; d < time.Second {
		errs = errors.Join(errs, fmt.Errorf("events::open_interval: must be at least 1s, not %v", d))
	}
	for key, d := range map[string]time.Duration{"initial_delay": c.InitialDelay, "timeout": c.Timeout} {
		if d < 0 {
			errs = errors.Join(errs, fmt.Errorf("%s: must not be below 0, but is %v", key, d))
		}
	}
	return errs
}

func (c *Config) validateDetail() (errs error) {
	errs = oneOf("detail", c.Detail)
	for _, key := range slices.Sorted(maps.Keys(c.Attributes)) {
		if attributes.Of([]string{key}) == 0 {
			errs = errors.Join(errs, fmt.Errorf("attributes::%s: there is no such attribute of all metrics", key))
		}
	}
	return errs
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

// oneOf checks a key that has some words as its values.
func oneOf[T interface {
	~string
	Choices() []string
}](key string, v T) error {
	all := v.Choices()
	if slices.Contains(all, string(v)) {
		return nil
	}
	last := len(all) - 1
	return fmt.Errorf("%s: must be %s or %s, not %q", key, strings.Join(all[:last], ", "), all[last], string(v))
}

func atLeastOne(key string, n int) error {
	if n < 1 {
		return fmt.Errorf("%s: must be at least 1, not %d", key, n)
	}
	return nil
}

func notNegative(key string, n int) error {
	if n < 0 {
		return fmt.Errorf("%s: must not be below 0, but is %d", key, n)
	}
	return nil
}

func (c *Config) validateHistograms() error {
	switch {
	case !slices.Contains(c.Histograms.Choices(), string(c.Histograms)):
		return fmt.Errorf("histograms: must be %s or %s, not %q",
			HistogramsExplicit, HistogramsExponential, c.Histograms)
	case c.Histograms == HistogramsExponential && len(c.HistogramBuckets) > 0:
		return errors.New("histogram_buckets: must be empty with exponential histograms")
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
