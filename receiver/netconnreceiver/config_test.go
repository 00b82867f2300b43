package netconnreceiver

import (
	"bufio"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/scraper/scraperhelper"

	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/kubernetes"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/attributes"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metrics"
)

// TestConfigFaults reads testdata/config/<fault>.yaml: the first line is a comment, with what the error has to say.
func TestConfigFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no faults", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := load(file)
			want := firstComment(t, file)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("got %v, want %s", err, want)
			}
			for _, name := range []string{"netconnreceiver.", "metadata.", "netip.", "interface", "config:", "config::"} {
				if strings.Contains(err.Error(), name) {
					t.Errorf("the user does not know %s: %v", name, err)
				}
			}
		})
	}
}

func load(file string) (*Config, error) {
	c := createDefaultConfig().(*Config)
	conf, err := confmaptest.LoadConf(file)
	if err != nil {
		return nil, err
	}
	if err := conf.Unmarshal(c); err != nil {
		return nil, err
	}
	return c, confmap.Validate(c)
}

func firstComment(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan()
	want, ok := strings.CutPrefix(lines.Text(), "# ")
	if !ok || want == "" {
		t.Fatalf("%s begins without the error that it is for", file)
	}
	return want
}

func TestConfigEveryKey(t *testing.T) {
	got, err := load("testdata/every_key.yaml")
	if err != nil {
		t.Fatal(err)
	}
	builder := metrics.DefaultConfig()
	want := &Config{
		CollectionInterval: 30 * time.Second, InitialDelay: 5 * time.Second, Timeout: 20 * time.Second,
		Metrics: builder.Metrics, ResourceAttributes: builder.ResourceAttributes,
		Detail:           DetailWorkload,
		Attributes:       map[string]bool{"netconn.peer.zone": true, "server.port": false},
		ErrorMode:        ErrorModeIgnore,
		RootPath:         "/hostfs",
		NodeName:         "worker-7",
		LimitPerResource: 10,
		MaxResources:     20,
		MaxConnections:   30,
		Temporality:      TemporalityDelta,
		Histograms:       HistogramsExplicit,
		ExpireAfter:      2 * time.Hour,
		HistogramBuckets: []time.Duration{100 * time.Microsecond, time.Millisecond, time.Second},
		Networks: map[string][]Range{
			"office": {Range(netip.MustParsePrefix("192.0.2.0/24")), Range(netip.MustParsePrefix("2001:db8::/32"))},
			"lab":    {Range(netip.MustParsePrefix("192.0.2.0/25"))},
		},
		Services: []Range{Range(netip.MustParsePrefix("10.96.0.0/12"))},
		DNS:      "all", PeerDomains: 50,
		UDP: "all", Drops: "on",
		Events: EventsConfig{
			Enabled: true, MaxPerSecond: 40, OpenInterval: 10 * time.Minute, EventsConfig: metadata.DefaultEventsConfig(),
		},
		Kubernetes: kubernetes.Config{
			AuthType: kubernetes.AuthKubeConfig, Context: "lab", QPS: 2.5, Burst: 3, Scope: kubernetes.ScopeNode, MaxPods: 70,
		},
	}
	want.Events.NetconnConnectionFailed.Enabled = false
	want.Events.NetconnConnectionOpen.Enabled = true
	metrics.Enable(&want.Metrics,
		attributes.Workload&^attributes.With(names.ServerPort)|attributes.With(names.PeerZone), func(string) bool { return false })
	want.Metrics.NetconnIo.EnabledAttributes = []metadata.NetconnIoMetricAttributeKey{"network.io.direction", "netconn.role"}
	want.Metrics.NetconnPackets.Enabled = true
	want.ResourceAttributes.HostName.Enabled = false
	if diff := cmp.Diff(want, got, configOptions()...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(flow.SameBounds([]float64{1e-4, 1e-3, 1}), got.bounds()); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
}

// configOptions leave out the private fields that remember which switches a user has set.
func configOptions() []cmp.Option {
	unset := cmp.FilterPath(func(p cmp.Path) bool {
		f, ok := p.Last().(cmp.StructField)
		return ok && (f.Name() == "enabledSetByUser" || f.Name() == "_")
	}, cmp.Ignore())
	return []cmp.Option{unset, cmpopts.EquateComparable(Range{})}
}

// TestConfigDefault has the values of the design.
func TestConfigDefault(t *testing.T) {
	got := createDefaultConfig().(*Config)
	if err := confmap.Validate(got); err != nil {
		t.Fatal(err)
	}
	builder := metrics.DefaultConfig()
	want := &Config{
		CollectionInterval: 10 * time.Second, InitialDelay: time.Second,
		Metrics: builder.Metrics, ResourceAttributes: builder.ResourceAttributes,
		Detail:           "container",
		ErrorMode:        "propagate",
		RootPath:         "/",
		LimitPerResource: 500,
		MaxResources:     2000,
		Temporality:      "cumulative",
		Histograms:       "explicit",
		ExpireAfter:      time.Hour,
		DNS:              "servers",
		PeerDomains:      100,
		UDP:              "used",
		Drops:            "off",
		Events: EventsConfig{
			MaxPerSecond: 100, OpenInterval: 5 * time.Minute, EventsConfig: metadata.DefaultEventsConfig(),
		},
		Kubernetes: kubernetes.Config{AuthType: "none", QPS: 5, Burst: 10, Scope: "cluster", MaxPods: 50_000},
	}
	if diff := cmp.Diff(want, got, configOptions()...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(flow.DefaultBounds(), got.bounds()); diff != "" {
		t.Errorf("buckets (-want +got):\n%s", diff)
	}
}

// TestRanges keep no IPv4 address in the form of IPv6: no peer would be in them.
func TestRanges(t *testing.T) {
	for written, want := range map[string]string{
		"192.0.2.0/24": "192.0.2.0/24", "::ffff:192.0.2.0/120": "192.0.2.0/24", "::ffff:0:0/96": "0.0.0.0/0",
		"2001:db8::/32": "2001:db8::/32", "::/0": "::/0",
	} {
		var got Range
		if err := got.UnmarshalText([]byte(written)); err != nil || got.String() != want {
			t.Errorf("%s: %v %v, want %s", written, got, err, want)
		}
	}
	got := prefixes(map[string][]Range{"lab": {Range(netip.MustParsePrefix("192.0.2.0/25"))}})
	if want := netip.MustParsePrefix("192.0.2.0/25"); len(got) != 1 || len(got["lab"]) != 1 || got["lab"][0] != want {
		t.Errorf("got %v", got)
	}
}

// TestController hands the Collector's helpers every time of the configuration.
func TestController(t *testing.T) {
	c := &Config{CollectionInterval: 1, InitialDelay: 2, Timeout: 3}
	want := &scraperhelper.ControllerConfig{CollectionInterval: 1, InitialDelay: 2, Timeout: 3}
	if diff := cmp.Diff(want, c.controller()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestDefaultBoundsAreValid because a user may copy them.
func TestDefaultBoundsAreValid(t *testing.T) {
	c := createDefaultConfig().(*Config)
	for _, bounds := range c.bounds() {
		c.HistogramBuckets = nil
		for _, b := range bounds {
			c.HistogramBuckets = append(c.HistogramBuckets, time.Duration(b*float64(time.Second)))
		}
		if err := confmap.Validate(c); err != nil {
			t.Error(err)
		}
	}
}
