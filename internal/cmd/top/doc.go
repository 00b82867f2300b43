//go:build linux

// Command top shows who talks to whom on this machine, as a table in the terminal. It is what `make run` runs.
//
// In comes a collector with netconn in it, which top starts, and the Prometheus page of that collector, which top
// reads every interval. Out goes one table an interval: redrawn in place on a terminal, one after the other
// elsewhere. A row is a flow, seen from the end that owns the socket: between two programs of this machine there are
// two rows, one for each end. Rates are taken between two collections, by the time that the samples carry, so they do
// not depend on when the page is read. The fastest row is first.
//
// top ends when it is interrupted, after the rounds it was asked for, or when the collector ends: then it shows the
// last lines of the collector's log and exits with status 1. The collector never outlives it.
package main
