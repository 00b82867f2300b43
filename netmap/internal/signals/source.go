package signals

import (
	"cmp"
	"reflect"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/netconn/netconn/internal/names"
	"github.com/netconn/netconn/netmap/internal/edge"
)

// An identity is what a resource says about where it comes from. Comparable.
type identity struct {
	container, pod               string // container.id, k8s.pod.uid
	containerName, namespace     string
	service, serviceNamespace    string
	hostID, hostName, executable string
	pid                          string
}

// A source is one resource that sends.
type source struct {
	id          identity
	serial      uint64 // sources in the order of their first message
	podName     string
	image       string // tag
	first, seen int64  // Unix seconds
	bytes       int

	fine, coarse map[int64]*bucket // by the Unix seconds at which they begin
	minutes      map[int64]*minute // the same
	limits       limits
	cpuTime      map[string]reading // by the state of the CPU
	usageSeen    bool               // it sends the usage, so the time is not needed
}

// A joint is a value that a source and an end may have in common.
type joint struct{ by, value string }

// The kinds of joints, the most exact first, as the API names them.
const (
	byContainer = "container"
	byPod       = "pod"
	byService   = "service"
	byProcess   = "process"
)

func identityOf(resource pcommon.Map) identity {
	text := func(keys ...string) string {
		for _, key := range keys {
			if v, ok := resource.Get(key); ok {
				return cut(v.AsString(), maxName)
			}
		}
		return ""
	}
	return identity{
		container: text(names.ContainerID), pod: text(names.PodUID),
		containerName: text("k8s.container.name", "container.name"), namespace: text("k8s.namespace.name"),
		service: text("service.name"), serviceNamespace: text("service.namespace"),
		hostID: text(names.HostID), hostName: text(names.HostName), executable: text(names.Executable),
		pid: text("process.pid"),
	}
}

// key returns the part of the identity that distinguishes sources, or the zero identity if nothing does.
func (id identity) key() identity {
	switch {
	case id.container != "":
		return identity{container: id.container}
	case id.pod != "":
		return identity{pod: id.pod, containerName: id.containerName, service: id.service}
	case id.service != "":
		return identity{
			service: id.service, serviceNamespace: id.serviceNamespace, namespace: id.namespace,
			hostID: id.hostID, hostName: id.hostName,
		}
	case id.executable != "":
		return identity{hostID: id.hostID, hostName: id.hostName, executable: id.executable, pid: id.pid}
	}
	return identity{}
}

// joints returns the values by which ends find the source.
func (id *identity) joints() []joint {
	all := make([]joint, 0, 3)
	for _, j := range [...]joint{{byContainer, id.container}, {byPod, id.pod}, {byService, id.service}} {
		if j.value != "" {
			all = append(all, j)
		}
	}
	if id.container == "" && id.pod == "" && id.executable != "" {
		all = append(all, joint{byProcess, id.executable})
	}
	return all
}

// merge adds what a later message of the same source says. A processor may know a pod only after its first message.
func (id *identity) merge(later identity) {
	id.container = cmp.Or(id.container, later.container)
	id.pod = cmp.Or(id.pod, later.pod)
	id.containerName = cmp.Or(later.containerName, id.containerName)
	id.namespace = cmp.Or(later.namespace, id.namespace)
	id.service = cmp.Or(id.service, later.service)
	id.serviceNamespace = cmp.Or(id.serviceNamespace, later.serviceNamespace)
	id.hostID, id.hostName = cmp.Or(id.hostID, later.hostID), cmp.Or(id.hostName, later.hostName)
	id.executable = cmp.Or(id.executable, later.executable)
}

// endJoints returns the values by which an end finds its sources. An end that is a container or in a pod is not found
// by its program: another container may run it too.
func endJoints(e *edge.End) []joint {
	var all []joint
	add := func(by string, t names.Tag) {
		if e.Has(t) {
			all = append(all, joint{by, e.Get(t)})
		}
	}
	add(byContainer, names.TagContainerID)
	add(byPod, names.TagPodUID)
	add(byService, names.TagService)
	if len(all) == 0 || !e.Has(names.TagContainerID) && !e.Has(names.TagPodUID) {
		add(byProcess, names.TagExecutable)
	}
	return all
}

// fits reports whether a source that was found by a joint is of the end. sole: all ends are of one host.
func (id *identity) fits(e *edge.End, by string, sole bool) bool {
	switch by {
	case byContainer, byPod:
		return true
	case byService:
		// A container that is another one is not this end, although it is of the same service.
		return !differs(id.container, e.Get(names.TagContainerID)) &&
			!differs(id.pod, e.Get(names.TagPodUID)) && !differs(id.namespace, e.Get(names.TagNamespace)) &&
			!differs(id.serviceNamespace, e.Get(names.TagServiceNamespace)) && !id.elsewhere(e)
	}
	known := id.hostID != "" && e.Has(names.TagHostID) || id.hostName != "" && e.Has(names.TagHost)
	return (known || sole && id.hostID == "" && id.hostName == "") && !id.elsewhere(e)
}

func (id *identity) elsewhere(e *edge.End) bool {
	if id.hostID != "" && e.Has(names.TagHostID) {
		return id.hostID != e.Get(names.TagHostID)
	}
	return differs(id.hostName, e.Get(names.TagHost))
}

// differs reports whether both values are known and differ.
func differs(a, b string) bool { return a != "" && b != "" && a != b }

// name returns the name that a person knows a source by.
func (s *source) name() string {
	return cmp.Or(s.id.containerName, s.id.service, s.id.executable, s.podName)
}

// Sizes in bytes, with the entries of the maps that lead to them.
var (
	sourceBytes = size[source]() + 3*size[joint]() + 400
	bucketBytes = size[bucket]() + 48
	minuteBytes = size[minute]() + 48
	callsBytes  = size[calls]()
	spanBytes   = size[span]() + 8
	lineBytes   = size[line]()
	eventBytes  = size[event]() + 8
)

func size[T any]() int { return int(reflect.TypeFor[T]().Size()) }

func (id *identity) bytes() int {
	return len(id.container) + len(id.pod) + len(id.containerName) + len(id.namespace) + len(id.service) +
		len(id.serviceNamespace) + len(id.hostID) + len(id.hostName) + len(id.executable) + len(id.pid)
}
