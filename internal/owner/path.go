package owner

import "strings"

// place is what the path of a cgroup says about the processes in it. A part that is not certain is empty.
type place struct {
	container string // 64 hexadecimal digits, or the name of a system container
	pod       string // a UUID
	unit      string // systemd's, of a process in neither; with a container: whose user or service named the container
	top       string // path of the container's own cgroup; all of the container is at or below it
	kubelet   bool   // the path is below a pod that a kubelet of the host made, static pods included
	nested    bool   // a kubelet inside a container made the pod
}

// rank orders what two paths say about one process; the higher one counts. See Resolver.group.
func (p place) rank() int {
	switch {
	case p.container != "" && p.unit != "":
		return 1
	case p.container != "" || p.pod != "":
		return 2
	}
	return 0
}

// parsePath reads the path of a cgroup, from the root of its hierarchy and starting with a slash.
//
// A name is evidence only where the host's administrator makes the cgroups: from the root down to the first cgroup that
// is delegated to a user, who can make any name below it. So
//
//   - the outermost container counts, and everything below its cgroup is part of it: a systemd of its own, runtimes'
//     inner cgroups, containers that it runs itself;
//   - a pod counts outside of containers only, and a container is in the pod that it is directly in;
//   - below user.slice, a service or a scope nothing is a pod. A container there is reported together with the unit,
//     because the unit's user chose its id; those of Kubernetes' runtimes are not believed there;
//   - services of container engines and kubelets, and what systemd-machined registers, are the administrator's too.
//
// Exception: a container of an engine may be a Kubernetes node (kind, k3d, minikube). If it is in no pod, the pods of a
// kubelet inside count. The caller rules that out where the host itself has pods.
func parsePath(path string, allowNested bool) place {
	var p place
	trusted, claim := true, true
	pod := ""
	previous := ""
	for end := range boundaries(path) {
		segment := path[strings.LastIndexByte(path[:end], '/')+1 : end]
		if monitorSegment(previous, segment) {
			return place{unit: unit(path), kubelet: p.kubelet}
		}
		if uid, ok := podSegment(segment); ok {
			if trusted {
				pod, p.kubelet = uid, true
			}
			claim = false
		}
		if id, ok := containerSegment(path, end, previous, segment); ok {
			p.container, p.top = id, path[:end]
			break
		}
		trusted = trusted && !handedOver(previous, segment)
		previous = segment
	}
	switch {
	case p.container == "" && pod != "":
		p.pod = pod
	case p.container == "":
		p.unit = unit(path)
	case trusted:
		p.pod = pod
		if allowNested && !p.kubelet && isEngineID(p.container) {
			p = nestedPod(p, path[len(p.top):])
		}
	default:
		p = claimed(p, path, claim)
	}
	return p
}

// claimed returns the place of a container whose id a user or a service chose. Without a unit to report it with, and
// below a cgroup that looks like a pod's, the id is not believed.
func claimed(p place, path string, believe bool) place {
	unit := unit(path)
	name := p.top[strings.LastIndexByte(p.top, '/')+1:]
	if unit == "" || !believe || strings.HasPrefix(name, "cri-containerd-") || strings.HasPrefix(name, "crio-") {
		return place{unit: unit}
	}
	p.unit = unit
	return p
}

// nestedPod returns the place of a process in a container that may be a Kubernetes node: rest is the path below it. It
// wants the whole hierarchy that a kubelet makes, kubepods, a class of quality, the pod, and the container in it.
func nestedPod(node place, rest string) place {
	pod, inPod := "", false
	previous, before := "", ""
	for end := range boundaries(rest) {
		segment := rest[strings.LastIndexByte(rest[:end], '/')+1 : end]
		if inPod {
			id, ok := engineSegment(segment)
			if !ok {
				return node
			}
			return place{container: id, pod: pod, top: node.top + rest[:end], nested: true}
		}
		if uid, ok := podSegment(segment); ok {
			if !belowKubepods(before, previous, segment) {
				return node
			}
			pod, inPod = uid, true
		} else if handedOver(previous, segment) {
			return node
		}
		before, previous = previous, segment
	}
	return node
}

// belowKubepods reports whether a pod's cgroup is where a kubelet makes it, from the two segments before its own.
func belowKubepods(before, previous, segment string) bool {
	if parent, found := strings.CutSuffix(previous, ".slice"); found {
		return kubepods(parent) && strings.HasPrefix(segment, parent+"-pod")
	}
	return previous == "kubepods" || before == "kubepods" && (previous == "burstable" || previous == "besteffort")
}

// handedOver reports whether the host's administrator delegates a cgroup: to a user, or to the user of a
// service or a scope, who may then make any cgroup below it.
func handedOver(parent, segment string) bool {
	if parent == "" && segment == "user.slice" {
		return true
	}
	if name, found := strings.CutSuffix(segment, ".scope"); found {
		return !strings.HasPrefix(name, "machine-")
	}
	name, found := strings.CutSuffix(segment, ".service")
	return found && !engineService(name) && !strings.HasPrefix(name, "systemd-nspawn@")
}

// engineService reports whether a service is a container engine or a kubelet, whose containers may be in its own
// cgroup: runc puts them there if the engine has the cgroupfs driver and the kubelet the systemd driver.
func engineService(name string) bool {
	switch name {
	case "containerd", "crio", "docker", "cri-docker", "kubelet", "k3s", "k3s-agent", "rke2-server", "rke2-agent",
		"k0scontroller", "k0sworker", "snap.microk8s.daemon-containerd", "snap.microk8s.daemon-kubelite":
		return true
	}
	return false
}

// boundaries yields where each segment of a path ends.
func boundaries(path string) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := 1; i <= len(path); i++ {
			if (i == len(path) || path[i] == '/') && path[i-1] != '/' && !yield(i) {
				return
			}
		}
	}
}
