//go:build linux

package host

import (
	"errors"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestParseIdle(t *testing.T) {
	got, err := parseIdle([]byte("cpu  10 20 30 400 50 60 70 8 0 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n"))
	if want := 4580 * time.Millisecond; err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "cpu 1 2 3\n", "cpu a b c d e f g h i\n", "intr 1 2 3 4 5 6 7 8 9\n"} {
		if _, err := parseIdle([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// The stopwatch counts what a busy loop takes.
func TestStopwatch(t *testing.T) {
	w, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
	}
	cpu, err := w.CPU()
	if err != nil || cpu < 100*time.Millisecond {
		t.Errorf("got %v, %v; want at least what the loop had", cpu, err)
	}
}

const slabs = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor>
TCP                    7    100   2300   14    8 : tunables    0    0    0 : slabdata      1      1      0
kmalloc-192           10    100    192   21    1 : tunables    0    0    0 : slabdata      1      1      0
`

func TestParseSlabs(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want uint64
	}{
		"accounted ones are kept apart": {slabs + "kmalloc-cg-192 5 100 192 21 1 : tunables\nkmalloc-cg-1k 2 9 1024 21 1 : tunables\n", 3008},
		"they are not":                  {slabs, 1920},
		"there are none":                {"slabinfo - version: 2.1\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseSlabs([]byte(c.text))
			if err != nil || got != c.want {
				t.Errorf("got %d, %v; want %d", got, err, c.want)
			}
		})
	}
	for _, bad := range []string{"kmalloc-8 x 1 8 1 1", "kmalloc-8 1 1 x 1 1"} {
		if _, err := parseSlabs([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// Values that fall are read again, until three in a row do not.
func TestSettle(t *testing.T) {
	for name, c := range map[string]struct {
		values []uint64
		want   uint64
		reads  int
	}{
		"stable":           {[]uint64{1000, 1000, 1000, 1000, 7}, 1000, 4},
		"falls":            {[]uint64{4000, 3000, 2000, 2000, 1999, 2000}, 2000, 6},
		"falls by little":  {[]uint64{1000, 996, 992, 988}, 988, 4},
		"rises":            {[]uint64{1000, 1100, 1200, 1300}, 1300, 4},
		"falls once again": {[]uint64{1000, 1000, 900, 900, 900, 900}, 900, 6},
	} {
		reads := 0
		got, err := settle(func() (uint64, error) { reads++; return c.values[reads-1], nil }, 0)
		if err != nil || got != c.want || reads != c.reads {
			t.Errorf("%s: %d after %d reads, %v; want %d after %d", name, got, reads, err, c.want, c.reads)
		}
	}
	broken := errors.New("broken")
	if _, err := settle(func() (uint64, error) { return 0, broken }, 0); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// The kernel's caches are read as they are here.
func TestKmalloc(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	n, err := Kmalloc()
	if err != nil || n < 1<<16 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestParseModel(t *testing.T) {
	for info, want := range map[string]string{
		"processor\t: 0\nmodel name\t: AMD EPYC 7763\nflags\t\t: fpu vme\n":            "AMD EPYC 7763",
		"processor\t: 0\nmodel name\t: AMD EPYC 7763\nflags\t\t: fpu hypervisor vme\n": "AMD EPYC 7763 (virtual machine)",
		"processor\t: 0\nBogoMIPS\t: 50.00\n":                                          "unknown processor",
		"":                                                                             "unknown processor",
	} {
		if got := parseModel(info); got != want {
			t.Errorf("%q: got %q, want %q", info, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	want := regexp.MustCompile(`^\d+ cores, .+, \d+ GiB, Linux \d+\.\S+, go1\S*, \d+ \w+ \d{4}$`)
	if got := Describe(); !want.MatchString(got) {
		t.Errorf("got %q, want %v", got, want)
	}
}

// The time that is idle, waits for a disk or is stolen by the hypervisor is not used; any other is.
func TestIdleFields(t *testing.T) {
	for i, want := range []time.Duration{0, 0, 0, time.Second, time.Second, 0, 0, time.Second, 0, 0} {
		fields := []string{"0", "0", "0", "0", "0", "0", "0", "0", "0", "0"}
		fields[i] = "100"
		got, err := parseIdle([]byte("cpu  " + strings.Join(fields, " ") + "\n"))
		if err != nil || got != want {
			t.Errorf("field %d: %v, %v; want %v", i, got, err, want)
		}
	}
}

// An idle machine uses little of its time. Other tests run beside this one, so the bound is loose.
func TestStopwatchOfNothing(t *testing.T) {
	w, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	cpu, err := w.CPU()
	if most := time.Duration(runtime.NumCPU()) * time.Since(w.start); err != nil || cpu > most+2*time.Second/userHZ*time.Duration(runtime.NumCPU()) {
		t.Errorf("%v of %v, %v", cpu, most, err)
	}
}

// What cannot be a slab's line is skipped; a line of a general cache that cannot be read is an error that names it.
func TestParseSlabsErrors(t *testing.T) {
	got, err := parseSlabs([]byte("kmalloc-8 1\n\nTCP x 1 y\nkmalloc-16 2 9 16 1 1\n"))
	if err != nil || got != 32 {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := parseSlabs([]byte("kmalloc-rcl-8 x 1 8 1 1")); err == nil || !strings.Contains(err.Error(), "read slab kmalloc-rcl-8: ") {
		t.Errorf("got %v", err)
	}
}

// The line names the machine's cores, the kernel's release and the day.
func TestDescribeThisMachine(t *testing.T) {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Linux " + strings.TrimSpace(string(release)) + ", " + runtime.Version(), time.Now().UTC().Format(", 2 January 2006"),
	} {
		if !strings.Contains(Describe(), want) {
			t.Errorf("%q lacks %q", Describe(), want)
		}
	}
}
