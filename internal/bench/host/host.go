//go:build linux

// Package host reads what the whole machine does while a benchmark runs: its processor time and the memory of the
// kernel's caches. It needs root for the latter.
package host

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

// A Stopwatch measures the processor time of the whole machine: the time of all processors less their idle time. It is
// exact, whichever process the kernel charges an interrupt to, while the workload keeps all processors busy.
type Stopwatch struct {
	start time.Time
	idle  time.Duration
}

// Start starts a stopwatch.
func Start() (Stopwatch, error) {
	idle, err := readIdle()
	return Stopwatch{start: time.Now(), idle: idle}, err
}

// CPU returns the processor time since the start.
func (w Stopwatch) CPU() (time.Duration, error) {
	elapsed := time.Since(w.start)
	idle, err := readIdle()
	return elapsed*time.Duration(runtime.NumCPU()) - (idle - w.idle), err
}

func readIdle() (time.Duration, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read /proc/stat: %w", err)
	}
	return parseIdle(stat)
}

// parseIdle returns the time that all processors were idle, or taken away by the hypervisor, from the first line of
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

// Describe returns a line on the machine and the day.
func Describe() string {
	var name unix.Utsname
	_ = unix.Uname(&name) // it cannot fail
	var memory unix.Sysinfo_t
	_ = unix.Sysinfo(&memory)
	info, _ := os.ReadFile("/proc/cpuinfo")
	return fmt.Sprintf("%d cores, %s, %d GiB, Linux %s, %s, %s", runtime.NumCPU(), parseModel(string(info)),
		uint64(memory.Totalram)*uint64(memory.Unit)>>30, unix.ByteSliceToString(name.Release[:]), runtime.Version(),
		time.Now().UTC().Format("2 January 2006"))
}

// parseModel returns the name of the processor from /proc/cpuinfo, and whether a hypervisor is below it.
func parseModel(info string) string {
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) != "model name" {
			continue
		}
		model := strings.TrimSpace(value)
		if strings.Contains(info, " hypervisor") {
			model += " (virtual machine)"
		}
		return model
	}
	return "unknown processor"
}
