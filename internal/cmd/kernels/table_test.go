package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Releases are in the order of their versions, whatever a distribution appends to them.
func TestReleasesInOrder(t *testing.T) {
	ordered := []string{
		"5.10.0-32-amd64", "6.1.0-9-amd64", "6.1.0-56-amd64", "6.12.9+deb12-amd64", "6.12.95+deb12-amd64", "6.18.0",
		"6.18.5", "7.3.4+deb13-amd64",
	}
	shuffled := []string{ordered[5], ordered[0], ordered[7], ordered[3], ordered[2], ordered[6], ordered[1], ordered[4]}
	slices.SortFunc(shuffled, compareReleases)
	if diff := cmp.Diff(ordered, shuffled); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
	for release, want := range map[string][]int{
		"6.1.0-56-amd64": {6, 1, 0, 56, 64}, "": nil, "next": nil, "7": {7},
	} {
		if got := numbers(release); !slices.Equal(got, want) {
			t.Errorf("%q has the numbers %v, want %v", release, got, want)
		}
	}
}

// The rows of a page are read as they were written, and nothing else of a table is a row.
func TestRowsAreReadBack(t *testing.T) {
	rows := map[key]string{
		{"6.1.0-56-amd64", "x86-64"}:      "| 6.1.0-56-amd64 | x86-64 | 9 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 |",
		{"6.12.95+deb12-arm64", "arm64"}:  "| 6.12.95+deb12-arm64 | arm64 | 7 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 |",
		{"6.12.95+deb12-amd64", "x86-64"}: wantRow,
	}
	if diff := cmp.Diff(rows, parseRows(table(rows))); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if got := parseRows("text\n\n| a table of two cells\n"); len(got) != 0 {
		t.Errorf("%v are no rows", got)
	}
	if got := parseRows(table(nil)); len(got) != 0 {
		t.Errorf("an empty table has the rows %v", got)
	}
}

// A page without the two lines of comment, or with them in the wrong order, is refused with what is missing.
func TestPagesWithoutATable(t *testing.T) {
	for _, page := range []string{"", begin, end, end + begin} {
		if _, _, _, err := cut(page); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(end)) {
			t.Errorf("%q: %v", page, err)
		}
	}
	before, inside, after, err := cut("a\n" + begin + "b\n" + end + "c\n")
	if err != nil || before != "a\n"+begin || inside != "b\n" || after != end+"c\n" {
		t.Errorf("%q, %q, %q, %v", before, inside, after, err)
	}
}

// A cell counts what passed; one failure is all that a reader needs to know of it; and what was skipped is not there.
func TestCells(t *testing.T) {
	all := func(string) bool { return true }
	for want, verdicts := range map[string][]string{
		"2":                  {"PASS", "PASS", "SKIP"},
		"1 failed of 3":      {"PASS", "FAIL", "PASS"},
		"2 failed of 2":      {"FAIL", "FAIL"},
		"not in this kernel": {"SKIP"},
	} {
		o := output{ended: map[string]bool{"kernel": true}}
		for _, v := range verdicts {
			o.add(result{v, "kernel", "TestX"})
		}
		if got := o.cell(all, "kernel"); got != want {
			t.Errorf("%v: %q, want %q", verdicts, got, want)
		}
		if failed := strings.Count(strings.Join(verdicts, " "), "FAIL"); len(o.failed) != failed {
			t.Errorf("%v: %d are named as failed", verdicts, len(o.failed))
		}
	}
}

// An output that cannot be read leaves the page as it is.
func TestOutputsThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	page, empty := filepath.Join(dir, "page.md"), t.TempDir()
	write(t, page, begin+end)
	write(t, filepath.Join(empty, "dns.log"), "")
	for _, folder := range []string{filepath.Join(dir, "missing"), empty} {
		if _, err := run(page, []string{folder}); err == nil {
			t.Errorf("%s has no error", folder)
		}
	}
	if content, err := os.ReadFile(page); err != nil || string(content) != begin+end {
		t.Errorf("the page is %q, %v", content, err)
	}
	if _, err := run(filepath.Join(dir, "missing"), nil); err == nil {
		t.Error("a missing page has no error")
	}
}

// The serial console of a machine ends its lines with a carriage return.
func TestLinesOfAConsole(t *testing.T) {
	folder := t.TempDir()
	splitOutput(t, folder, ran)
	for _, pkg := range packages {
		name := filepath.Join(folder, pkg+".log")
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, name, strings.ReplaceAll(string(content), "\n", "\r\n"))
	}
	got, err := readFolder(folder)
	if err != nil || got.row() != wantRow || len(got.failed) > 0 {
		t.Errorf("%q, %v, %v", got.row(), got.failed, err)
	}
}
