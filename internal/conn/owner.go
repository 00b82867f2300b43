package conn

// Process is what the kernel knew of the task that opened the connection (or the listener that accepted it), at that
// moment. The process may have ended long ago. The zero value: unknown.
type Process struct {
	PID        uint32 // in the initial process namespace
	Truncated  bool   // Executable may be longer than the kernel side has room for
	Cgroup     uint64 // id of its cgroup of version 2
	CgroupV1   uint64 // id of its cgroup of version 1, of the memory controller; 0: that controller is not in version 1
	Executable string // name of the executable file, as the bytes of the file system, which need not be UTF-8
}

// Cgroup is a report of the kernel on a new cgroup. Version 1 and version 2 count their ids apart.
type Cgroup struct {
	ID   uint64
	V1   bool   // of the memory controller's hierarchy of version 1
	Path string // from the root of its hierarchy, starting with a slash; empty: too long for the kernel side
}

// Owner is the container or the host service that a connection belongs to. Its strings are UTF-8. Comparable; the zero
// value: unknown.
type Owner struct {
	ContainerID string // 64 hexadecimal digits, or the name of a system container (Named); empty: a host process
	PodUID      string // a UUID, or empty: not in a pod, or StaticPod
	Unit        string // systemd unit of a host process; sessions and transient units are folded into their slice
	Executable  string // of the container's first process; of the process itself on the host
	Named       bool   // ContainerID is the name that an administrator gave (LXC, systemd-nspawn, Nomad)
	StaticPod   bool   // in a pod that the kubelet read from a file: its cgroup does not have the UID that the API has
}

// ClaimedID reports whether the container's id was chosen by the user or the service that Unit names, and not by an
// engine of the host. It identifies the container only together with Unit.
func (o Owner) ClaimedID() bool { return o.ContainerID != "" && o.Unit != "" }

// InPod reports whether a kubelet made the container.
func (o Owner) InPod() bool { return o.ContainerID != "" && (o.PodUID != "" || o.StaticPod) }

// Name returns a name for people: that of a system container, else the executable.
func (o Owner) Name() string {
	if o.Named {
		return o.ContainerID
	}
	return o.Executable
}
