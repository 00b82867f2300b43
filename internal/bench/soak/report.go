//go:build linux

package soak

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/netconn/netconn/internal/bench/collector"
	"github.com/netconn/netconn/internal/harness"
)

// unloadLimit is how long the kernel may take to unload the programs of a process that has ended.
const unloadLimit = 10 * time.Second

// report ends the collector, writes the tables, and returns an error if anything is missing or left.
func (s *soak) report(out io.Writer) error {
	ended, err := stateOf(s.collector)
	if err != nil {
		return err
	}
	objects, err := collector.BPF(s.collector.PID)
	if err := errors.Join(err, s.collector.Stop()); err != nil {
		return err
	}
	left := loaded(objects.Programs)
	s.write(out, ended, left)
	errs := []error{ended.check(s.began), s.sink.Err()}
	for _, c := range s.checkpoints {
		errs = append(errs, c.check())
	}
	if left > 0 {
		errs = append(errs, fmt.Errorf("look for the collector's BPF programs after its end: %d are loaded", left))
	}
	return errors.Join(errs...)
}

func (s *soak) write(out io.Writer, ended state, left int) {
	t := s.checkpoints[len(s.checkpoints)-1].table()
	t.Notes = []string{fmt.Sprintf(`
			%v of traffic: %d connections a second that are opened, used and closed, %d that stay open and are
			replaced in part, and %d containers that came and went. The collector was reloaded %d times and
			restarted %d times, each time without traffic. Reported: by its OTLP output, over all starts.`,
		s.duration.Round(time.Second), s.rate, longLived, s.containers, s.reloads, s.restarts)}
	t.Write(out)
	states := stateTable(s.began, ended)
	states.Add("BPF programs after its end", "", fmt.Sprint(left))
	states.Write(out)
}

// stateOf reads what a collector holds.
func stateOf(c *collector.Collector) (s state, err error) {
	var errs [5]error
	s.heap, errs[0] = c.Heap()
	s.goroutines, errs[1] = c.Goroutines()
	s.resident, errs[2] = collector.Resident(c.PID)
	objects, err := collector.BPF(c.PID)
	errs[3] = err
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.PID))
	errs[4] = err
	s.programs, s.maps, s.links, s.files = len(objects.Programs), objects.Maps, objects.Links, len(files)
	return s, errors.Join(errs[:]...)
}

// loaded returns how many programs are in the kernel once it has unloaded what it unloads.
func loaded(programs []collector.ProgramTime) (left int) {
	_ = harness.Until(unloadLimit, "", func() bool {
		left = 0
		for _, p := range programs {
			if _, err := collector.Name(p.ID); !errors.Is(err, os.ErrNotExist) {
				left++
			}
		}
		return left == 0
	})
	return left
}
