package edge

import "slices"

// Tag is one property of an end.
type Tag uint8

// The tags, in the order in which they are offered.
const (
	Name Tag = iota // the best name known: workload, else service, else executable or unit, else network
	Service
	ServiceNamespace
	Cluster
	Namespace
	Workload
	WorkloadKind
	Pod
	PodUID
	Container
	ContainerID
	Image
	ImageTag
	Executable
	Unit
	Node
	Host
	HostID
	Zone
	Region
	Address
	Domain
	Proxy
	Type
	Tags // how many there are
)

// names are those of the API, and the attributes of OpenTelemetry that they stand for.
var names = [Tags]struct{ tag, attribute string }{
	Name:             {"name", "netconn.name"},
	Service:          {"service", "service.name"},
	ServiceNamespace: {"service.namespace", "service.namespace"},
	Cluster:          {"cluster", "k8s.cluster.name"},
	Namespace:        {"namespace", "k8s.namespace.name"},
	Workload:         {"workload", "k8s.workload.name"},
	WorkloadKind:     {"workload.kind", "k8s.workload.kind"},
	Pod:              {"pod", "k8s.pod.name"},
	PodUID:           {"pod.uid", "k8s.pod.uid"},
	Container:        {"container", "k8s.container.name"},
	ContainerID:      {"container.id", "container.id"},
	Image:            {"image", "container.image.name"},
	ImageTag:         {"image.tag", "container.image.tag"},
	Executable:       {"executable", "process.executable.name"},
	Unit:             {"unit", "netconn.systemd.unit"},
	Node:             {"node", "k8s.node.name"},
	Host:             {"host", "host.name"},
	HostID:           {"host.id", "host.id"},
	Zone:             {"zone", "cloud.availability_zone"},
	Region:           {"region", "cloud.region"},
	Address:          {"address", "network.address"},
	Domain:           {"domain", "netconn.domain"},
	Proxy:            {"proxy", "netconn.proxy"},
	Type:             {"type", "netconn.type"},
}

// String returns the tag as the API writes it.
func (t Tag) String() string { return names[t].tag }

// Attribute returns the name that a link's template uses.
func (t Tag) Attribute() string { return names[t].attribute }

// ParseTag finds a tag by its name in the API.
func ParseTag(name string) (Tag, bool) {
	for t := range Tags {
		if names[t].tag == name {
			return t, true
		}
	}
	return 0, false
}

// IsAttribute tells whether a link's template may use the name.
func IsAttribute(name string) bool {
	return slices.ContainsFunc(names[:], func(n struct{ tag, attribute string }) bool { return n.attribute == name })
}

// LinkTag is a property of an edge that is not one of its ends.
type LinkTag uint8

// The tags of edges, in the order in which they are offered.
const (
	Port LinkTag = iota
	Transport
	ScopeTag
	NAT
	Original
	OriginalPort
	OriginalAddress
	RoleTag
	LinkTags // how many there are
)

var linkNames = [LinkTags]struct{ tag, attribute string }{
	Port:            {"port", "server.port"},
	Transport:       {"transport", "network.transport"},
	ScopeTag:        {"scope", "netconn.peer.scope"},
	NAT:             {"nat", "netconn.nat"},
	Original:        {"original", "netconn.original_destination.name"},
	OriginalPort:    {"original.port", "netconn.original_destination.port"},
	OriginalAddress: {"original.address", "netconn.original_destination.address"},
	RoleTag:         {"role", "netconn.role"},
}

// String returns the tag as the API writes it.
func (t LinkTag) String() string { return linkNames[t].tag }

// Attribute returns the attribute that the tag is read from.
func (t LinkTag) Attribute() string { return linkNames[t].attribute }

// ParseLinkTag finds a tag of edges by its name in the API; server.port is another name of port.
func ParseLinkTag(name string) (LinkTag, bool) {
	if name == "server.port" {
		return Port, true
	}
	for t := range LinkTags {
		if linkNames[t].tag == name {
			return t, true
		}
	}
	return 0, false
}
