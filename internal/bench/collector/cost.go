//go:build linux

package collector

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU returns the processor time of a process since it started, to the nanosecond (clock_getcpuclockid(3)).
func CPU(pid int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err != nil {
		return 0, fmt.Errorf("read processor time of %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Resident returns the resident memory of a process in bytes.
func Resident(pid int) (uint64, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read memory of a process: %w", err)
	}
	defer file.Close()
	kib, err := parseField(file, "VmRSS:")
	return kib << 10, err
}

// parseField returns the number after a name at the beginning of a line, as in /proc/PID/status and /proc/PID/fdinfo.
func parseField(r io.Reader, name string) (uint64, error) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), name); found {
			if words := strings.Fields(rest); len(words) > 0 {
				return strconv.ParseUint(words[0], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("find field %s: %w", name, os.ErrNotExist)
}

// An Objects is what a process holds in the kernel's BPF side, but for links to cgroups: there are three for each
// cgroup that uses UDP or serves DNS, which are others' processes.
type Objects struct {
	Programs    []ProgramTime // by id
	Maps, Links int
}

// A ProgramTime is what the kernel says of one program; both are 0 unless statistics are on.
type ProgramTime struct {
	ID, Runs uint64
	Time     time.Duration
}

// BPF returns the BPF objects that a process has descriptors of, each once.
func BPF(pid int) (Objects, error) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil || len(paths) == 0 {
		return Objects{}, fmt.Errorf("list files of process %d: %w", pid, errors.Join(err, os.ErrNotExist))
	}
	var texts []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // it was closed meanwhile
		}
		if err != nil {
			return Objects{}, fmt.Errorf("read descriptor: %w", err)
		}
		texts = append(texts, string(text))
	}
	return parseObjects(texts), nil
}

// parseObjects reads what bpf_prog_show_fdinfo, bpf_map_show_fdinfo and bpf_link_show_fdinfo of the kernel write. A
// link names its program too.
func parseObjects(texts []string) (o Objects) {
	seen := make(map[string]bool)
	once := func(kind string, id uint64) bool {
		key := fmt.Sprint(kind, id)
		defer func() { seen[key] = true }()
		return !seen[key]
	}
	for _, text := range texts {
		field := func(name string) (uint64, bool) {
			n, err := parseField(strings.NewReader(text), name)
			return n, err == nil
		}
		if id, is := field("link_id:"); is {
			if once("link", id) && !strings.Contains(text, "link_type:\tcgroup\n") {
				o.Links++
			}
		} else if id, is := field("map_id:"); is {
			if once("map", id) {
				o.Maps++
			}
		} else if id, is := field("prog_id:"); is && once("program", id) {
			runs, _ := field("run_cnt:")
			ns, _ := field("run_time_ns:")
			o.Programs = append(o.Programs, ProgramTime{ID: id, Runs: runs, Time: time.Duration(ns)})
		}
	}
	return o
}

// Heap returns the bytes of the Go heap that are live, right after a collection of it.
func (c *Collector) Heap() (bytes uint64, err error) {
	text, err := c.profile("heap?gc=1&debug=1")
	if err != nil {
		return 0, err
	}
	return parseField(strings.NewReader(text), "# HeapAlloc =")
}

// Goroutines returns how many there are.
func (c *Collector) Goroutines() (int, error) {
	text, err := c.profile("goroutine?debug=1")
	if err != nil {
		return 0, err
	}
	n, err := parseField(strings.NewReader(text), "goroutine profile: total")
	return int(n), err
}

// Profile writes one of the profiles of net/http/pprof to a file.
func (c *Collector) Profile(name, path string) error {
	text, err := c.profile(name)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// Health returns the sum of the collector's own metrics of one name, 0 if there is none yet. It was started to show
// them.
func (c *Collector) Health(name string) (float64, error) {
	text, err := get("http://" + c.telemetry + "/metrics")
	if err != nil {
		return 0, fmt.Errorf("read the collector's own metrics: %w", err)
	}
	return sumOf(strings.NewReader(text), name), nil
}

// sumOf adds up the samples of one name in Prometheus' text format; those of a counter may end in _total.
func sumOf(text io.Reader, name string) (sum float64) {
	for lines := bufio.NewScanner(text); lines.Scan(); {
		line := lines.Text()
		end := strings.IndexAny(line, "{ ")
		if end < 0 || line[:end] != name && line[:end] != name+"_total" {
			continue
		}
		if v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64); err == nil {
			sum += v
		}
	}
	return sum
}

func (c *Collector) profile(name string) (string, error) {
	text, err := get("http://" + c.profiles + "/debug/pprof/" + name)
	if err != nil {
		return "", fmt.Errorf("read profile %s: %w", name, err)
	}
	return text, nil
}

func get(url string) (string, error) {
	response, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(text), err
}
