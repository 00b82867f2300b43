package conn

// Process is what the kernel knew of the task that opened the connection (or the listener that accepted it), at that
// moment. The process may have ended long ago. The zero value: unknown.
type Process struct {
	PID        uint32 // in the initial process namespace
	Cgroup     uint64 // id of its cgroup
	Executable string // name of the executable file, at most 31 bytes
}

// Owner is the container or the host service that a connection belongs to. Comparable; the zero value: unknown.
type Owner struct {
	ContainerID string // 64 hexadecimal digits, or empty: a host process
	PodUID      string // a UUID, or empty: not in a pod, or a static pod
	Unit        string // systemd unit of a host process; sessions and transient units are folded into their slice
	Executable  string // of the container's first process; of the process itself on the host
}
