package names

import "slices"

// Tag is a property of one end of an edge on the network map.
type Tag uint8

// The tags, in the order in which the page offers them.
const (
	TagName Tag = iota // the best name known: workload, else service, else executable or unit, else network or domain
	TagService
	TagServiceNamespace
	TagCluster
	TagNamespace
	TagWorkload
	TagWorkloadKind
	TagPod
	TagPodUID
	TagContainer
	TagContainerID
	TagImage
	TagImageTag
	TagExecutable
	TagUnit
	TagNode
	TagHost
	TagHostID
	TagZone
	TagRegion
	TagAddress
	TagDomain
	TagProxy
	TagType
	Tags // how many there are
)

type tagRow struct {
	name   string
	local  string // attribute of the resource that reports itself
	peer   string // attribute of a point, for its peer; empty: there is none
	shared bool   // all containers of a pod have the same value
}

var tags = [Tags]tagRow{
	TagName:             {"name", "netconn.name", PeerName.Key(), false},
	TagService:          {"service", "service.name", PeerService.Key(), true},
	TagServiceNamespace: {"service.namespace", "service.namespace", PeerServiceNamespace.Key(), true},
	TagCluster:          {"cluster", "k8s.cluster.name", PeerCluster, true},
	TagNamespace:        {"namespace", "k8s.namespace.name", PeerNamespace.Key(), true},
	TagWorkload:         {"workload", "k8s.workload.name", PeerWorkload.Key(), true},
	TagWorkloadKind:     {"workload.kind", "k8s.workload.kind", PeerWorkloadKind.Key(), true},
	TagPod:              {"pod", "k8s.pod.name", PeerPod.Key(), true},
	TagPodUID:           {"pod.uid", PodUID, "", true},
	TagContainer:        {"container", "k8s.container.name", PeerContainerName.Key(), false},
	TagContainerID:      {"container.id", ContainerID, PeerContainerID.Key(), false},
	TagImage:            {"image", "container.image.name", "", false},
	TagImageTag:         {"image.tag", "container.image.tag", PeerImageTag.Key(), false},
	TagExecutable:       {"executable", Executable, "", false},
	TagUnit:             {"unit", SystemdUnit, "", false},
	TagNode:             {"node", NodeName, PeerNode.Key(), true},
	TagHost:             {"host", HostName, "", true},
	TagHostID:           {"host.id", HostID, "", true},
	TagZone:             {"zone", Zone, PeerZone.Key(), true},
	TagRegion:           {"region", Region, PeerRegion.Key(), true},
	TagAddress:          {"address", "network.address", "", false},
	TagDomain:           {"domain", "netconn.domain", PeerDomain.Key(), false},
	TagProxy:            {"proxy", "netconn.proxy", PeerProxy.Key(), false},
	TagType:             {"type", "netconn.type", PeerType.Key(), false},
}

// String returns the tag as the map's API writes it.
func (t Tag) String() string { return tags[t].name }

// Attribute returns the resource attribute that holds the tag of an end which reports itself. Links to other systems
// use it too.
func (t Tag) Attribute() string { return tags[t].local }

// PeerAttribute returns the attribute of a point that holds the tag of the peer, or "" if there is none.
func (t Tag) PeerAttribute() string { return tags[t].peer }

// Shared reports whether all containers of a pod have the same value.
func (t Tag) Shared() bool { return tags[t].shared }

// ParseTag returns the tag with this name in the API.
func ParseTag(name string) (Tag, bool) {
	i := slices.IndexFunc(tags[:], func(r tagRow) bool { return r.name == name })
	return Tag(max(i, 0)), i >= 0
}

// EdgeTag is a property of an edge that belongs to neither of its ends.
type EdgeTag uint8

// The tags of edges, in the order in which the page offers them.
const (
	EdgePort EdgeTag = iota
	EdgeTransport
	EdgeScope
	EdgeNAT
	EdgeOriginal
	EdgeOriginalPort
	EdgeOriginalAddress
	EdgeSource
	EdgeRole
	EdgeTags // how many there are
)

var edgeTags = [EdgeTags]struct {
	name      string
	attribute Attribute
}{
	EdgePort:            {"port", ServerPort},
	EdgeTransport:       {"transport", Transport},
	EdgeScope:           {"scope", PeerScope},
	EdgeNAT:             {"nat", NAT},
	EdgeOriginal:        {"original", OriginalName},
	EdgeOriginalPort:    {"original.port", OriginalPort},
	EdgeOriginalAddress: {"original.address", OriginalAddress},
	EdgeSource:          {"source", OriginalSource},
	EdgeRole:            {"role", Role},
}

// String returns the tag as the map's API writes it.
func (t EdgeTag) String() string { return edgeTags[t].name }

// Attribute returns the key of the attribute that the tag is read from.
func (t EdgeTag) Attribute() string { return edgeTags[t].attribute.Key() }

// ParseEdgeTag returns the tag of edges with this name in the API; server.port is another name of port.
func ParseEdgeTag(name string) (EdgeTag, bool) {
	for t := range EdgeTags {
		if t.String() == name || t == EdgePort && name == ServerPort.Key() {
			return t, true
		}
	}
	return 0, false
}
