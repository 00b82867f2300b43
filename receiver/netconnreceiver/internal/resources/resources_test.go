package resources

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/filter"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

func knownOwner() conn.Owner {
	return conn.Owner{ContainerID: "5f70", PodUID: "0b5c", Unit: "shop.service", Executable: "shop"}
}

// without returns the default configuration after a change.
func without(change func(*metadata.ResourceAttributesConfig)) metadata.ResourceAttributesConfig {
	c := metadata.DefaultResourceAttributesConfig()
	change(&c)
	return c
}

func TestResource(t *testing.T) {
	here := Host{ID: "4d3c", Name: "node-1", Node: "worker-7"}
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
				"service.instance.id": "worker-7/shop.service/container/5f70/shop",
			},
		},
		"the owner is unknown": {
			config: all, host: here,
			want: map[string]any{
				"host.id": "4d3c", "host.name": "node-1", "k8s.node.name": "worker-7", "service.instance.id": "worker-7",
			},
		},
		"nothing is known": {config: all, want: map[string]any{}},
		"owner's attributes off": {
			config: without(func(c *metadata.ResourceAttributesConfig) {
				c.ContainerID.Enabled, c.K8sPodUID.Enabled = false, false
				c.ProcessExecutableName.Enabled, c.NetconnSystemdUnit.Enabled = false, false
			}),
			host: here, owner: knownOwner(),
			want: map[string]any{
				"host.id": "4d3c", "host.name": "node-1", "k8s.node.name": "worker-7", "service.instance.id": "worker-7",
			},
		},
		"host's attributes off": {
			config: without(func(c *metadata.ResourceAttributesConfig) {
				c.HostID.Enabled, c.HostName.Enabled, c.K8sNodeName.Enabled = false, false, false
			}),
			host: here, owner: conn.Owner{Executable: "shop"}, masked: conn.Owner{Executable: "shop"},
			want: map[string]any{"process.executable.name": "shop", "service.instance.id": "worker-7/shop"},
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

// A resource that was written before the zone of the node was known keeps its identity while it is written. All others
// have the zone, and the first answer stays.
func TestPlace(t *testing.T) {
	r := New(metadata.DefaultResourceAttributesConfig())
	place := func(executable string) string {
		all := r.Of(conn.Owner{Executable: executable}).Attributes().AsRaw()
		zone, _ := all["cloud.availability_zone"].(string)
		region, _ := all["cloud.region"].(string)
		return zone + "/" + region
	}
	write := func(executables ...string) {
		var all []flow.Resource
		for _, e := range executables {
			all = append(all, flow.Resource{Owner: conn.Owner{Executable: e}})
		}
		r.Written(all)
	}
	want := func(when string, places map[string]string) {
		t.Helper()
		for executable, want := range places {
			if got := place(executable); got != want {
				t.Errorf("%s: %s is in %s, want %s", when, executable, got, want)
			}
		}
	}
	r.Locate("", "")
	write("first", "second")
	write("second", "third")
	want("before", map[string]string{"second": "/", "other": "/"})
	r.Locate("zone-a", "east")
	want("known", map[string]string{"first": "zone-a/east", "second": "/", "third": "/", "other": "zone-a/east"})
	write("first", "third")
	want("ended", map[string]string{"second": "zone-a/east", "third": "/"})
	r.Locate("zone-b", "west")
	write("first", "second")
	want("another answer", map[string]string{"first": "zone-a/east", "third": "zone-a/east"})
}

// The attributes can be disabled, and select resources, like all others.
func TestPlaceIsConfigured(t *testing.T) {
	c := metadata.DefaultResourceAttributesConfig()
	c.CloudAvailabilityZone.Enabled = false
	c.CloudRegion.MetricsExclude = []filter.Config{{Strict: "east"}}
	r := New(c)
	r.Locate("zone-a", "east")
	res := r.Of(knownOwner())
	if _, there := res.Attributes().Get("cloud.availability_zone"); there || r.HasMetrics(res) || !r.HasEvents(res) {
		t.Errorf("%v, metrics %t, events %t", res.Attributes().AsRaw(), r.HasMetrics(res), r.HasEvents(res))
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

// A backend that keeps nothing but service.instance.id still has as many resources as there are owners.
func TestInstances(t *testing.T) {
	const id = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
	r := New(metadata.DefaultResourceAttributesConfig())
	r.Host = Host{ID: "4d3c", Name: "node-1"}
	for want, o := range map[string]conn.Owner{
		"4d3c":                                  {},
		"4d3c/sshd":                             {Executable: "sshd"},
		"4d3c/ssh.service/sshd":                 {Unit: "ssh.service", Executable: "sshd"},
		"4d3c/0b5c":                             {PodUID: "0b5c"},
		"4d3c/0b5c/sshd":                        {PodUID: "0b5c", Executable: "sshd"},
		id:                                      {ContainerID: id},
		id + "/sshd":                            {ContainerID: id, PodUID: "0b5c", Executable: "sshd"},
		"4d3c/container/sshd":                   {ContainerID: "sshd", Named: true},
		"4d3c/container/sshd/init":              {ContainerID: "sshd", Named: true, Executable: "init"},
		"4d3c/user-1000.slice/container/" + id:  {ContainerID: id, Unit: "user-1000.slice"},
		"4d3c/user-1000.slice/container/5f/app": {ContainerID: "5f", Unit: "user-1000.slice", Executable: "app"},
	} {
		v, _ := r.Of(o).Attributes().Get("service.instance.id")
		if got := v.AsString(); got != want {
			t.Errorf("%+v: %s, want %s", o, got, want)
		}
	}
	r.Host = Host{}
	if v, there := r.Of(conn.Owner{}).Attributes().Get("service.instance.id"); there {
		t.Errorf("nothing is known, and the instance is %s", v.AsString())
	}
}
