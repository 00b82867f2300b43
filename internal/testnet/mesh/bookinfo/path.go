//go:build linux

package bookinfo

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/netconn/netconn/internal/testnet/mesh"
	"github.com/netconn/netconn/internal/testnet/mesh/program"
)

// A ListedSocket is a socket as a list of its namespace shows it.
type ListedSocket struct {
	Name string // of the process
	mesh.Socket
	Accepted bool
}

// String is a line of such a list; the arrow points to the side that accepted.
func (s ListedSocket) String() string {
	arrow := "->"
	if s.Accepted {
		arrow = "<-"
	}
	return fmt.Sprintf("%-12s %-17s %s %s", s.Name, s.Local, arrow, s.Remote)
}

// Path returns the six sockets by which one pod's application has a connection to another's, by way of a service and
// both sidecars. The lists of both namespaces are read; which socket leads to which is known from the mesh's own
// rules, and from what is in the lists.
func (w *Deployment) Path(client, service, server string) ([]ListedSocket, error) {
	near, err := w.sockets(client)
	if err != nil {
		return nil, err
	}
	far, err := w.sockets(server)
	if err != nil {
		return nil, err
	}
	asked := w.Service(service)
	endpoint := netip.AddrPortFrom(w.pods[server].Addr4, asked.Port())
	path := []ListedSocket{}
	for _, step := range []struct {
		of       []ListedSocket
		accepted bool
		is       func(s ListedSocket, before ListedSocket) bool
	}{
		{near, false, func(s, _ ListedSocket) bool { return s.Remote == asked }},
		{near, true, func(s, before ListedSocket) bool {
			return s.Remote == before.Local &&
				s.Local.Port() == program.OutboundPort
		}},
		{near, false, func(s, _ ListedSocket) bool {
			return s.Name == Envoy && s.Remote == endpoint
		}},
		{far, true, func(s, before ListedSocket) bool { return s.Remote == before.Local }},
		{far, false, func(s, _ ListedSocket) bool {
			return s.Name == Envoy && s.Remote == endpoint
		}},
		{far, true, func(s, before ListedSocket) bool { return s.Remote == before.Local && s.Name != Envoy }},
	} {
		var before ListedSocket
		if len(path) > 0 {
			before = path[len(path)-1]
		}
		i := slices.IndexFunc(step.of, func(s ListedSocket) bool { return step.is(s, before) })
		if i < 0 {
			return nil, fmt.Errorf("follow %s to %s: no socket after %v", client, server, path)
		}
		s := step.of[i]
		s.Accepted = step.accepted
		path = append(path, s)
	}
	return path, nil
}

// sockets lists the connections in a pod's namespace.
func (w *Deployment) sockets(pod string) (all []ListedSocket, err error) {
	names := make(map[int]string)
	var pids []int
	for _, m := range w.Members {
		if m.Pod != nil && m.Pod.Name == pod {
			names[m.PID] = m.Name
			pids = append(pids, m.PID)
		}
	}
	sockets, err := mesh.Sockets(pids...)
	for _, s := range sockets {
		all = append(all, ListedSocket{Name: names[s.Pid], Socket: s})
	}
	return all, err
}
