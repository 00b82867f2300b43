package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// columns are the heads of the table.
var columns = [...]string{
	"Linux", "processor", "TCP", "containers", "cgroup v1", "conntrack by BPF", "by netlink", "IPVS",
	"programs of cgroups", "DNS", "UDP",
}

// output is what was read of one run.
type output struct {
	release, machine string
	results          []result
	tooOld           string   // what netconn said of this kernel, if it is too old
	failed           []string // tests, packages that did not end, or the run
}

// result is that of one test or subtest.
type result struct{ verdict, pkg, test string }

var (
	verdictLine = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(`)
	processors  = strings.NewReplacer("x86_64", "x86-64", "aarch64", "arm64") // uname's names
	tooOldLine  = regexp.MustCompile(`^\s+unsupported_test\.go:\d+: (.*the kernel lacks a feature.*)$`)
)

func readOutput(name string) (output, error) {
	f, err := os.Open(name)
	if err != nil {
		return output{}, err
	}
	defer f.Close()
	o, err := parse(f)
	if err != nil {
		return o, fmt.Errorf("%s: %w", name, err)
	}
	return o, nil
}

// parse reads the output of internal/tools/kernel-tests.
func parse(in io.Reader) (o output, err error) {
	pkg, passed := "", true
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	finish := func() {
		failed := func(r result) bool { return r.pkg == pkg && r.verdict == "FAIL" }
		if !passed && !slices.ContainsFunc(o.results, failed) {
			o.failed = append(o.failed, pkg+" did not end")
		}
	}
	for lines.Scan() {
		text := strings.TrimRight(lines.Text(), "\r")
		if name, ok := strings.CutPrefix(text, "== "); ok {
			finish()
			pkg, passed = name, false
			if f := strings.Fields(name); f[0] == "linux" && len(f) == 3 {
				o.release, o.machine, passed = f[1], processors.Replace(f[2]), true
			}
			continue
		}
		passed = passed || text == "PASS"
		if m := verdictLine.FindStringSubmatch(text); m != nil {
			o.add(result{m[1], pkg, m[2]})
		} else if m := tooOldLine.FindStringSubmatch(text); m != nil {
			o.tooOld = m[1]
		}
	}
	if pkg != "end" {
		finish()
		o.failed = append(o.failed, "the run did not end")
	}
	if o.release == "" {
		return o, errors.Join(errors.New("it does not say which kernel ran"), lines.Err())
	}
	return o, lines.Err()
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
		return line([]string{o.release, o.machine, "too old, and says so", "", "", "", "", "", "", "", ""})
	}
	in := func(pkg string) func(result) bool { return func(r result) bool { return r.pkg == pkg } }
	part := func(pkg, part string) func(result) bool {
		return func(r result) bool { return r.pkg == pkg && strings.HasSuffix(r.test, "/"+part) }
	}
	named := func(names ...string) func(result) bool {
		return func(r result) bool { return slices.Contains(names, r.test) }
	}
	return line([]string{
		o.release, o.machine, o.cell(in("kernel")), o.cell(in("owner")),
		o.cell(named("TestBothVersionsOfCgroups", "TestKernelVersion1")),
		o.cell(part("conntrack", "bpf")), o.cell(part("conntrack", "netlink")),
		o.cell(named("TestReadRulesOfIPVS", "TestThroughIPVS")),
		o.cell(in("attach")), o.cell(in("dns")), o.cell(in("udp")),
	})
}

// cell counts the tests of a kind. One without any that ran says so.
func (o *output) cell(of func(result) bool) string {
	counts := map[string]int{}
	for _, r := range o.results {
		if of(r) {
			counts[r.verdict]++
		}
	}
	switch {
	case counts["FAIL"] > 0:
		return fmt.Sprintf("%d failed of %d", counts["FAIL"], counts["FAIL"]+counts["PASS"])
	case counts["PASS"] > 0:
		return strconv.Itoa(counts["PASS"])
	}
	return "not in this kernel"
}
