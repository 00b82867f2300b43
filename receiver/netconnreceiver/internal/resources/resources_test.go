package resources

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/filter"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

func knownOwner() conn.Owner {
	return conn.Owner{ContainerID: "5f70", PodUID: "0b5c", Unit: "shop.service", Executable: "shop"}
}

func TestResource(t *testing.T) {
	here := Host{ID: "4d3c", Name: "node-1", Node: "worker-7"}
	off := func(change func(*metadata.ResourceAttributesConfig)) metadata.ResourceAttributesConfig {
		c := metadata.DefaultResourceAttributesConfig()
		change(&c)
		return c
	}
	all := metadata.DefaultResourceAttributesConfig()
	tests := map[string]struct {
		config metadata.ResourceAttributesConfig
		host   Host
		owner  conn.Owner
		masked conn.Owner
		want   map[string]any
	}{
		"all is known": {
			config: all, host: here, owner: knownOwner(), masked: knownOwner(),
			want: map[string]any{
				"host.id": "4d3c", "host.name": "node-1", "k8s.node.name": "worker-7", "container.id": "5f70",
				"k8s.pod.uid": "0b5c", "process.executable.name": "shop", "netconn.systemd.unit": "shop.service",
			},
		},
		"the owner is unknown": {
			config: all, host: here,
			want: map[string]any{"host.id": "4d3c", "host.name": "node-1", "k8s.node.name": "worker-7"},
		},
		"nothing is known": {config: all, want: map[string]any{}},
		"owner's attributes off": {
			config: off(func(c *metadata.ResourceAttributesConfig) {
				c.ContainerID.Enabled, c.K8sPodUID.Enabled = false, false
				c.ProcessExecutableName.Enabled, c.NetconnSystemdUnit.Enabled = false, false
			}),
			host: here, owner: knownOwner(),
			want: map[string]any{"host.id": "4d3c", "host.name": "node-1", "k8s.node.name": "worker-7"},
		},
		"host's attributes off": {
			config: off(func(c *metadata.ResourceAttributesConfig) {
				c.HostID.Enabled, c.HostName.Enabled, c.K8sNodeName.Enabled = false, false, false
			}),
			host: here, owner: conn.Owner{Executable: "shop"}, masked: conn.Owner{Executable: "shop"},
			want: map[string]any{"process.executable.name": "shop"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := New(test.config)
			r.Host = test.host
			if diff := cmp.Diff(test.masked, r.Mask(test.owner)); diff != "" {
				t.Errorf("mask (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, r.Of(test.owner).Attributes().AsRaw()); diff != "" {
				t.Errorf("of (-want +got):\n%s", diff)
			}
			if again := r.Of(conn.Owner{}).Attributes().Len(); again > len(test.want) {
				t.Errorf("the next resource has %d attributes: it inherits", again)
			}
		})
	}
}

func TestResourceSelected(t *testing.T) {
	shop, other := []filter.Config{{Strict: "shop"}}, []filter.Config{{Regex: "^oth"}}
	tests := map[string]struct {
		include, exclude []filter.Config
		want             map[string]bool // by executable
	}{
		"all":     {want: map[string]bool{"shop": true, "other": true, "": true}},
		"include": {include: shop, want: map[string]bool{"shop": true, "other": false, "": true}},
		"exclude": {exclude: other, want: map[string]bool{"shop": true, "other": false, "": true}},
		"both":    {include: shop, exclude: shop, want: map[string]bool{"shop": false, "other": false, "": true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := metadata.DefaultResourceAttributesConfig()
			c.ProcessExecutableName.MetricsInclude, c.ProcessExecutableName.MetricsExclude = test.include, test.exclude
			metrics := New(c)
			c = metadata.DefaultResourceAttributesConfig()
			c.ProcessExecutableName.EventsInclude, c.ProcessExecutableName.EventsExclude = test.include, test.exclude
			events := New(c)
			got, gotEvents := make(map[string]bool), make(map[string]bool)
			for executable := range test.want {
				res := metrics.Of(conn.Owner{Executable: executable})
				got[executable], gotEvents[executable] = metrics.HasMetrics(res), events.HasEvents(res)
				if !metrics.HasEvents(res) || !events.HasMetrics(res) {
					t.Errorf("%q: metrics and events are not selected apart", executable)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, gotEvents); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// Owners with equal resources are one owner after Mask, whichever attributes are disabled.
func TestMaskAgreesWithResources(t *testing.T) {
	owners := []conn.Owner{
		{}, knownOwner(), {ContainerID: "5f70"}, {PodUID: "0b5c"}, {Unit: "shop.service"}, {Executable: "shop"},
		{ContainerID: "web", Named: true}, {ContainerID: "5f70", Executable: "other"},
	}
	for disabled := range 16 {
		c := metadata.DefaultResourceAttributesConfig()
		c.ContainerID.Enabled, c.K8sPodUID.Enabled = disabled&1 == 0, disabled&2 == 0
		c.NetconnSystemdUnit.Enabled, c.ProcessExecutableName.Enabled = disabled&4 == 0, disabled&8 == 0
		r := New(c)
		for _, a := range owners {
			for _, b := range owners {
				same := cmp.Equal(r.Of(a).Attributes().AsRaw(), r.Of(b).Attributes().AsRaw())
				if one := r.Mask(a) == r.Mask(b); one != same {
					t.Errorf("%04b disabled: %+v and %+v are one owner: %t, have equal resources: %t",
						disabled, a, b, one, same)
				}
			}
		}
	}
}
