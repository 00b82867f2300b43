//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// However the collector ends, in the middle of a collection and of traffic, it leaves nothing in the kernel.
func TestEndsWithoutTrace(t *testing.T) {
	for name, test := range map[string]struct {
		signal syscall.Signal
		status int
	}{
		"SIGTERM": {syscall.SIGTERM, 0},
		"SIGINT":  {syscall.SIGINT, 0},
		"SIGKILL": {syscall.SIGKILL, -1},
	} {
		t.Run(name, func(t *testing.T) {
			sink := newSink(t)
			c := run(t, setup{Receiver: []string{"collection_interval: 10ms"}, OTLP: sink.address})
			s := goShopping(t)
			s.stock.do("serve %s", stockAddress)
			s.shop.do("churn %s", stockAddress)
			closed := of(toStock(), "netconn.closed")
			until(t, "traffic", func() bool { return sink.latest().find(s.shopID).counts()[closed] > 100 })
			objects := objectsOf(t, c.PID)
			if len(objects) < 5 {
				t.Fatalf("the collector has %v in the kernel, which is too little to be all", objects)
			}
			for _, o := range objects {
				if !o.exists(t) {
					t.Fatalf("%v is not there while the collector runs: the test proves nothing", o)
				}
			}
			// The collector waits for the answer: the collection is not over.
			sink.duringExport(func() { c.Signal(test.signal) })
			if status := c.exit(); status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			for _, o := range objects {
				until(t, fmt.Sprintf("the end of %v", o), func() bool { return !o.exists(t) })
			}
			if said := c.Log(); strings.Contains(said, "panic") || strings.Contains(said, "\terror\t") {
				t.Error("the collector complains")
			}
			checkHistory(t, sink.all())
		})
	}
}

// An object is one that BPF keeps in the kernel.
type object struct {
	kind string // as fdinfo writes it
	id   uint32
}

// objectsOf returns the programs, maps and links that a process holds.
func objectsOf(t *testing.T, pid int) []object {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	var objects []object
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a connection that was closed
		}
		for line := range strings.Lines(string(text)) {
			var o object
			_, err := fmt.Sscanf(strings.Replace(line, "_id:", " ", 1), "%s %d", &o.kind, &o.id)
			if err == nil && getByID(o.kind) != 0 {
				objects = append(objects, o)
			}
		}
	}
	return objects
}

// getByID returns the command of bpf(2) that opens an object of a kind, or 0.
func getByID(kind string) uintptr {
	switch kind {
	case "prog":
		return unix.BPF_PROG_GET_FD_BY_ID
	case "map":
		return unix.BPF_MAP_GET_FD_BY_ID
	case "link":
		return unix.BPF_LINK_GET_FD_BY_ID
	}
	return 0
}

// exists asks the kernel for the object. Ids are counted up, so a new one does not get an old id.
func (o object) exists(t *testing.T) bool {
	t.Helper()
	attribute := struct{ id, next, flags uint32 }{id: o.id}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, getByID(o.kind), uintptr(unsafe.Pointer(&attribute)),
		unsafe.Sizeof(attribute))
	switch {
	case errno == 0:
		unix.Close(int(fd))
		return true
	case errors.Is(errno, unix.ENOENT):
		return false
	}
	t.Fatalf("look for %v: %v", o, errno)
	return false
}
