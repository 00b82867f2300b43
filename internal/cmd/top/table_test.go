//go:build linux

package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the tables in testdata")

// A case is a folder: the page of the collection before (optional), the page of now, the table that is wanted.
func TestTable(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/now.txt")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, now := range cases {
		dir := filepath.Dir(now)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var before page
			if _, err := os.Stat(filepath.Join(dir, "before.txt")); err == nil {
				before = readPage(t, filepath.Join(dir, "before.txt"))
			}
			p := readPage(t, now)
			var table bytes.Buffer
			render(&table, p.host, p.at.UTC(), rowsOf(before, p, "19464", nil), room{rows: 6})
			golden(t, filepath.Join(dir, "want.txt"), table.String())
		})
	}
}

func TestTableOfANarrowTerminal(t *testing.T) {
	rows := rowsOf(readPage(t, "testdata/next/before.txt"), readPage(t, "testdata/next/now.txt"), "19464", nil)
	got := map[int]string{}
	for _, width := range []int{0, 150, 140, 120, 100, 1} {
		var table bytes.Buffer
		writeTable(&table, fit(layOut(rows), width))
		headings, _, _ := strings.Cut(table.String(), "\n")
		got[width] = strings.Join(strings.Fields(headings), " ")
	}
	want := map[int]string{
		0:   "OWNER PEER WHERE PORT OUT/s IN/s OUT IN RTT RESENT OPENED FAILED OPEN",
		150: "OWNER PEER WHERE PORT OUT/s IN/s OUT IN RTT RESENT OPENED FAILED OPEN",
		140: "OWNER PEER WHERE PORT OUT/s IN/s OUT IN RTT RESENT FAILED OPEN",
		120: "OWNER PEER PORT OUT/s IN/s OUT IN RTT FAILED OPEN",
		100: "OWNER PEER PORT OUT/s IN/s RTT FAILED OPEN",
		1:   "OWNER PEER PORT OUT/s IN/s FAILED OPEN",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headings by width (-want +got):\n%s", diff)
	}
}

func readPage(t *testing.T, path string) page {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := parsePage(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestParsePage(t *testing.T) {
	const text = `# TYPE netconn_io_bytes_total counter
netconn_io_bytes_total{container_id="c1",host_name="vm",netconn_peer_name="db",netconn_peer_scope="node",netconn_peer_type="container",netconn_role="client",network_io_direction="transmit",process_executable_name="app",server_port="5432"} 7 1000
netconn_io_bytes_total{container_id="c1",host_name="vm",netconn_peer_name="db",netconn_peer_scope="node",netconn_peer_type="container",netconn_role="client",network_io_direction="receive",process_executable_name="app",server_port="5432"} 8 3000
netconn_io_bytes_total{container_id="c1",host_name="vm",netconn_peer_name="db",netconn_peer_scope="node",netconn_peer_type="container",netconn_role="client",network_io_direction="receive",network_peer_address="10.0.0.1",process_executable_name="app",server_port="5432"} 100 2000
`
	got, err := parsePage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	want := page{
		at:   time.UnixMilli(3000),
		host: "vm",
		flows: map[flow]totals{
			{
				owner: owner{executable: "app", container: "c1"}, role: "client", port: "5432",
				peerName: "db", peerType: "container", scope: "node",
			}: {sent: 7, received: 108},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(page{}, flow{}, owner{}, totals{})); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

func TestParsePageThatIsNone(t *testing.T) {
	if _, err := parsePage(strings.NewReader("<html>\n")); err == nil || !strings.HasPrefix(err.Error(), "parse metrics: ") {
		t.Errorf("error: %v", err)
	}
}

func TestFigures(t *testing.T) {
	got := map[string]string{}
	for name, text := range map[string]string{
		"size 0": size(0), "size 999": size(999), "size 1000": size(1000), "size 999499": size(999_499), "size 999500": size(999_500),
		"size 12.34e6": size(12.34e6), "size 9.996e9": size(9.996e9), "size 1e20": size(1e20),
		"rate unknown": rate(5, false), "rate 0": rate(0, true), "rate 0.4": rate(0.4, true), "rate 1500": rate(1500, true),
		"rtt none": roundTrip(0), "rtt 50us": roundTrip(50 * time.Microsecond), "rtt 1.5ms": roundTrip(1500 * time.Microsecond),
		"rtt 123ms": roundTrip(123 * time.Millisecond), "rtt 2s": roundTrip(2 * time.Second),
		"count 0": count(0), "count 1e6": count(1e6),
	} {
		got[name] = text
	}
	want := map[string]string{
		"size 0": "0 B", "size 999": "999 B", "size 1000": "1.00 kB", "size 999499": "999 kB", "size 999500": "1.00 MB",
		"size 12.34e6": "12.3 MB", "size 9.996e9": "10.0 GB", "size 1e20": "100000 PB",
		"rate unknown": "-", "rate 0": "", "rate 0.4": "<1 B", "rate 1500": "1.50 kB",
		"rtt none": "", "rtt 50us": "50 us", "rtt 1.5ms": "1.50 ms", "rtt 123ms": "123 ms", "rtt 2s": "2.00 s",
		"count 0": "", "count 1e6": "1000000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func TestClip(t *testing.T) {
	if got := clip("αβγδ", 3); got != "αβ…" {
		t.Errorf("clip: %q", got)
	}
	if got := clip("αβγ", 3); got != "αβγ" {
		t.Errorf("clip: %q", got)
	}
}

// A name cannot move the cursor, change the terminal or turn the direction of text.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"nginx":                      "nginx",
		"caf\u00e9 \U0001F600":       "caf\u00e9 \U0001F600",
		"a\x1b[2Jb":                  "a\uFFFD[2Jb",         // clears the screen
		"a\nroot  ->  db":            "a\uFFFDroot  ->  db", // makes a row
		"a\rb\tc\x7f":                "a\uFFFDb\uFFFDc\uFFFD",
		"a\u009bb":                   "a\uFFFDb",          // a control sequence in one character
		"user\u202egnp.exe":          "user\uFFFDgnp.exe", // turns the rest around
		"\u2066a\u2069\u200f\u061cb": "\uFFFDa\uFFFD\uFFFD\uFFFDb",
		"a\u2028b":                   "a\uFFFDb",
		"caf\xe9":                    "caf\uFFFD",
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q, want %q", text, got, want)
		}
	}
}

// A name with control characters changes neither its row nor the summary.
func TestTableOfHostileNames(t *testing.T) {
	r := row{flow: flow{owner: owner{executable: "a\x1b[2J\nb"}, peerName: "c\u202ed"}}
	var table bytes.Buffer
	render(&table, "host\x1b[31m", time.Time{}, []row{r}, room{rows: 6})
	if strings.Count(table.String(), "\n") != 4 || strings.ContainsAny(table.String(), "\x1b\u202e") {
		t.Errorf("%q", table.String())
	}
}

// -only leaves out the flows of all other programs.
func TestOnlySomeOwners(t *testing.T) {
	var got []string
	for _, r := range rowsOf(page{}, readPage(t, "testdata/translated/now.txt"), "", []string{"productpage", "nobody"}) {
		got = append(got, r.owner.executable)
	}
	if diff := cmp.Diff([]string{"productpage"}, got); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
}

// The summary counts flows and open sockets, and names the host and the time if they are known.
func TestSummary(t *testing.T) {
	two := []row{{totals: totals{active: 2}}, {totals: totals{active: 1}}}
	for want, c := range map[string]struct {
		host string
		at   time.Time
		rows []row
	}{
		"vm, 00:00:10, 2 flows, 3 open sockets": {"vm", time.Unix(10, 0).UTC(), two},
		"1 flow, 1 open socket":                 {"", time.Time{}, two[1:]},
		"vm, 0 flows, 0 open sockets":           {"vm", time.Time{}, nil},
	} {
		if got := summary(c.host, c.at, c.rows); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A table says how many rows there was no room for, and a column of translations is there if one row has any.
func TestRoomForRows(t *testing.T) {
	rows := []row{{}, {flow: flow{way: way{nat: "snat"}}}, {flow: flow{way: way{nat: "none"}}}}
	for n, want := range map[int]string{1: "and 2 more\n", 2: "and 1 more\n", 3: "", 9: ""} {
		var table bytes.Buffer
		render(&table, "", time.Time{}, rows, room{rows: n})
		_, more, _ := strings.Cut(table.String(), "and ")
		if got := strings.TrimPrefix(want, "and "); more != got {
			t.Errorf("room for %d: %q, want %q", n, more, got)
		}
		if got, want := strings.Contains(table.String(), "NAT"), true; n > 1 && got != want {
			t.Errorf("room for %d: a column NAT is %v, want %v:\n%s", n, got, want, &table)
		}
	}
}
