//go:build linux

// Package harness starts collectors for tests, benchmarks and the programs that show netconn.
//
// A Process is a child that the kernel kills when this program ends, whatever ends it. A Collector is a Process with a
// log file: it can be waited for until it is ready, reloaded and stopped. What it exports is
// received by package otlp. FreeAddress and Until are what callers need around both.
//
// Nothing here knows package testing: failures are errors. The methods of one Process or Collector may be called by
// several goroutines.
package harness
