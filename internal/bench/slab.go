//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// kmalloc returns the bytes of all objects in the kernel's general caches, from which socket storage is allocated. It first has them
// give back what lies in the lists of each processor, which /proc/slabinfo counts as taken.
func kmalloc() (uint64, error) {
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

// settledKmalloc waits until the figure no longer falls: what was used before is freed after grace periods of RCU, and in portions.
func settledKmalloc() (uint64, error) {
	last, err := kmalloc()
	for still := 0; err == nil && still < 3; {
		time.Sleep(time.Second)
		var now uint64
		now, err = kmalloc()
		if still++; now < last-last/200 {
			still = 0
		}
		last = now
	}
	return last, err
}

// parseSlabs adds up the active objects of the general caches: of those whose objects are accounted to a memory cgroup, as socket
// storage is, where the kernel keeps these apart (slabinfo(5), version 2.1).
func parseSlabs(text []byte) (uint64, error) {
	var accounted, all uint64
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "kmalloc-") {
			continue
		}
		active, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read slab %s: %w", fields[0], err)
		}
		size, err := strconv.ParseUint(fields[3], 10, 64)
		if err != nil {
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
