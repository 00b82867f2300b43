package owner

import (
	"strconv"
	"strings"
)

const (
	idLength   = 64 // of a container's id: SHA-256
	hashLength = 32 // of a static pod's name: MD5 or FNV-128a
)

// containerSegment returns the id or name of the container whose own cgroup ends at end of path; segment is its name,
// and parent that of the cgroup above.
func containerSegment(path string, end int, parent, segment string) (id string, ok bool) {
	if id, ok := engineSegment(segment); ok {
		return id, true
	}
	return systemSegment(path[:end], parent, segment)
}

// engineSegment returns the id of the container whose cgroup an engine names so:
//
//	<id>                           cgroupfs driver: Docker, containerd, Kubernetes, ECS
//	<runtime>-<id>.scope           systemd driver
//	<runtime>-<id>                 cgroupfs driver of CRI-O and Podman; Podman's cgroups=split below a service
//	<slice>:<runtime>:<id>         a systemd path given to a runtime that has the cgroupfs driver
//
// A name with an unknown prefix is no container: CRI-O and Podman name the cgroups of their monitors after containers.
func engineSegment(s string) (id string, ok bool) {
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

// knownRuntime reports whether a container runtime begins the names of its cgroups so.
func knownRuntime(name string) bool {
	switch name {
	case "cri-containerd", "crio", "docker", "libpod", "libpod-payload", "nerdctl", "containerd", "podman":
		return true
	}
	return false
}

// systemSegment returns the name of a container that an administrator named, as the cgroup spells it:
//
//	lxc.payload.<name>, lxc.payload/<name>, lxc/<name>   LXC, Incus, LXD, Proxmox
//	systemd-nspawn@<name>.service/payload                systemd-nspawn, as a service
//	machine-<name>.scope/payload                         systemd-nspawn, started by hand
//	machine-lxc\x2d<number>\x2d<name>.scope              libvirt's LXC driver
//	nomad.slice/.../<allocation>.<task>.scope            Nomad's exec drivers; before 1.7 without share.slice
//	nomad/<allocation>...                                the same in version 1
func systemSegment(path, parent, segment string) (name string, ok bool) {
	switch {
	case parent == "lxc" || parent == "lxc.payload":
		return text(segment), true
	case strings.HasPrefix(segment, "lxc.payload."):
		name = segment[len("lxc.payload."):]
	case segment == "payload" && strings.HasPrefix(parent, "systemd-nspawn@"):
		name = unescape(strings.TrimSuffix(parent[len("systemd-nspawn@"):], ".service"))
	case segment == "payload" && strings.HasPrefix(parent, "machine-") && strings.HasSuffix(parent, ".scope"):
		name = unescape(strings.TrimSuffix(parent[len("machine-"):], ".scope"))
	case strings.HasPrefix(segment, `machine-lxc\x2d`) && strings.HasSuffix(segment, ".scope"):
		_, name, _ = strings.Cut(strings.TrimSuffix(segment[len(`machine-lxc\x2d`):], ".scope"), `\x2d`)
		name = unescape(name)
	case strings.HasPrefix(path, "/nomad.slice/") || strings.HasPrefix(path, "/nomad/"):
		name = nomadTask(segment)
	}
	return text(name), name != ""
}

// nomadTask returns <allocation>.<task>, or the allocation alone; the allocation is a UUID.
func nomadTask(segment string) string {
	name := strings.TrimSuffix(segment, ".scope")
	if allocation, _, _ := strings.Cut(name, "."); !isUUID(allocation) {
		return ""
	}
	return name
}

// monitorSegment reports whether a cgroup is that of a container's monitor, which is not in the container: a conmon (in
// the pod's cgroup), LXC's monitor.
func monitorSegment(parent, segment string) bool {
	return strings.HasPrefix(segment, "crio-conmon-") || strings.HasPrefix(segment, "libpod-conmon-") ||
		strings.HasPrefix(segment, "lxc.monitor.") || parent == "lxc.monitor"
}

// podSegment reports whether a cgroup is a pod's, and returns the pod's UID. The UID is empty for a static pod: its
// cgroup is named after a hash of the manifest, which the API server never sees:
//
//	pod<uid>                                      cgroupfs driver
//	[<prefix>-]kubepods[-<quality>]-pod<uid>.slice   systemd driver, "_" for "-"; prefix: the kubelet's cgroup root
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

// kubepods reports whether a slice without its suffix is kubepods or one of its classes of quality.
func kubepods(s string) bool {
	s = strings.TrimSuffix(strings.TrimSuffix(s, "-burstable"), "-besteffort")
	return s == "kubepods" || strings.HasSuffix(s, "-kubepods")
}

// podUID returns s if it is a UUID, and the empty string if it is the hash of a static pod.
func podUID(s string) (uid string, ok bool) {
	switch {
	case isUUID(s):
		return s, true
	case len(s) == hashLength && isHex(s):
		return "", true
	}
	return "", false
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isEngineID(s string) bool { return len(s) == idLength && isHex(s) }

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

// unescape replaces \x2d and the like, as systemd writes characters that a unit's name cannot have (systemd-escape(1)).
func unescape(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, `\x`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if code, err := strconv.ParseUint(after[:min(2, len(after))], 16, 8); err == nil && len(after) >= 2 {
			b.WriteByte(byte(code))
			s = after[2:]
		} else {
			b.WriteString(`\x`)
			s = after
		}
	}
}
