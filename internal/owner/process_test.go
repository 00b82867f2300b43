package owner

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLink(t *testing.T) {
	for target, want := range map[string]string{
		"/usr/bin/python3.11":                         "python3.11",
		"/usr/sbin/nginx (deleted)":                   "nginx",
		"/opt/my app/run (v2)":                        "run (v2)",
		"/memfd:runc_cloned:/proc/self/exe (deleted)": "",
		"/":        "",
		"":         "",
		"relative": "",
		"/nix/store/abc/bin/" + strings.Repeat("x", 60): strings.Repeat("x", 60),
	} {
		if got := parseLink(target); got != want {
			t.Errorf("parseLink(%q) = %q, want %q", target, got, want)
		}
	}
}

func TestParseStart(t *testing.T) {
	fields := "S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 200"
	for _, tt := range []struct {
		stat string
		want uint64
		ok   bool
	}{
		{"7 (nginx) " + fields, 987654, true},
		{"7 (a) S 1 2 (b) " + fields + "\n", 987654, true},
		{"7 (\n)) " + fields, 987654, true},
		{"7 (nginx) S 1 7", 0, false},
		{"7 (nginx) " + strings.Replace(fields, "987654", "-1", 1), 0, false},
		{"7 nginx " + fields, 0, false},
		{"", 0, false},
	} {
		if got, ok := parseStart(tt.stat); got != tt.want || ok != tt.ok {
			t.Errorf("parseStart(%q) = %d, %t, want %d, %t", tt.stat, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzParseStart(f *testing.F) {
	f.Add("nginx", uint64(987654))
	f.Add(") S 1 2 (", uint64(0))
	f.Fuzz(func(t *testing.T, name string, start uint64) {
		parseStart(name) // whatever it is: no panic
		stat := fmt.Sprintf("7 (%s) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 %d 1000 200", name, start)
		if got, ok := parseStart(stat); !ok || got != start {
			t.Errorf("parseStart(%q) = %d, %t, want %d", stat, got, ok, start)
		}
	})
}

func TestParseProcesses(t *testing.T) {
	for list, want := range map[string][]uint64{
		"":                     nil,
		"1\n42\n7\n":           {1, 42, 7},
		"0\n0\n42\n":           {42}, // the others are in a process namespace that the reader does not see
		"x\n-1\n99999999999\n": nil,
	} {
		if diff := cmp.Diff(want, parseProcesses(list)); diff != "" {
			t.Errorf("parseProcesses(%q) (-want +got):\n%s", list, diff)
		}
	}
}

func TestReason(t *testing.T) {
	seen := map[string]Reason{}
	for r := range Reasons {
		if other, ok := seen[r.String()]; ok || r.String() == "" {
			t.Errorf("reasons %d and %d are both called %q", other, r, r)
		}
		seen[r.String()] = r
	}
}
