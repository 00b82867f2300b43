// Command bench measures what netconn costs, and proves over a long time that it loses nothing. `make bench` and
// `make soak` run it.
//
// It is given the distribution that `make build` makes. Processes of this program (package load) make the traffic, in
// network namespaces and cgroups of their own (package testbed). It prints tables of Markdown, and compares the figures
// with their targets.
//
// The parts of bench are: churn, request and bulk (operations, CPU and p99 of that workload, with and without netconn
// and two other designs, package rival); bpf (run time of BPF programs); live (many open connections); cost (CPU of
// the collector, and whether anything is lost, at full churn); nat (the cost of finding translations); ring (what a
// ring that is too small refuses is counted); packages (the Go benchmarks of the packages). soak is package soak: it
// exits with status 1 if a connection or a byte is missing that no counter reports.
//
// The machine must be quiet: other load changes the figures. bench needs root, iproute2 and iptables.
package main
