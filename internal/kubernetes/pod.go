package kubernetes

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"

	"github.com/netconn/netconn/internal/names"
)

// pod is what is kept of a pod.
type pod struct {
	key            key
	uid            string
	hash           string // of a static pod: the uid that its kubelet has for it, and that its cgroup is named after
	node           string
	workload, kind string // that created it; empty: a user did
	name           string // to group by: the workload, or a name that does not change when the pod is created anew
	service        string // service.name and service.namespace of its own telemetry
	serviceSpace   string
	proxy          names.Proxy // if the whole pod is a proxy
	meshed         bool        // a sidecar in it takes the connections to the other containers
	containers     []container
	addresses      []netip.Addr // its own; none if it has those of its node
	hostPorts      []exposed    // at which it is reached at its node's addresses
	began          time.Time    // when its node took it: it had no addresses before
	ready          time.Time    // the first sign that it had its addresses; zero: none
	leaving        bool         // its deletion was requested
	over           bool         // all of its containers have ended: another pod may get its addresses
	fetched        bool         // it was requested by name and is not watched

	ended time.Time // when its end was reported; zero: it exists
}

// container is what is kept of a container.
type container struct {
	name  string
	ids   []string // without the prefix of the runtime: of this run and of the one before
	tag   string   // of its image
	ports []port
	proxy names.Proxy
	runs  bool // or can run again
}

// exposed is a port of the node, and the index in the pod of the container that listens on it; -1: it may be one of
// several.
type exposed struct {
	port      port
	container int
}

// key names an object within its kind.
type key struct{ namespace, name string }

// one returns an equal string that is kept in memory once, however many objects have it.
func one(s string) string { return unique.Make(s).Value() }

// configHash is the annotation of a mirror pod that has the uid of its static pod (k8s.io/kubernetes,
// pkg/kubelet/types).
const configHash = "kubernetes.io/config.hash"

// describePod keeps what is used of a pod.
func describePod(p *corev1.Pod) *pod {
	w := controller(p)
	d := &pod{
		key:          key{one(p.Namespace), p.Name},
		uid:          string(p.UID),
		hash:         p.Annotations[configHash],
		node:         one(p.Spec.NodeName),
		workload:     one(w.name),
		kind:         one(w.kind),
		name:         one(groupName(p, w)),
		service:      one(serviceName(p)),
		serviceSpace: one(serviceNamespace(p)),
		began:        began(p),
		leaving:      p.DeletionTimestamp != nil,
		over:         p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed,
	}
	d.describeContainers(p)
	d.proxy = podProxy(p)
	d.meshed = slices.ContainsFunc(d.containers, func(c container) bool { return c.proxy == names.Sidecar })
	if d.ready = ready(p); d.ready.Before(d.began) {
		d.ready = d.began
	}
	if !p.Spec.HostNetwork {
		d.addresses = podAddresses(p)
	}
	d.hostPorts = hostPorts(p)
	return d
}

// describeContainers includes init containers, because native sidecars are among them. An init container that is no
// sidecar does not run again.
func (p *pod) describeContainers(of *corev1.Pod) {
	for i := range of.Spec.Containers {
		p.addContainer(of, &of.Spec.Containers[i], true)
	}
	for i := range of.Spec.InitContainers {
		c := &of.Spec.InitContainers[i]
		p.addContainer(of, c, c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways)
	}
	for i := range of.Spec.EphemeralContainers {
		c := corev1.Container(of.Spec.EphemeralContainers[i].EphemeralContainerCommon)
		p.addContainer(of, &c, true)
	}
	for _, statuses := range [][]corev1.ContainerStatus{
		of.Status.ContainerStatuses, of.Status.InitContainerStatuses, of.Status.EphemeralContainerStatuses,
	} {
		for i := range statuses {
			p.addStatus(&statuses[i])
		}
	}
}

func (p *pod) addContainer(of *corev1.Pod, c *corev1.Container, restarts bool) {
	p.containers = append(p.containers, container{
		name:  one(c.Name),
		tag:   one(imageTag(c.Image)),
		ports: containerPorts(c),
		proxy: containerProxy(of, c),
		runs:  restarts,
	})
}

func (p *pod) addStatus(s *corev1.ContainerStatus) {
	i := slices.IndexFunc(p.containers, func(c container) bool { return c.name == s.Name })
	if i < 0 {
		return
	}
	c := &p.containers[i]
	if s.State.Running != nil {
		c.runs = true
	}
	for _, id := range []string{s.ContainerID, terminatedID(s.LastTerminationState)} {
		if id = withoutRuntime(id); id != "" && !slices.Contains(c.ids, id) {
			c.ids = append(c.ids, id)
		}
	}
}

func terminatedID(s corev1.ContainerState) string {
	if s.Terminated == nil {
		return ""
	}
	return s.Terminated.ContainerID
}

// withoutRuntime returns the id that the cgroup path has.
func withoutRuntime(id string) string {
	if _, bare, found := strings.Cut(id, "://"); found {
		return bare
	}
	return id
}

// imageTag returns the value of container.image.tag: latest if the reference has no tag, and nothing if it is no
// reference.
func imageTag(image string) string {
	ref, err := reference.Parse(image)
	if err != nil {
		return ""
	}
	if _, named := ref.(reference.Named); !named {
		return ""
	}
	if tagged, ok := ref.(reference.Tagged); ok {
		return tagged.Tag()
	}
	return "latest"
}

func containerPorts(c *corev1.Container) (ports []port) {
	for _, p := range c.Ports {
		ports = appendPort(ports, p.Protocol, p.ContainerPort)
	}
	return ports
}

// hostPorts returns the ports of the node at which the pod is reached. In the node's network each port of a container
// is one. A port that is bound to one address is left out, because a look-up does not know which of the node's
// addresses that is.
func hostPorts(p *corev1.Pod) []exposed {
	var ports []exposed
	n := 0
	for _, containers := range [][]corev1.Container{p.Spec.Containers, p.Spec.InitContainers} {
		for _, c := range containers {
			for _, of := range c.Ports {
				if of.HostIP != "" && !parseAddress(of.HostIP).IsUnspecified() {
					continue
				}
				number := of.HostPort
				if p.Spec.HostNetwork {
					number = of.ContainerPort
				}
				if at := portNumbered(of.Protocol, number); at != noPort {
					ports = expose(ports, at, n)
				}
			}
			n++
		}
	}
	return ports
}

func expose(ports []exposed, p port, container int) []exposed {
	i := slices.IndexFunc(ports, func(e exposed) bool { return e.port == p })
	switch {
	case i < 0:
		return append(ports, exposed{p, container})
	case ports[i].container != container:
		ports[i].container = -1
	}
	return ports
}

func appendPort(ports []port, protocol corev1.Protocol, number int32) []port {
	p := portNumbered(protocol, number)
	if p == noPort || slices.Contains(ports, p) {
		return ports
	}
	return append(ports, p)
}

func podAddresses(p *corev1.Pod) []netip.Addr {
	var addresses []netip.Addr
	add := func(text string) {
		if a := parseAddress(text); a.IsValid() && !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	add(p.Status.PodIP)
	for _, ip := range p.Status.PodIPs {
		add(ip.IP)
	}
	return addresses
}

// parseAddress returns an address in the form that connections have, or the invalid one.
func parseAddress(text string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// began returns when the node took the pod.
func began(p *corev1.Pod) time.Time {
	if p.Status.StartTime != nil {
		return p.Status.StartTime.Time
	}
	return p.CreationTimestamp.Time
}

// ready returns the earliest sign that the pod's network was set up: the condition that says so, or the start of a
// container. The zero time: no sign. The API has whole seconds, and a sign may be late but never early, so a second is
// taken off.
func ready(p *corev1.Pod) time.Time {
	var first time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReadyToStartContainers && c.Status == corev1.ConditionTrue {
			earlier(c.LastTransitionTime.Time)
		}
	}
	for _, statuses := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for i := range statuses {
			for _, state := range []corev1.ContainerState{statuses[i].State, statuses[i].LastTerminationState} {
				if state.Running != nil {
					earlier(state.Running.StartedAt.Time)
				}
				if state.Terminated != nil {
					earlier(state.Terminated.StartedAt.Time)
				}
			}
		}
	}
	if first.IsZero() {
		return first
	}
	return first.Add(-time.Second)
}
