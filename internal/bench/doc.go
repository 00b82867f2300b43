// Command bench measures what netconn costs, and proves over a long time that it loses nothing. `make bench` and `make soak` run it.
//
// In comes the distribution that `make build` makes. Traffic is made by processes of this program (package load) in network
// namespaces and cgroups of its own (package lab). Out come Markdown tables: every figure with what it should be.
//
// The parts of bench: churn, request, bulk (operations, CPU and p99 of that workload with and without netconn, and with two other
// designs, package rival), bpf (run time of BPF programs), live (many open connections), cost (CPU of the collector, and whether
// anything is lost, at full churn), nat (what it costs to find out who was translated to whom), ring (that what a ring too small
// refuses is counted), packages (the Go benchmarks of the packages). soak runs for as long as it is told to, and exits with status 1 if
// a connection or a byte is missing that no counter tells of.
//
// The machine is to be quiet: what else runs on it is in the figures. It needs root, iproute2 and iptables.
package main
