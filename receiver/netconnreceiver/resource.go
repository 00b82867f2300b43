package netconnreceiver

import (
	"go.opentelemetry.io/collector/filter"
	"go.opentelemetry.io/collector/pdata/pcommon"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/netconn/netconn/internal/conn"
	"github.com/netconn/netconn/receiver/netconnreceiver/internal/metadata"
)

// A host is what all resources of a collection have in common.
type host struct {
	id, name string // machine-id and host name; an empty one is left out
	node     string // k8s.node.name
}

// resources makes the resource of each owner, with what is certain of it alone.
type resources struct {
	config          metadata.ResourceAttributesConfig
	host            host
	metrics, events selection // which of them are emitted with metrics, and with events
}

// A selection is what metrics_include and metrics_exclude say, or events_include and events_exclude.
type selection struct {
	include map[string]filter.Filter // by attribute: only resources whose value matches
	exclude map[string]filter.Filter // by attribute: no resources whose value matches
}

func newResources(c metadata.ResourceAttributesConfig, h host) *resources {
	r := &resources{config: c, host: h, metrics: newSelection(), events: newSelection()}
	r.selectBy(string(semconv.ContainerIDKey), c.ContainerID)
	r.selectBy(string(semconv.HostIDKey), c.HostID)
	r.selectBy(string(semconv.HostNameKey), c.HostName)
	r.selectBy(string(semconv.K8SNodeNameKey), c.K8sNodeName)
	r.selectBy(string(semconv.K8SPodUIDKey), c.K8sPodUID)
	r.selectBy("netconn.systemd.unit", c.NetconnSystemdUnit)
	r.selectBy(string(semconv.ProcessExecutableNameKey), c.ProcessExecutableName)
	return r
}

func (r *resources) selectBy(key string, c metadata.ResourceAttributeConfig) {
	r.metrics.by(key, c.MetricsInclude, c.MetricsExclude)
	r.events.by(key, c.EventsInclude, c.EventsExclude)
}

func newSelection() selection {
	return selection{include: make(map[string]filter.Filter), exclude: make(map[string]filter.Filter)}
}

func (s selection) by(key string, include, exclude []filter.Config) {
	if len(include) > 0 {
		s.include[key] = filter.CreateFilter(include)
	}
	if len(exclude) > 0 {
		s.exclude[key] = filter.CreateFilter(exclude)
	}
}

// mask returns the owner without what is disabled: owners that would make equal resources are one, or their series
// would be the same twice.
func (r *resources) mask(o conn.Owner) conn.Owner {
	if !r.config.ContainerID.Enabled {
		o.ContainerID = ""
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

// of returns the resource of an owner. What is empty is not known, and left out.
func (r *resources) of(o conn.Owner) pcommon.Resource {
	b := metadata.NewResourceBuilder(r.config)
	known(b.SetHostID, r.host.id)
	known(b.SetHostName, r.host.name)
	known(b.SetK8sNodeName, r.host.node)
	known(b.SetContainerID, o.ContainerID)
	known(b.SetK8sPodUID, o.PodUID)
	known(b.SetProcessExecutableName, o.Executable)
	known(b.SetNetconnSystemdUnit, o.Unit)
	return b.Emit()
}

func known(set func(string), value string) {
	if value != "" {
		set(value)
	}
}

// takes tells whether a resource is emitted. As in the collector's generated builders, an attribute that the resource
// does not have excludes nothing.
func (s selection) takes(res pcommon.Resource) bool {
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
