package netmapextension

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/confmap"

	"github.com/netconn/netconn/internal/schema"
)

// Config is the configuration of the extension, netmap: in a collector's file.
type Config struct {
	// Where and how it is served: endpoint, tls, auth and what else the Collector's servers have. Not cors.
	confighttp.ServerConfig `mapstructure:",squash"`

	// AllowUnauthenticated permits an endpoint beyond loopback without an authenticator.
	AllowUnauthenticated bool `mapstructure:"allow_unauthenticated"`
	// Hosts are accepted Host headers, besides localhost, the host of the endpoint and addresses.
	Hosts []string `mapstructure:"hosts"`
	// MaxEdges is how many edges are held, each once for each end that reports it. The others are added up as "other".
	MaxEdges int `mapstructure:"max_edges"`
	// MaxMemoryMiB is how much memory is used for what is held. 0: 8 KiB for each of max_edges, at least 32 MiB.
	MaxMemoryMiB int `mapstructure:"max_memory_mib"`
	// Signals is what is kept of spans, logs, and the containers' CPU and memory.
	Signals SignalsConfig `mapstructure:"signals"`
	// LearningPeriod is how long after a host's first report its edges are not marked as new.
	LearningPeriod time.Duration `mapstructure:"learning_period"`
	// QueryTimeout is how long making the answer to one request may take.
	QueryTimeout time.Duration `mapstructure:"query_timeout"`
	// Links lead from an end of an edge to other tools.
	Links []LinkConfig `mapstructure:"links"`
	// Alerts colour the map.
	Alerts AlertsConfig `mapstructure:"alerts"`
	// History is the store that has what the map does not remember.
	History HistoryConfig `mapstructure:"history"`
	// Thresholds of the colours.
	Thresholds Thresholds `mapstructure:"thresholds"`
	// Costs are prices of traffic between zones and regions.
	Costs CostsConfig `mapstructure:"costs"`
}

const (
	defaultEndpoint = "localhost:19466"
	defaultMaxEdges = 20_000
	mostEdges       = 1_000_000
	maxLinks        = 50

	bytesPerEdge = 8 << 10 // twice what an edge with the labels of a cluster takes
	leastMiB     = 32
	mostMiB      = 1 << 16
)

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = defaultEndpoint
	server.ReadHeaderTimeout = 10 * time.Second
	server.ReadTimeout = 10 * time.Second // a GET has no body to wait for
	server.MaxRequestBodySize = 1 << 10
	server.CompressionAlgorithms = []string{""}
	return &Config{ServerConfig: server, MaxEdges: defaultMaxEdges, LearningPeriod: 5 * time.Minute,
		QueryTimeout: 5 * time.Second, Alerts: defaultAlerts(), Thresholds: defaultThresholds(),
		History: defaultHistory(), Signals: SignalsConfig{MaxMemoryMiB: defaultSignalsMiB}}
}

// Validate returns one error for each key that is wrong, and names the key in it. The embedded part validates itself.
func (c *Config) Validate() error {
	return errors.Join(
		c.validateEndpoint(),
		c.validateCORS(),
		c.validateHosts(),
		c.validateMaxEdges(),
		c.validateMemory(),
		c.validateSignals(),
		c.validateLearning(),
		c.validateTimeout(),
		c.validateLinks(),
		c.Alerts.validate(),
		c.History.validate(),
		c.Thresholds.validate(),
		c.Costs.validate(),
	)
}

func (c *Config) validateEndpoint() error {
	if c.NetAddr.Endpoint == "" {
		return errors.New("endpoint: must not be empty")
	}
	if c.Auth.HasValue() || c.AllowUnauthenticated {
		return nil
	}
	if onLoopback, err := c.loopback(); err != nil || onLoopback {
		return err
	}
	return fmt.Errorf("endpoint: %q is reachable from other machines, and would show this one's network to anyone; "+
		"set auth, or allow_unauthenticated: true", c.NetAddr.Endpoint)
}

// loopback reports whether only this machine reaches the endpoint. A name other than localhost may resolve to any
// address.
func (c *Config) loopback() (bool, error) {
	if c.NetAddr.Transport == confignet.TransportTypeUnix {
		return true, nil
	}
	host, _, err := net.SplitHostPort(c.NetAddr.Endpoint)
	if err != nil {
		return false, fmt.Errorf("endpoint: %w", err)
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Unmap().IsLoopback(), nil
	}
	return isLocalhost(host), nil
}

func isLocalhost(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

func (c *Config) validateCORS() error {
	if c.CORS.HasValue() {
		return errors.New("cors: no other origin may read the network map")
	}
	return nil
}

func (c *Config) validateHosts() error {
	for _, h := range c.Hosts {
		if h == "" || strings.ContainsAny(h, ":/*@ ") {
			return fmt.Errorf("hosts: must be names without scheme, port or wildcard, not %q", h)
		}
	}
	return nil
}

func (c *Config) validateMaxEdges() error {
	if c.MaxEdges < 1 || c.MaxEdges > mostEdges {
		return fmt.Errorf("max_edges: must be from 1 to %d, not %d", mostEdges, c.MaxEdges)
	}
	return nil
}

func (c *Config) validateMemory() error {
	if c.MaxMemoryMiB != 0 && (c.MaxMemoryMiB < leastMiB || c.MaxMemoryMiB > mostMiB) {
		return fmt.Errorf("max_memory_mib: must be 0 or from %d to %d, not %d", leastMiB, mostMiB, c.MaxMemoryMiB)
	}
	return nil
}

func (c *Config) validateSignals() error {
	if m := c.Signals.MaxMemoryMiB; m < 1 || m > mostMiB {
		return fmt.Errorf("signals::max_memory_mib: must be from 1 to %d, not %d", mostMiB, m)
	}
	return nil
}

// maxBytes returns the memory for what is held.
func (c *Config) maxBytes() int {
	if c.MaxMemoryMiB != 0 {
		return c.MaxMemoryMiB << 20
	}
	return max(leastMiB<<20, c.MaxEdges*bytesPerEdge)
}

func (c *Config) validateLearning() error {
	if c.LearningPeriod < 0 {
		return fmt.Errorf("learning_period: must not be negative, but is %v", c.LearningPeriod)
	}
	return nil
}

func (c *Config) validateTimeout() error {
	if c.QueryTimeout <= 0 {
		return fmt.Errorf("query_timeout: must be positive, but is %v", c.QueryTimeout)
	}
	return nil
}

func (c *Config) validateLinks() error {
	if len(c.Links) > maxLinks {
		return fmt.Errorf("links: must be at most %d, not %d", maxLinks, len(c.Links))
	}
	for i, l := range c.Links {
		if err := l.validate(); err != nil {
			return fmt.Errorf("links[%d]: %w", i, err)
		}
	}
	return nil
}

// Unmarshal checks a file before it is decoded into c, because the Collector's decoder takes 10 for ten nanoseconds.
func (c *Config) Unmarshal(file *confmap.Conf) error {
	if err := schema.Of(reflect.TypeFor[Config]()).Check(file.ToStringMap()); err != nil {
		return err
	}
	return file.Unmarshal(c)
}
