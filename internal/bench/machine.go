//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// userHZ is the unit of /proc/stat: sysconf(_SC_CLK_TCK), 100 on every architecture that netconn runs on.
const userHZ = 100

// parseIdle returns the time that all processors were idle, or not there (taken by the hypervisor), from the first line of
// /proc/stat (proc_stat(5)).
func parseIdle(stat []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("read /proc/stat: %q", line)
	}
	var ticks uint64
	for _, i := range []int{4, 5, 8} { // idle, iowait, steal
		n, err := strconv.ParseUint(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read /proc/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / userHZ, nil
}

// A stopwatch measures the processor time of the whole machine: what all processors had, less what they did not use. While they are
// busy all the time, as the workloads keep them, that is exact, whoever the kernel charges an interrupt to.
type stopwatch struct {
	start time.Time
	idle  time.Duration
}

func startWatch() (stopwatch, error) {
	idle, err := readIdle()
	return stopwatch{start: time.Now(), idle: idle}, err
}

func readIdle() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read /proc/stat: %w", err)
	}
	return parseIdle(stat)
}

// cpu returns the processor time since the start.
func (w stopwatch) cpu() (time.Duration, error) {
	elapsed := time.Since(w.start)
	idle, err := readIdle()
	return elapsed*time.Duration(runtime.NumCPU()) - (idle - w.idle), err
}

// describeMachine returns a line on what the figures were measured on.
func describeMachine() string {
	var name unix.Utsname
	_ = unix.Uname(&name) // it cannot fail
	info, _ := os.ReadFile("/proc/cpuinfo")
	model := "unknown processor"
	for line := range strings.SplitSeq(string(info), "\n") {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			model = strings.TrimSpace(value)
			if strings.Contains(string(info), " hypervisor") {
				model += " (virtual machine)"
			}
			break
		}
	}
	var memory unix.Sysinfo_t
	_ = unix.Sysinfo(&memory)
	return fmt.Sprintf("%d cores, %s, %d GiB, Linux %s, %s, %s", runtime.NumCPU(), model,
		uint64(memory.Totalram)*uint64(memory.Unit)>>30, unix.ByteSliceToString(name.Release[:]), runtime.Version(),
		time.Now().UTC().Format("2 January 2006"))
}
