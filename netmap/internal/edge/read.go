package edge

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Names of attributes that are not part of who is connected to whom.
const (
	Direction = "network.io.direction"
	ErrorType = "error.type"
	Overflow  = "otel.metric.overflow"
)

func port(p uint16) string {
	if p == 0 {
		return ""
	}
	return strconv.Itoa(int(p))
}

// workloads are the owners of a pod, the one that a person made before those that follow from it. Their attributes end in
// .name.
var workloads = [...]string{"cronjob", "job", "deployment", "statefulset", "daemonset", "replicaset", "replicationcontroller"}

// sidecars are the containers that meshes put into pods, by their names. The receiver has netconn.proxy for peers only.
var sidecars = [...]string{"istio-proxy", "linkerd-proxy", "kuma-sidecar", "consul-dataplane"}

// podLabels are what the k8s_attributes processor calls a label of a pod, with and without its gate EmitV1K8sConventions.
var podLabels = [...]string{"k8s.pod.label.", "k8s.pod.labels."}

// gatewayLabels are on pods that are all proxy: those of the Gateway API, of Istio, of Envoy Gateway.
var gatewayLabels = [...]string{
	"gateway.networking.k8s.io/gateway-name",
	"gateway.istio.io/managed",
	"gateway.envoyproxy.io/owning-gateway-name",
}

// gateway tells by the labels of a pod, which the processor has to extract.
func gateway(resource pcommon.Map) bool {
	for _, label := range podLabels {
		for _, key := range gatewayLabels {
			if _, named := resource.Get(label + key); named {
				return true
			}
		}
		if strings.HasSuffix(text(resource, label+"istio"), "gateway") { // ingressgateway, egressgateway, eastwestgateway
			return true
		}
	}
	return false
}

// Self reads an end from the resource of its own metrics.
func Self(resource pcommon.Map) End {
	var e End
	for t := range Tags {
		if t != Name && t != Type {
			e.set(t, text(resource, t.Attribute()))
		}
	}
	e.fill(Container, Text(text(resource, "container.name")))
	e.fill(ImageTag, Text(first(resource, "container.image.tags")))
	if !e.Has(Workload) {
		for _, w := range workloads {
			if name := text(resource, "k8s."+w+".name"); name != "" {
				e.set(Workload, name)
				e.set(WorkloadKind, w)
				break
			}
		}
	}
	e[WorkloadKind] = Text(strings.ToLower(e.Get(WorkloadKind)))
	switch {
	case e.Has(PodUID) || e.Has(Pod):
		e.set(Type, typePod)
		e.fill(Workload, e[Pod]) // a pod that nothing owns is its own workload
	case e.Has(ContainerID):
		e.set(Type, typeContainer)
	default:
		e.set(Type, typeHost)
	}
	if e.Get(Type) != typeHost {
		e.fill(Container, e[Executable])
	}
	e.fill(Proxy, proxy(resource, e.Get(Container)))
	for _, t := range [...]Tag{Workload, Service, Executable, Unit} {
		e.fill(Name, e[t])
	}
	return e
}

func proxy(resource pcommon.Map, container string) Value {
	switch {
	case gateway(resource):
		return Text("gateway")
	case slices.Contains(sidecars[:], container):
		return Text("sidecar")
	}
	return Text("")
}

// Peer reads the other end from the attributes of a point.
func Peer(point pcommon.Map) End {
	if overflow(point) {
		return Beyond()
	}
	var e End
	for t, name := range map[Tag]string{
		Name:             "netconn.peer.name",
		Service:          "service.peer.name",
		ServiceNamespace: "service.peer.namespace",
		Cluster:          "netconn.peer.k8s.cluster.name",
		Namespace:        "netconn.peer.k8s.namespace.name",
		Workload:         "netconn.peer.k8s.workload.name",
		Pod:              "netconn.peer.k8s.pod.name",
		Container:        "netconn.peer.container.name",
		ContainerID:      "netconn.peer.container.id",
		ImageTag:         "netconn.peer.container.image.tag",
		Node:             "netconn.peer.k8s.node.name",
		Zone:             "netconn.peer.zone",
		Region:           "netconn.peer.region",
		Domain:           "netconn.peer.domain",
		Proxy:            "netconn.peer.proxy",
		Type:             "netconn.peer.type",
	} {
		e.set(t, text(point, name))
	}
	e.fill(Node, Text(text(point, "netconn.peer.node.name")))
	e.set(WorkloadKind, strings.ToLower(text(point, "netconn.peer.k8s.workload.kind")))
	e.fill(Name, e[Workload])
	if !e.Has(Workload) {
		e.program()
	}
	return e
}

// program tells what kind of name it is that a peer without Kubernetes has.
func (e *End) program() {
	switch e.Get(Type) {
	case typePod, typeContainer:
		e[Executable] = e[Container]
		e.fill(Executable, e[Name])
	case typeHost:
		if isUnit(e.Get(Name)) {
			e[Unit] = e[Name]
		} else {
			e[Executable] = e[Name]
		}
	}
}

func isUnit(name string) bool {
	for _, suffix := range [...]string{".service", ".slice", ".scope", ".socket"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// ReadLink reads what tells edges apart from the attributes of a point.
func ReadLink(point pcommon.Map) Link {
	l := Link{
		Port:            number(point, "server.port"),
		OriginalPort:    number(point, "netconn.original_destination.port"),
		Transport:       Text(text(point, "network.transport")),
		NAT:             Text(text(point, "netconn.nat")),
		Original:        Text(text(point, "netconn.original_destination.name")),
		OriginalAddress: Text(text(point, "netconn.original_destination.address")),
	}
	switch text(point, "netconn.role") {
	case "client":
		l.Role = Client
	case "server":
		l.Role = Server
	}
	switch text(point, "netconn.peer.scope") {
	case "container":
		l.Scope = ScopeContainer
	case "pod":
		l.Scope = ScopePod
	case "node":
		l.Scope = ScopeNode
	case "remote":
		l.Scope = ScopeRemote
	}
	return l
}

// Addresses sets the addresses of both ends, and the zone of the local one where its resource has none, from the attributes of
// a point, as far as it has them: who is really there before what the socket says.
func Addresses(point pcommon.Map, r Role, local, peer *End) {
	near, far := "client.address", "server.address"
	if r == Server {
		near, far = far, near
	}
	if r == Unknown {
		near, far = "", ""
	}
	local.fill(Zone, Text(text(point, "netconn.local.zone")))
	local.set(Address, text(point, "network.local.address"))
	local.set(Address, text(point, near))
	peer.set(Address, text(point, "network.peer.address"))
	peer.set(Address, text(point, far))
}

func overflow(point pcommon.Map) bool {
	v, ok := point.Get(Overflow)
	return ok && v.AsString() == "true"
}

func text(m pcommon.Map, name string) string {
	v, ok := m.Get(name)
	if !ok {
		return ""
	}
	return v.AsString()
}

// first returns the first element of a list, or the value itself.
func first(m pcommon.Map, name string) string {
	v, ok := m.Get(name)
	if !ok {
		return ""
	}
	if v.Type() != pcommon.ValueTypeSlice {
		return v.AsString()
	}
	if v.Slice().Len() == 0 {
		return ""
	}
	return v.Slice().At(0).AsString()
}

func number(m pcommon.Map, name string) uint16 {
	v, ok := m.Get(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(v.AsString(), 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// Attribute returns the text of an attribute, empty if there is none.
func Attribute(m pcommon.Map, name string) string { return text(m, name) }
