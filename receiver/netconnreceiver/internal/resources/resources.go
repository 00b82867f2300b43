// Package resources makes the OTLP resource of each owner, only from what is certain of the owner, and says which
// resources are emitted. What is not known is left out. A Resources is not safe for concurrent use.
package resources

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/filter"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/internal/flow"
	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// Host is what all resources of a collector have in common. An empty value is not known.
type Host struct {
	ID, Name string // machine-id and host name
	Node     string // k8s.node.name
}

// Resources makes the resources of one configuration.
type Resources struct {
	Host Host

	zone, region    string              // of the node; empty: not known yet
	unplaced        map[conn.Owner]bool // written before the zone was known, and in each collection since
	config          metadata.ResourceAttributesConfig
	metrics, events selection
}

// selection holds what metrics_include and metrics_exclude say, or events_include and events_exclude.
type selection struct {
	include map[string]filter.Filter // by attribute: only resources with a value that matches
	exclude map[string]filter.Filter // by attribute: no resources with a value that matches
}

// New returns the resources of a configuration, on a host that is not known yet.
func New(c metadata.ResourceAttributesConfig) *Resources {
	r := &Resources{config: c, metrics: newSelection(), events: newSelection()}
	for key, a := range map[string]metadata.ResourceAttributeConfig{
		names.Zone:        c.CloudAvailabilityZone,
		names.Region:      c.CloudRegion,
		names.ContainerID: c.ContainerID,
		names.HostID:      c.HostID,
		names.HostName:    c.HostName,
		names.NodeName:    c.K8sNodeName,
		names.PodUID:      c.K8sPodUID,
		names.SystemdUnit: c.NetconnSystemdUnit,
		names.Executable:  c.ProcessExecutableName,
		names.InstanceID:  c.ServiceInstanceID,
	} {
		r.metrics.add(key, a.MetricsInclude, a.MetricsExclude)
		r.events.add(key, a.EventsInclude, a.EventsExclude)
	}
	return r
}

func newSelection() selection {
	return selection{include: make(map[string]filter.Filter), exclude: make(map[string]filter.Filter)}
}

func (s selection) add(key string, include, exclude []filter.Config) {
	if len(include) > 0 {
		s.include[key] = filter.CreateFilter(include)
	}
	if len(exclude) > 0 {
		s.exclude[key] = filter.CreateFilter(exclude)
	}
}

// Mask returns the owner without the attributes that are disabled: owners with equal resources must be one, or
// the same series would be emitted twice.
func (r *Resources) Mask(o conn.Owner) conn.Owner {
	if !r.config.ContainerID.Enabled {
		o.ContainerID, o.Named, o.StaticPod = "", false, false
	}
	if !r.config.K8sPodUID.Enabled {
		o.PodUID = ""
	}
	if !r.config.NetconnSystemdUnit.Enabled {
		o.Unit = ""
	}
	if !r.config.ProcessExecutableName.Enabled {
		o.Executable = ""
	}
	return o
}

// Locate sets the zone and the region of the node. Once one of them is known, later calls change nothing.
func (r *Resources) Locate(zone, region string) {
	if !r.located() {
		r.zone, r.region = zone, region
	}
}

func (r *Resources) located() bool { return r.zone != "" || r.region != "" }

// Written says which resources a collection has written. One that was written without a zone never gets it: a backend
// would take it for another resource and count its totals twice.
func (r *Resources) Written(all []flow.Resource) {
	if r.located() && len(r.unplaced) == 0 {
		return
	}
	still := make(map[conn.Owner]bool)
	for i := range all {
		if o := all[i].Owner; !r.located() || r.unplaced[o] {
			still[o] = true
		}
	}
	r.unplaced = still
}

// Of returns the resource of an owner.
func (r *Resources) Of(o conn.Owner) pcommon.Resource {
	b := metadata.NewResourceBuilder(r.config)
	setKnown(b.SetHostID, r.Host.ID)
	setKnown(b.SetHostName, r.Host.Name)
	setKnown(b.SetK8sNodeName, r.Host.Node)
	if !r.unplaced[o] {
		setKnown(b.SetCloudAvailabilityZone, r.zone)
		setKnown(b.SetCloudRegion, r.region)
	}
	setKnown(b.SetContainerID, o.ContainerID)
	setKnown(b.SetK8sPodUID, o.PodUID)
	setKnown(b.SetProcessExecutableName, o.Executable)
	setKnown(b.SetNetconnSystemdUnit, o.Unit)
	setKnown(b.SetServiceInstanceID, r.instance(r.Mask(o)))
	return b.Emit()
}

// instance returns the identity of an owner. Different owners have different ones, and no processor changes them. An
// engine makes the id of a container unique everywhere; all else is unique on its host. The executable of a container
// may be found out later, and its owner is another one from then on.
func (r *Resources) instance(o conn.Owner) string {
	host := cmp.Or(r.Host.Node, r.Host.ID, r.Host.Name)
	switch {
	case o.ContainerID == "":
		return joinKnown(host, o.PodUID, o.Unit, o.Executable)
	case o.Named || o.ClaimedID():
		return joinKnown(host, o.Unit, "container", o.ContainerID, o.Executable)
	}
	return joinKnown(o.ContainerID, o.Executable)
}

func joinKnown(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}

func setKnown(set func(string), value string) {
	if value != "" {
		set(value)
	}
}

// HasMetrics reports whether the metrics of a resource are emitted.
func (r *Resources) HasMetrics(res pcommon.Resource) bool { return r.metrics.matches(res) }

// HasEvents reports whether the events of a resource are emitted.
func (r *Resources) HasEvents(res pcommon.Resource) bool { return r.events.matches(res) }

// matches reports whether a resource is selected. As in the collector's generated builders, an attribute that the
// resource does not have excludes nothing.
func (s selection) matches(res pcommon.Resource) bool {
	for key, f := range s.include {
		if v, ok := res.Attributes().Get(key); ok && !f.Matches(v.AsString()) {
			return false
		}
	}
	for key, f := range s.exclude {
		if v, ok := res.Attributes().Get(key); ok && f.Matches(v.AsString()) {
			return false
		}
	}
	return true
}
