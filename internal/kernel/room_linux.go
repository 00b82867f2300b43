package kernel

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// room bounds the sockets that have state in the kernel.
type room struct {
	limit int64 // 0: any number
	// drift corrects the count of sockets: some are destroyed without a tracepoint. Each whole pass finds it anew.
	drift int64
	full  bool
}

// Limit bounds the sockets with state to n; 0: any number. The state is memory of the kernel, charged to this process's
// cgroup, and the kernel would exceed a limit of memory rather than refuse it. A socket beyond the bound is not
// reported until there is room and a search for older connections finds it. Call it before Adopt.
func (s *Sockets) Limit(n int) error {
	s.room.limit = int64(n)
	return s.makeRoom()
}

// makeRoom tells the programs how many more sockets may get state. It runs at each Drain, so a burst may exceed the
// bound by what opens between two calls.
func (s *Sockets) makeRoom() error {
	if s.room.limit == 0 {
		return nil
	}
	n, err := s.counted()
	if err != nil {
		return err
	}
	free := max(s.room.limit-n-s.room.drift, 0)
	s.room.full = free == 0
	if err := s.objects.Room.Set(free); err != nil {
		return fmt.Errorf("write the room for sockets: %w", err)
	}
	return nil
}

// counted returns how many sockets have state, by the tracepoints.
func (s *Sockets) counted() (int64, error) {
	tracked, err := s.count(sockCounterCOUNT_TRACKED)
	if err != nil {
		return 0, err
	}
	destroyed, err := s.count(sockCounterCOUNT_DESTROYED)
	return int64(tracked - destroyed), err
}

// countPass has a pass correct the count of sockets. One over open files visits only some of them, so it is the least
// that there are. There, the kernel's count of all TCP sockets is the most.
func (s *Sockets) countPass(pass func() error) error {
	if s.room.limit == 0 {
		return pass()
	}
	if err := s.objects.Visited.Set(uint64(0)); err != nil {
		return fmt.Errorf("count sockets: %w", err)
	}
	if err := pass(); err != nil {
		return err
	}
	var visited uint64
	if err := s.objects.Visited.Get(&visited); err != nil {
		return fmt.Errorf("count sockets: %w", err)
	}
	most := int64(visited)
	if s.overFiles {
		var err error
		if most, err = readAllocated(); err != nil {
			return fmt.Errorf("count sockets: %w", err)
		}
	}
	n, err := s.counted()
	s.room.drift = min(max(s.room.drift, int64(visited)-n), most-n)
	return err
}

// readAllocated returns how many TCP sockets the kernel has, in all network namespaces. The kernel subtracts a socket
// where the tracepoint tcp_destroy_sock runs.
func readAllocated() (int64, error) {
	content, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0, err
	}
	return parseAllocated(string(content))
}

// parseAllocated reads a line like "TCP: inuse 4 orphan 0 tw 2 alloc 4 mem 966".
func parseAllocated(sockstat string) (int64, error) {
	for line := range strings.Lines(sockstat) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(fields); i += 2 {
			if fields[i] == "alloc" {
				return strconv.ParseInt(fields[i+1], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("no count of TCP sockets in /proc/net/sockstat: %q", sockstat)
}
