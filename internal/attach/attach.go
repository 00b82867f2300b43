// Package attach runs BPF programs for the packets of chosen cgroups of version 2.
//
// In: loaded programs, and the ids of cgroups. Out: links, which the kernel removes when this process ends, however it
// ends. The programs of others stay attached and run as before. A cgroup includes the cgroups below it, so no packet
// runs a program of a Set twice: a cgroup below one of the Set is not attached to again, and when a cgroup above is
// added, those below are detached first. Packets in the moment between pass without the program.
//
// A Tree and a Set are not safe for concurrent use.
package attach

import (
	"errors"

	"github.com/cilium/ebpf"
)

// RootID is the id of the cgroup that includes all others (__kernfs_new_node).
const RootID = 1

// ErrGone is the error for a cgroup that does not exist any more.
var ErrGone = errors.New("no cgroup has this id")

// Program is a loaded program, and where it runs in a cgroup.
type Program struct {
	*ebpf.Program
	At ebpf.AttachType
}
