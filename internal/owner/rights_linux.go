package owner

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// rights are what the system allows this process.
type rights struct {
	capabilities uint64 // effective
	self         string // the pid of this process in the host's process table; empty: it is not there
	pid          int    // as this process knows it
}

// readRights reads the rights to a process table of the host. The error of capget means that no capability is known to
// be missing.
func readRights(proc string) rights {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	r := rights{capabilities: ^uint64(0), self: readLink(filepath.Join(proc, "self")), pid: os.Getpid()}
	if unix.Capget(&header, &data[0]) == nil {
		r.capabilities = uint64(data[0].Effective) | uint64(data[1].Effective)<<32
	}
	return r
}

// missing returns a sentence for each right without which the rest works, but says less.
func (r rights) missing() (warnings []string) {
	for _, c := range []struct {
		number     uint
		name, cost string
	}{
		{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "netconn.nat is unresolved where the other end is not on this machine"},
		{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "containers of other users are named by their first connection, the " +
			"host's name is that in /etc/hostname, and netconn.nat is unresolved where the other end is not on this " +
			"machine"},
	} {
		if r.capabilities&(1<<c.number) == 0 {
			warnings = append(warnings, fmt.Sprintf("missing %s: %s; grant it to the collector", c.name, c.cost))
		}
	}
	if r.self != strconv.Itoa(r.pid) {
		warnings = append(warnings, "the collector is in a process namespace of its own: connections older than the "+
			"collector have no owner; run it in the host's (hostPID: true, or --pid=host)")
	}
	return warnings
}

// missingRights says what this process lacks to use the process table of the host. A directory of a test has no rights.
func missingRights(proc string) []string {
	if !isProc(proc) {
		return nil
	}
	return readRights(proc).missing()
}
