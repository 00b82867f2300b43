//go:build linux

// Command demo shows netconn on a service mesh. It is what `make demo` runs.
//
// It brings up bookinfo (package bookinfo: a gateway, four services, sidecars, two nodes, all on this machine), has a
// client send requests, shows the sockets that one call between two services takes as a socket list shows them, and
// then the table of internal/cmd/top, as `make run` does, of these processes only. At the end it removes the mesh,
// and prints what the processes themselves have counted.
//
// There is one at a time on a machine. Whatever ends demo ends the mesh's processes too; `demo -down`, as `make
// demo-down`, ends a demo that runs, and removes what one that was killed has left. It may be run at any time.
package main
