package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// columns are the heads of the table.
var columns = [...]string{
	"Linux", "processor", "TCP", "containers", "cgroup v1", "conntrack by BPF", "by netlink", "IPVS",
	"programs of cgroups", "DNS", "UDP", "drops",
}

// packages are those that ask the kernel.
var packages = []string{"attach", "conntrack", "dns", "drops", "kernel", "owner", "udp"}

// output is what was read of the tests in one kernel.
type output struct {
	release, machine string
	results          []result
	tooOld           string          // what netconn said of this kernel, if it is too old
	ended            map[string]bool // packages of which an output was read: whether they ran to their end
	failed           []string        // tests, and packages that did not run or end
}

// result is that of one test or subtest.
type result struct{ verdict, pkg, test string }

var (
	verdictLine = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(`)
	processors  = strings.NewReplacer("x86_64", "x86-64", "aarch64", "arm64") // uname's names
	tooOldLine  = regexp.MustCompile(`^\s+unsupported_test\.go:\d+: (.*the kernel lacks a feature.*)$`)
)

// readFolder reads the outputs of all packages in one kernel.
func readFolder(folder string) (output, error) {
	o := output{ended: map[string]bool{}}
	names, err := filepath.Glob(filepath.Join(folder, "*.log"))
	if err != nil {
		return o, err
	}
	for _, name := range names {
		if err := o.readFile(name); err != nil {
			return o, fmt.Errorf("%s: %w", name, err)
		}
	}
	if o.release == "" {
		return o, fmt.Errorf("%s: no output says which kernel ran", folder)
	}
	for _, pkg := range packages {
		if _, ran := o.ended[pkg]; !ran && o.tooOld == "" {
			o.failed = append(o.failed, pkg+" did not run")
		}
	}
	return o, nil
}

func (o *output) readFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return o.parse(f)
}

// parse reads an output of internal/tools/kernel-tests: a line of the kernel, and then a line and the tests of each
// package. PASS or FAIL is the end of a package's tests.
func (o *output) parse(in io.Reader) error {
	pkg := ""
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := strings.TrimRight(lines.Text(), "\r")
		name, begins := strings.CutPrefix(text, "== ")
		switch m := verdictLine.FindStringSubmatch(text); {
		case begins:
			o.finish(pkg)
			pkg = o.begin(name)
		case m != nil:
			o.add(result{m[1], pkg, m[2]})
		case text == "PASS", text == "FAIL":
			o.ended[pkg] = true
		default:
			if m := tooOldLine.FindStringSubmatch(text); m != nil {
				o.tooOld = m[1]
			}
		}
	}
	o.finish(pkg)
	return lines.Err()
}

// begin returns the package that a line names, or none if the line names the kernel.
func (o *output) begin(name string) (pkg string) {
	if f := strings.Fields(name); f[0] == "linux" && len(f) == 3 {
		o.release, o.machine = f[1], processors.Replace(f[2])
		return ""
	}
	o.ended[name] = false
	return name
}

func (o *output) finish(pkg string) {
	if pkg != "" && !o.ended[pkg] {
		o.failed = append(o.failed, pkg+" did not end")
	}
}

func (o *output) add(r result) {
	o.results = append(o.results, r)
	if r.verdict == "FAIL" {
		o.failed = append(o.failed, r.pkg+": "+r.test)
	}
}

// row is the line of the table.
func (o *output) row() string {
	if o.tooOld != "" && len(o.failed) == 0 {
		return line(append([]string{o.release, o.machine, "too old, and says so"}, make([]string, len(columns)-3)...))
	}
	every := func(string) bool { return true }
	way := func(name string) func(string) bool {
		return func(test string) bool { return strings.HasSuffix(test, "/"+name) }
	}
	one := func(names ...string) func(string) bool {
		return func(test string) bool { return slices.Contains(names, test) }
	}
	return line([]string{
		o.release, o.machine, o.cell(every, "kernel"), o.cell(every, "owner"),
		o.cell(one("TestBothVersionsOfCgroups", "TestKernelVersion1"), "kernel", "owner"),
		o.cell(way("bpf"), "conntrack"), o.cell(way("netlink"), "conntrack"),
		o.cell(one("TestReadRulesOfIPVS", "TestThroughIPVS/bpf", "TestThroughIPVS/netlink"), "conntrack"),
		o.cell(every, "attach"), o.cell(every, "dns"), o.cell(every, "udp"), o.cell(every, "drops"),
	})
}

// cell counts the tests of a kind in packages. A cell without any says why.
func (o *output) cell(kind func(test string) bool, pkgs ...string) string {
	counts := map[string]int{}
	for _, r := range o.results {
		if slices.Contains(pkgs, r.pkg) && kind(r.test) {
			counts[r.verdict]++
		}
	}
	if counts["FAIL"] > 0 {
		return fmt.Sprintf("%d failed of %d", counts["FAIL"], counts["FAIL"]+counts["PASS"])
	}
	for _, pkg := range pkgs {
		if ended, ran := o.ended[pkg]; !ran {
			return "did not run"
		} else if !ended {
			return fmt.Sprintf("%d, did not end", counts["PASS"])
		}
	}
	if counts["PASS"] > 0 {
		return strconv.Itoa(counts["PASS"])
	}
	return "not in this kernel"
}
