//go:build linux

package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Kmalloc returns the bytes of all objects in the kernel's general caches, from which socket storage is allocated. It
// first shrinks the caches: /proc/slabinfo counts objects in the free lists of each processor as active.
func Kmalloc() (uint64, error) {
	caches, err := filepath.Glob("/sys/kernel/slab/kmalloc-*/shrink")
	if err != nil {
		return 0, err
	}
	for _, path := range caches {
		if err := os.WriteFile(path, []byte("1"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("shrink a slab cache: %w", err)
		}
	}
	text, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return 0, fmt.Errorf("read slabs: %w", err)
	}
	return parseSlabs(text)
}

// SettledKmalloc waits until the figure no longer falls: the kernel frees memory after RCU grace periods, and in
// portions.
func SettledKmalloc() (uint64, error) { return settle(Kmalloc, time.Second) }

// settle reads until three values in a row are not lower than the one before by more than half a percent.
func settle(read func() (uint64, error), pause time.Duration) (uint64, error) {
	last, err := read()
	for stable := 0; err == nil && stable < 3; {
		time.Sleep(pause)
		var now uint64
		now, err = read()
		if stable++; now < last-last/200 {
			stable = 0
		}
		last = now
	}
	return last, err
}

// parseSlabs adds up the active objects of the general caches (slabinfo(5), version 2.1). Socket storage is accounted
// to a memory cgroup: where the kernel has separate caches for that, only those count.
func parseSlabs(text []byte) (uint64, error) {
	var accounted, all uint64
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "kmalloc-") {
			continue
		}
		active, activeErr := strconv.ParseUint(fields[1], 10, 64)
		size, sizeErr := strconv.ParseUint(fields[3], 10, 64)
		if err := errors.Join(activeErr, sizeErr); err != nil {
			return 0, fmt.Errorf("read slab %s: %w", fields[0], err)
		}
		all += active * size
		if strings.HasPrefix(fields[0], "kmalloc-cg-") {
			accounted += active * size
		}
	}
	if accounted > 0 {
		return accounted, nil
	}
	return all, nil
}
