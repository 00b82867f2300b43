package edge

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"github.com/netconn/netconn/internal/names"
)

// Attributes looks up an attribute by its key, as text, and reports whether it is there. The text of a list is its
// first element.
type Attributes func(key string) (string, bool)

func (a Attributes) text(key string) string {
	s, _ := a(key)
	return s
}

func (a Attributes) port(key string) uint16 {
	n, err := strconv.ParseUint(a.text(key), 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}

// workloads are the owners of a pod, those that a person creates before those that controllers create for them. The
// keys of their attributes are k8s.<owner>.name.
var workloads = [...]string{
	"cronjob", "job", "deployment", "statefulset", "daemonset", "replicaset", "replicationcontroller",
}

// ReadLocal reads the end that reports itself, from the attributes of its resource.
func ReadLocal(resource Attributes) End {
	var e End
	for t := range names.Tags {
		if t != names.TagName && t != names.TagType {
			e.set(t, resource.text(t.Attribute()))
		}
	}
	e.fill(names.TagContainer, Text(resource.text("container.name")))
	e.fill(names.TagImageTag, Text(resource.text("container.image.tags")))
	e.readWorkload(resource)
	switch {
	case e.Has(names.TagPodUID) || e.Has(names.TagPod) || e.Has(names.TagWorkload):
		e.set(names.TagType, names.TypePod)
		e.fill(names.TagWorkload, e.podName())
	case e.Has(names.TagContainerID):
		e.set(names.TagType, names.TypeContainer)
	case e.Has(names.TagExecutable) || e.Has(names.TagUnit) || e.Has(names.TagService):
		e.set(names.TagType, names.TypeHost)
	default: // a socket without an owner, which its peer describes as unknown too
		e.set(names.TagType, names.TypeUnknown)
	}
	if t := e.Get(names.TagType); t == names.TypePod || t == names.TypeContainer {
		e.fill(names.TagContainer, e[names.TagExecutable])
	}
	e.fill(names.TagProxy, Text(string(e.proxy(resource))))
	for _, t := range [...]names.Tag{names.TagWorkload, names.TagService, names.TagExecutable, names.TagUnit} {
		e.fill(names.TagName, e[t])
	}
	return e
}

func (e *End) readWorkload(resource Attributes) {
	for _, w := range workloads {
		if e.Has(names.TagWorkload) {
			break
		}
		if name := resource.text("k8s." + w + ".name"); name != "" {
			e.set(names.TagWorkload, name)
			e.set(names.TagWorkloadKind, w)
		}
	}
	e[names.TagWorkloadKind] = Text(strings.ToLower(e.Get(names.TagWorkloadKind)))
}

// podName returns the name that the receiver gives to a pod without an owner when the pod is a peer: the name of a
// static pod without its node, else the name of its service, else its own.
func (e *End) podName() Value {
	pod := e.Get(names.TagPod)
	if static := staticPod(pod, e.Get(names.TagNode)); static != "" {
		return Text(static)
	}
	if pod != "" && e.Has(names.TagService) {
		return e[names.TagService]
	}
	return e[names.TagPod]
}

// staticPod returns the name of a static pod without its node, or "" if the pod cannot be one. A kubelet names the pods
// that it creates from files after the file and the node.
func staticPod(pod, node string) string {
	name, found := strings.CutSuffix(pod, "-"+node)
	if !found || node == "" {
		return ""
	}
	return name
}

// generated matches the names that Kubernetes makes for pods of a controller: the name of the controller, and five
// random characters without vowels and what resembles them.
var generated = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`)

// controllerOf returns the controller that the name of a pod shows, or "".
func controllerOf(pod string) string {
	parts := generated.FindStringSubmatch(pod)
	if parts == nil {
		return ""
	}
	return parts[1]
}

// proxy returns the purpose of a proxy that describes itself. The receiver has an attribute for it only on peers.
func (e *End) proxy(resource Attributes) names.Proxy {
	return names.ProxyOf(names.Evidence{
		Container: e.Get(names.TagContainer), Executable: e.Get(names.TagExecutable), Label: resource.podLabel,
	})
}

// podLabel looks up a label of the pod, which the k8s_attributes processor has to extract. Its feature gate
// EmitV1K8sConventions changes the prefix.
func (a Attributes) podLabel(key string) (string, bool) {
	if v, ok := a("k8s.pod.label." + key); ok {
		return v, true
	}
	return a("k8s.pod.labels." + key)
}

// ReadPeer reads the peer, from the attributes of a point.
func ReadPeer(point Attributes) End {
	if point.text(names.Overflow) == "true" {
		return Overflow()
	}
	var e End
	for t := range names.Tags {
		if key := t.PeerAttribute(); key != "" {
			e.set(t, point.text(key))
		}
	}
	e[names.TagWorkloadKind] = Text(strings.ToLower(e.Get(names.TagWorkloadKind)))
	e.fill(names.TagName, e[names.TagWorkload])
	e.fill(names.TagName, e[names.TagDomain]) // better than the class of its address
	if e.Get(names.TagType) == names.TypePod && e.Has(names.TagNamespace) {
		e.fill(names.TagWorkload, e[names.TagName]) // the name of a pod without an owner, as in ReadLocal
	}
	if !e.Has(names.TagWorkload) {
		e.readProgram()
	}
	return e
}

// ReadName sets the tag that the name of an end belongs to, where only what both reports of an edge agree on is known:
// the opposite of [Link.Parties].
func (e *End) ReadName() {
	if e.Get(names.TagType) == names.TypePod && e.Has(names.TagNamespace) {
		e.fill(names.TagWorkload, e[names.TagName])
		return
	}
	e.readProgram()
}

// readProgram sets the tag that the name of a peer without Kubernetes belongs to.
func (e *End) readProgram() {
	switch e.Get(names.TagType) {
	case names.TypePod, names.TypeContainer:
		e[names.TagExecutable] = e[names.TagContainer]
		e.fill(names.TagExecutable, e[names.TagName])
	case names.TypeHost:
		if isUnit(e.Get(names.TagName)) {
			e[names.TagUnit] = e[names.TagName]
		} else {
			e[names.TagExecutable] = e[names.TagName]
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

var (
	roles = map[string]Role{names.RoleClient: Client, names.RoleServer: Server}
	scope = map[string]Scope{
		names.ScopeContainer: ScopeContainer, names.ScopePod: ScopePod, names.ScopeNode: ScopeNode,
		names.ScopeRemote: ScopeRemote,
	}
)

// ParseScope returns the scope of this name.
func ParseScope(name string) Scope { return scope[name] }

// ReadLookups reads the link of a point of a metric of DNS. It has no translation.
func ReadLookups(point Attributes) Link {
	return Link{
		Role:      roles[point.text(names.Role.Key())],
		Scope:     scope[point.text(names.PeerScope.Key())],
		Lookups:   true,
		Port:      point.port(names.ServerPort.Key()),
		Transport: Text(point.text(names.Transport.Key())),
	}
}

// ReadLink reads the link, from the attributes of a point.
func ReadLink(point Attributes) Link {
	return Link{
		Role:            roles[point.text(names.Role.Key())],
		Scope:           scope[point.text(names.PeerScope.Key())],
		Port:            point.port(names.ServerPort.Key()),
		OriginalPort:    point.port(names.OriginalPort.Key()),
		Transport:       Text(cmp.Or(point.text(names.Transport.Key()), names.TCP)), // a point of UDP always has it
		NAT:             Text(point.text(names.NAT.Key())),
		Original:        Text(point.text(names.OriginalName.Key())),
		OriginalAddress: Text(point.text(names.OriginalAddress.Key())),
		Source:          Text(point.text(names.OriginalSource.Key())),
	}
}

// ReadAddresses sets the addresses of both ends from the attributes of a point. Actual addresses replace those of the
// socket.
func ReadAddresses(point Attributes, r Role, local, peer *End) {
	local.set(names.TagAddress, point.text(names.LocalAddress.Key()))
	peer.set(names.TagAddress, point.text(names.PeerAddress.Key()))
	client, server := point.text(names.ClientAddress.Key()), point.text(names.ServerAddress.Key())
	switch r {
	case Client:
		local.set(names.TagAddress, client)
		peer.set(names.TagAddress, server)
	case Server:
		local.set(names.TagAddress, server)
		peer.set(names.TagAddress, client)
	}
}
