//go:build linux

package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Programs returns the ids of the BPF programs that the links of a process attach.
func Programs(pid int) (map[uint32]bool, error) {
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fdinfo")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("read the open files of %d: %w", pid, err)
	}
	ids := map[uint32]bool{}
	for _, e := range entries {
		info, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			continue // closed since
		}
		if id, ok := parseLink(string(info)); ok {
			ids[id] = true
		}
	}
	return ids, nil
}

// parseLink returns the id of the program that a link attaches, and false for other files: a program's file has no
// link_type.
func parseLink(info string) (id uint32, ok bool) {
	link := false
	for line := range strings.Lines(info) {
		switch f := strings.Fields(line); {
		case len(f) == 2 && f[0] == "link_type:":
			link = true
		case len(f) == 2 && f[0] == "prog_id:":
			n, err := strconv.ParseUint(f[1], 10, 32)
			id, ok = uint32(n), err == nil
		}
	}
	return id, link && ok
}
