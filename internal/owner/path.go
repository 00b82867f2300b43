package owner

import "strings"

// place is what a cgroup's path says of the processes in it. Whatever is not certain is empty.
type place struct {
	container string // 64 hexadecimal digits
	pod       string // a UUID
	unit      string // systemd's, of a process in neither; see unit
	top       string // the path down to the container's own cgroup, which all of the container is at or below
}

// parsePath reads the path of a cgroup, from the root of its hierarchy and starting with a slash.
//
// The innermost container wins: that of a Kubernetes node that is itself a container, or of Docker in a pod. Whatever
// the container makes below its cgroup (a systemd of its own, /init.scope, runtimes' /container) is part of it, so
// only a process outside of any container and pod has a unit. The pod is the innermost one around that container; a
// container without a pod of its own, inside a container of a pod, is part of that pod.
func parsePath(path string) place {
	var p place
	pod, settled := "", true // settled: no cgroup of a pod was entered since the last container
	for end := range boundaries(path) {
		segment := path[strings.LastIndexByte(path[:end], '/')+1 : end]
		if uid, ok := podSegment(segment); ok {
			pod, settled = uid, false
		}
		if id, ok := containerSegment(segment); ok {
			p.container, p.top = id, path[:end]
			p.pod, settled = pod, true
		} else if monitorSegment(segment) {
			pod, settled = p.pod, true
		}
	}
	switch {
	case p.container != "":
		return p
	case !settled && pod != "":
		p.pod = pod
	default:
		p.unit = unit(path)
	}
	return p
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

// containerSegment returns the container whose own cgroup has this name:
//
//	<id>                           cgroupfs driver: Docker, containerd, Kubernetes, ECS
//	<runtime>-<id>.scope           systemd driver
//	<runtime>-<id>                 cgroupfs driver of CRI-O and Podman; Podman's cgroups=split below a service
//	<slice>:<runtime>:<id>         a systemd path given to a runtime that has the cgroupfs driver
//
// A prefix that is not known is no container: CRI-O and Podman name the cgroups of their monitors after containers too.
func containerSegment(s string) (id string, ok bool) {
	s = strings.TrimSuffix(s, ".scope")
	if len(s) < idLength {
		return "", false
	}
	prefix, id := s[:len(s)-idLength], s[len(s)-idLength:]
	if !isHex(id) {
		return "", false
	}
	if i := strings.LastIndexByte(strings.TrimSuffix(prefix, ":"), ':'); i >= 0 && strings.HasSuffix(prefix, ":") {
		return id, strings.HasSuffix(prefix[:i], ".slice") && knownRuntime(prefix[i+1:len(prefix)-1])
	}
	return id, prefix == "" || strings.HasSuffix(prefix, "-") && knownRuntime(prefix[:len(prefix)-1])
}

// knownRuntime tells whether a container runtime names cgroups so.
func knownRuntime(name string) bool {
	switch name {
	case "cri-containerd", "crio", "docker", "libpod", "libpod-payload", "nerdctl", "containerd", "podman":
		return true
	}
	return false
}

// monitorSegment tells whether a cgroup is that of a conmon, which lives in a pod's cgroup but not in the pod.
func monitorSegment(s string) bool {
	return strings.HasPrefix(s, "crio-conmon-") || strings.HasPrefix(s, "libpod-conmon-")
}

// podSegment tells whether a cgroup is a pod's, and returns the pod's UID. The UID is empty for a static pod, whose
// cgroup is named after a hash of its manifest that the API server never sees:
//
//	pod<uid>                                      cgroupfs driver
//	[<prefix>-]kubepods[-<quality>]-pod<uid>.slice   systemd driver, "_" for "-"; the prefix is kubelet's cgroup root
func podSegment(s string) (uid string, ok bool) {
	if i := strings.IndexByte(s, ':'); i >= 0 {
		s = s[:i]
	}
	if slice, ok := strings.CutSuffix(s, ".slice"); ok {
		before, uid, found := cutLast(slice, "-pod")
		if !found || !kubepods(before) {
			return "", false
		}
		return podUID(strings.ReplaceAll(uid, "_", "-"))
	}
	uid, ok = strings.CutPrefix(s, "pod")
	if !ok {
		return "", false
	}
	return podUID(uid)
}

// kubepods tells whether a slice without its suffix is kubepods or one of its three classes of quality.
func kubepods(s string) bool {
	s = strings.TrimSuffix(strings.TrimSuffix(s, "-burstable"), "-besteffort")
	return s == "kubepods" || strings.HasSuffix(s, "-kubepods")
}

// podUID returns s if it is a UUID, nothing but true if it is a static pod's hash, and false if it is neither.
func podUID(s string) (uid string, ok bool) {
	switch {
	case isUUID(s):
		return s, true
	case len(s) == hashLength && isHex(s):
		return "", true
	}
	return "", false
}

const (
	idLength   = 64 // of a container's id: SHA-256
	hashLength = 32 // of a static pod's name: MD5
)

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isUUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		isHex(s[:8]) && isHex(s[9:13]) && isHex(s[14:18]) && isHex(s[19:23]) && isHex(s[24:])
}

// cutLast slices s around the last instance of sep.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
