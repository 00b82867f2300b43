// Command kernels writes the table of the kernels that netconn was tested on.
//
// Its arguments are a page and folders, one of each kernel, in which internal/tools/vm-test has put the outputs of the
// packages' tests. The table stands in the page between two lines of comment. A folder replaces the row of its kernel
// and processor; rows of other runs stay. Tests that failed are printed, and then it exits with 1.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	flag.Parse()
	if flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: kernels PAGE FOLDER ...")
		os.Exit(2)
	}
	failed, err := run(flag.Arg(0), flag.Args()[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "kernels:", err)
		os.Exit(1)
	}
	for _, f := range failed {
		fmt.Println(f)
	}
	if len(failed) > 0 {
		os.Exit(1)
	}
}

// run returns what failed in each kernel.
func run(page string, folders []string) (failed []string, err error) {
	content, err := os.ReadFile(page)
	if err != nil {
		return nil, err
	}
	before, old, after, err := cut(string(content))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", page, err)
	}
	rows := parseRows(old)
	for _, folder := range folders {
		of, err := readFolder(folder)
		if err != nil {
			return nil, err
		}
		for _, f := range of.failed {
			failed = append(failed, fmt.Sprintf("Linux %s %s: %s", of.release, of.machine, f))
		}
		rows[key{of.release, of.machine}] = of.row()
		fmt.Println(of.row())
	}
	return failed, os.WriteFile(page, []byte(before+table(rows)+after), 0o644)
}

const begin, end = "<!-- kernels: begin -->\n", "<!-- kernels: end -->\n"

// cut returns what a page has before the table, the table and what comes after.
func cut(page string) (before, table, after string, err error) {
	before, rest, found := strings.Cut(page, begin)
	table, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", "", "", fmt.Errorf("no line %q, or none %q after it",
			strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin, table, end + after, nil
}

// key names a row.
type key struct{ release, machine string }

// parseRows reads the rows of a table.
func parseRows(table string) map[key]string {
	rows := map[key]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		k := key{strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])}
		if k.release != columns[0] && !strings.HasPrefix(k.release, "-") {
			rows[k] = strings.TrimSpace(line)
		}
	}
	return rows
}

// table orders the rows by processor and release.
func table(rows map[key]string) string {
	keys := make([]key, 0, len(rows))
	for k := range rows {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.machine != b.machine {
			return -strings.Compare(a.machine, b.machine)
		}
		return compareReleases(a.release, b.release)
	})
	lines := []string{line(columns[:]), line(slices.Repeat([]string{"---"}, len(columns)))}
	for _, k := range keys {
		lines = append(lines, rows[k])
	}
	return strings.Join(lines, "\n") + "\n"
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }

// compareReleases orders 6.1.0-56-amd64 before 6.12.95+deb12-amd64: by the numbers in them.
func compareReleases(a, b string) int {
	return slices.Compare(numbers(a), numbers(b))
}

func numbers(release string) (all []int) {
	n, in := 0, false
	for _, c := range release + "." {
		if c >= '0' && c <= '9' {
			n, in = n*10+int(c-'0'), true
		} else if in {
			all = append(all, n)
			n, in = 0, false
		}
	}
	return all
}
