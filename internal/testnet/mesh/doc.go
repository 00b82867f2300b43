//go:build linux

// Package mesh builds a Kubernetes cluster's network, with a service mesh in it, out of what the kernel has: no API,
// no runtime, no Envoy, but real namespaces, cgroups, processes, rules and sockets.
//
// A Node is a network namespace with a bridge for its pods and an interface on the wire that all nodes and outside
// clients share. Pods reach each other through their node's IP stack only, as with kindnet, so that the node's rules
// see all of it. A Pod is a network namespace with one address of a family; each of its containers is a cgroup with
// the name that containerd and systemd give it. A Container runs one Process: the program that the mesh was made
// with, under the name of the container. Package program is what such a process runs: the program calls its Main.
//
// Rules are those of the files in testdata/rules or of any other folder with such names: see Families; or made for a
// list of services: see Node.Serve.
//
// Everything is private to a mesh and gone with Close, which also ends the processes. What a killed program leaves
// (processes end by themselves, with their input; then the namespaces do) is a few empty cgroups and a folder: see
// Sweep. It needs root, iproute2, iptables and nftables. Nothing here is safe for use by several goroutines, but
// Process.Ask for different processes.
package mesh
