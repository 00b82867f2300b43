package kernel

import (
	"fmt"
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

// countPass has a pass over all sockets correct their count. One over open files does not visit all.
func (s *Sockets) countPass(pass func() error) error {
	if s.room.limit == 0 || s.overFiles {
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
	n, err := s.counted()
	s.room.drift = int64(visited) - n
	return err
}
