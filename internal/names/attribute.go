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
	PeerAddress
	PeerPort
	LocalAddress
	ServerAddress
	ClientAddress

	Attributes // how many there are

	PeerAttributes = Role // how many of them are the peer's
)

var keys = [Attributes]string{
	PeerType:             "netconn.peer.type",
	PeerScope:            "netconn.peer.scope",
	PeerName:             "netconn.peer.name",
	PeerNamespace:        "netconn.peer.k8s.namespace.name",
	PeerWorkload:         "netconn.peer.k8s.workload.name",
	PeerWorkloadKind:     "netconn.peer.k8s.workload.kind",
	PeerPod:              "netconn.peer.k8s.pod.name",
	PeerContainerName:    "netconn.peer.container.name",
	PeerContainerID:      "netconn.peer.container.id",
	PeerImageTag:         "netconn.peer.container.image.tag",
	PeerProxy:            "netconn.peer.proxy",
	PeerNode:             "netconn.peer.k8s.node.name",
	PeerZone:             "netconn.peer.zone",
	PeerRegion:           "netconn.peer.region",
	PeerService:          "service.peer.name",
	PeerServiceNamespace: "service.peer.namespace",
	Role:                 "netconn.role",
	Transport:            "network.transport",
	ServerPort:           "server.port",
	NAT:                  "netconn.nat",
	OriginalName:         "netconn.original_destination.name",
	OriginalPort:         "netconn.original_destination.port",
	OriginalAddress:      "netconn.original_destination.address",
	PeerAddress:          "network.peer.address",
	PeerPort:             "network.peer.port",
	LocalAddress:         "network.local.address",
	ServerAddress:        "server.address",
	ClientAddress:        "client.address",
}

// Key returns the attribute's key in OTLP.
func (a Attribute) Key() string { return keys[a] }

// String returns the attribute's key.
func (a Attribute) String() string { return keys[a] }

// Keys of attributes that do not describe a flow.
const (
	Direction = "network.io.direction"
	ErrorType = "error.type"
	Overflow  = "otel.metric.overflow" // of the points for all flows beyond a limit

	PeerCluster = "netconn.peer.k8s.cluster.name" // for the network map, where a processor adds it
	PeerDomain  = "netconn.peer.domain"
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
