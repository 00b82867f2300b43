package names

// Attribute is one of the attributes that describe a flow. Attributes that only some metrics have, such as
// network.io.direction, are not among them.
type Attribute uint8

// The attributes of the peer come first, so that they index an array of their values. They stand in the order
// by which flows are sorted.
const (
	PeerType Attribute = iota
	PeerScope
	PeerName
	PeerDomain
	PeerNamespace
	PeerWorkload
	PeerWorkloadKind
	PeerPod
	PeerContainerName
	PeerContainerID
	PeerImageTag
	PeerProxy
	PeerNode
	PeerZone
	PeerRegion
	PeerService
	PeerServiceNamespace

	Role
	Transport
	ServerPort
	NAT
	OriginalName
	OriginalPort
	OriginalAddress
	OriginalSource
	PeerAddress
	PeerPort
	LocalAddress
	ServerAddress
	ClientAddress
	Question // of DNS metrics only

	Attributes // how many there are

	PeerAttributes = Role // how many of them are the peer's
)

// Detail is a level of the configuration. Each holds the attributes of the one before. What has a value for each
// address or port of a client is in none, and neither is network.transport, which has one value.
type Detail uint8

const (
	DetailOptIn     Detail = iota // in no level
	DetailWorkload                // names the other end and the way to it
	DetailContainer               // separates the containers of a pod, such as a sidecar, and their versions
	DetailFull                    // has every name and place of the other end
)

var attributes = [Attributes]struct {
	key    string
	detail Detail
}{
	PeerType:             {"netconn.peer.type", DetailWorkload},
	PeerScope:            {"netconn.peer.scope", DetailWorkload},
	PeerName:             {"netconn.peer.name", DetailWorkload},
	PeerDomain:           {"netconn.peer.domain", DetailWorkload},
	PeerNamespace:        {"netconn.peer.k8s.namespace.name", DetailWorkload},
	PeerWorkload:         {"netconn.peer.k8s.workload.name", DetailFull},
	PeerWorkloadKind:     {"netconn.peer.k8s.workload.kind", DetailFull},
	PeerPod:              {"netconn.peer.k8s.pod.name", DetailFull},
	PeerContainerName:    {"netconn.peer.container.name", DetailContainer},
	PeerContainerID:      {"netconn.peer.container.id", DetailFull},
	PeerImageTag:         {"netconn.peer.container.image.tag", DetailContainer},
	PeerProxy:            {"netconn.peer.proxy", DetailContainer},
	PeerNode:             {"netconn.peer.k8s.node.name", DetailFull},
	PeerZone:             {"netconn.peer.zone", DetailFull},
	PeerRegion:           {"netconn.peer.region", DetailFull},
	PeerService:          {"service.peer.name", DetailWorkload},
	PeerServiceNamespace: {"service.peer.namespace", DetailFull},
	Role:                 {"netconn.role", DetailWorkload},
	Transport:            {"network.transport", DetailOptIn},
	ServerPort:           {"server.port", DetailWorkload},
	NAT:                  {"netconn.nat", DetailContainer},
	OriginalName:         {"netconn.original_destination.name", DetailWorkload},
	OriginalPort:         {"netconn.original_destination.port", DetailWorkload},
	OriginalAddress:      {"netconn.original_destination.address", DetailOptIn},
	OriginalSource:       {"netconn.original_source.name", DetailContainer},
	PeerAddress:          {"network.peer.address", DetailOptIn},
	PeerPort:             {"network.peer.port", DetailOptIn},
	LocalAddress:         {"network.local.address", DetailOptIn},
	ServerAddress:        {"server.address", DetailOptIn},
	ClientAddress:        {"client.address", DetailOptIn},
	Question:             {"dns.question.name", DetailOptIn},
}

// Key returns the attribute's key in OTLP.
func (a Attribute) Key() string { return attributes[a].key }

// String returns the attribute's key.
func (a Attribute) String() string { return attributes[a].key }

// Detail returns the first level that has the attribute.
func (a Attribute) Detail() Detail { return attributes[a].detail }

// Keys of attributes that do not describe a flow.
const (
	Direction = "network.io.direction"
	ErrorType = "error.type"
	LimitedBy = "netconn.limited_by"
	DropKey   = "netconn.drop.reason"
	RcodeKey  = "netconn.dns.rcode"
	Overflow  = "otel.metric.overflow" // of the points for all flows beyond a limit

	PeerCluster = "netconn.peer.k8s.cluster.name" // for the network map, where a processor adds it
)

// Keys of the attributes that distinguish the resources of the receiver.
const (
	Zone        = "cloud.availability_zone"
	Region      = "cloud.region"
	ContainerID = "container.id"
	HostID      = "host.id"
	HostName    = "host.name"
	NodeName    = "k8s.node.name"
	PodUID      = "k8s.pod.uid"
	SystemdUnit = "netconn.systemd.unit"
	Executable  = "process.executable.name"
	InstanceID  = "service.instance.id" // made of the others
)
