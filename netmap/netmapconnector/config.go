package netmapconnector

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"

	"github.com/netconn/netconn/internal/names"
)

// Config is the configuration of the connector, netmap: in a collector's file.
type Config struct {
	// Interval is how often the totals of all edges are sent.
	Interval time.Duration `mapstructure:"interval"`
	// Tags of both ends become attributes: client. and server. with the tag's name.
	Tags []string `mapstructure:"tags"`
	// MaxEdges is how many edges are held, each once for each end that reports it. The others are added up as "other".
	MaxEdges int `mapstructure:"max_edges"`
	// MaxFlows is how many flows of agents are held. Cumulative points of others are dropped.
	MaxFlows int `mapstructure:"max_flows"`
	// Expiry is how long what is silent is held. It is longer than the collection interval of the agents.
	Expiry time.Duration `mapstructure:"expiry"`
	// RTTBuckets are the upper bounds of the histogram of round-trip times, ascending.
	RTTBuckets []time.Duration `mapstructure:"rtt_buckets"`
}

const (
	mostEdges   = 1_000_000
	mostFlows   = 10_000_000
	mostBuckets = 64
)

// refused are the tags that no edge has: they identify it anyway, or differ between the pods of a workload.
var refused = []names.Tag{
	names.TagType, names.TagName, names.TagNamespace, names.TagWorkload, names.TagPod, names.TagPodUID,
	names.TagContainerID, names.TagAddress,
}

func createDefaultConfig() component.Config {
	const ms = time.Millisecond
	return &Config{
		Interval: time.Minute, MaxEdges: 50_000, MaxFlows: 500_000, Expiry: 10 * time.Minute,
		Tags: []string{"service", "image.tag", "zone", "region"},
		RTTBuckets: []time.Duration{
			300 * time.Microsecond, ms, 3 * ms, 10 * ms, 30 * ms, 100 * ms, 300 * ms, time.Second,
		},
	}
}

// Validate returns one error for each key that is wrong, and names the key in it.
func (c *Config) Validate() error {
	_, tagsErr := c.tags()
	return errors.Join(
		within("interval", c.Interval, time.Second, time.Hour),
		within("expiry", c.Expiry, time.Minute, 24*time.Hour),
		between("max_edges", c.MaxEdges, mostEdges),
		between("max_flows", c.MaxFlows, mostFlows),
		tagsErr,
		c.validateBuckets(),
	)
}

func within(key string, d, least, most time.Duration) error {
	if d < least || d > most {
		return fmt.Errorf("%s: must be from %v to %v, not %v; a duration has a unit, as 60s has", key, least, most, d)
	}
	return nil
}

func between(key string, n, most int) error {
	if n < 1 || n > most {
		return fmt.Errorf("%s: must be from 1 to %d, not %d", key, most, n)
	}
	return nil
}

// tags returns the tags that were chosen.
func (c *Config) tags() (all []names.Tag, err error) {
	for _, name := range c.Tags {
		t, ok := names.ParseTag(name)
		if !ok || slices.Contains(refused, t) {
			err = errors.Join(err, fmt.Errorf("tags: %q is not a tag of edges; these are %s",
				name, strings.Join(allowed(), ", ")))
			continue
		}
		all = append(all, t)
	}
	return all, err
}

// allowed returns the names of the tags that edges may have.
func allowed() (all []string) {
	for t := range names.Tags {
		if !slices.Contains(refused, t) {
			all = append(all, t.String())
		}
	}
	return all
}

func (c *Config) validateBuckets() error {
	if n := len(c.RTTBuckets); n < 1 || n > mostBuckets {
		return fmt.Errorf("rtt_buckets: there must be 1 to %d, not %d", mostBuckets, n)
	}
	for i, b := range c.RTTBuckets {
		if b <= 0 || i > 0 && b <= c.RTTBuckets[i-1] {
			return fmt.Errorf("rtt_buckets: must ascend, from above 0, and %v does not; a duration has a unit",
				b)
		}
	}
	return nil
}

// bounds returns the buckets in seconds.
func (c *Config) bounds() []float64 {
	all := make([]float64, len(c.RTTBuckets))
	for i, b := range c.RTTBuckets {
		all[i] = b.Seconds()
	}
	return all
}
