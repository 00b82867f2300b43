//go:build linux

package node

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// refused is netconn's count of the records for which the kernel's buffer had no room. All connections of the machine
// share the buffer, so the load of other programs can fill it.
const refused = "otelcol_netconn_ring_refused"

// overrun reports whether other programs have filled the kernel's buffer: it had no room for more records than the
// applications of this test can have caused, two for each connection.
func overrun(refused int64, connections int) bool { return refused > 2*int64(connections) }

// atMost reports whether there is no edge but the counted ones, and none with more than was counted.
func atMost(counted, reported map[edge][2]int64) bool {
	for e, got := range reported {
		if want, ok := counted[e]; !ok || got[0] > want[0] || got[1] > want[1] {
			return false
		}
	}
	return true
}

// differs reports an error for edges that are not as counted. If others have overrun the buffer and something is missing,
// that is no result at all: the test goes on, and explain has it skipped.
func (b *backend) differs(t *testing.T, what, diff string, counted, reported map[edge][2]int64) {
	t.Helper()
	b.mu.Lock()
	lost := b.losses[refused]
	b.mu.Unlock()
	if n := connections(t, journal); reported != nil && overrun(lost, n) && atMost(counted, reported) {
		b.short = append(b.short, fmt.Sprintf("%s: the applications have opened %d connections, and the kernel's buffer refused %d records:\n%s",
			what, n, lost, diff))
		return
	}
	t.Errorf("%s (-counted +reported):\n%s", what, diff)
}

// skipShort skips a test without an error if others have overrun the buffer.
func (b *backend) skipShort(t *testing.T) {
	t.Helper()
	if len(b.short) > 0 && !t.Failed() {
		t.Skip("No result. Run it again without other load on the machine.\n" + strings.Join(b.short, "\n"))
	}
}

// connections returns how many connections the clients have counted.
func connections(t *testing.T, folder string) (n int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		n += len(clients(t, path))
	}
	return n
}

// A flood of other programs explains what is missing, but neither too much, nor an edge that does not exist, nor what a
// few refusals cannot have caused.
func TestOverrun(t *testing.T) {
	e, other := edge{"client", "bare/bare:v1", "web/front:v1"}, edge{"client", "bare/bare:v1", "?/:"}
	counted := map[edge][2]int64{e: {100, 2000}}
	for name, c := range map[string]struct {
		reported map[edge][2]int64
		want     bool
	}{
		"equal":           {map[edge][2]int64{e: {100, 2000}}, true},
		"less":            {map[edge][2]int64{e: {99, 1000}}, true},
		"nothing":         {nil, true},
		"more sent":       {map[edge][2]int64{e: {101, 1000}}, false},
		"more received":   {map[edge][2]int64{e: {99, 2001}}, false},
		"an unknown edge": {map[edge][2]int64{e: {99, 1000}, other: {1, 0}}, false},
	} {
		if got := atMost(counted, c.reported); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if overrun(0, 0) || overrun(2000, 1000) || !overrun(2001, 1000) {
		t.Error("2001 refusals and 1000 connections prove other load, 2000 do not")
	}
}
