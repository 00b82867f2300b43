package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const ran = `== linux 6.12.95+deb12-amd64 x86_64
== age
--- PASS: TestKernelTooOld (0.01s)
PASS
== conntrack
--- PASS: TestModuleThatIsLoadedLater (0.10s)
PASS
== kernel
=== RUN   TestTransfer
--- PASS: TestTransfer (1.00s)
    --- PASS: TestTransfer/IPv4 (0.50s)
--- SKIP: TestBothVersionsOfCgroups (0.00s)
PASS
== owner
--- PASS: TestKernel (0.10s)
PASS
== attach
--- PASS: TestOpen (0.10s)
PASS
== dns
--- PASS: TestOutcomes (0.10s)
PASS
== udp
--- PASS: TestUsed (0.10s)
PASS
== drops
--- PASS: TestRuleOut (0.10s)
PASS
== conntrack
--- PASS: TestEntriesDeleted (0.20s)
    --- PASS: TestEntriesDeleted/bpf (0.10s)
    --- PASS: TestEntriesDeleted/netlink (0.10s)
--- PASS: TestReadRulesOfIPVS (0.20s)
--- PASS: TestThroughIPVS (0.10s)
    --- SKIP: TestThroughIPVS/bpf (0.10s)
PASS
`

const wantRow = "| 6.12.95+deb12-amd64 | x86-64 | 2 | 1 | not in this kernel | 1 | 1 | 1 | 1 | 1 | 1 | 1 |"

func TestParse(t *testing.T) {
	old := "== linux 5.10.0-32-amd64 x86_64\n== age\n" +
		"    unsupported_test.go:37: not supported: the kernel lacks a feature that netconn needs (Linux 5.12)\n" +
		"--- PASS: TestKernelTooOld (0.01s)\nPASS\n"
	none := []string{"attach did not run", "conntrack did not run", "dns did not run", "drops did not run", "kernel did not run", "owner did not run", "udp did not run"}
	dns, udp, conntrack := strings.Index(ran, "== dns"), strings.Index(ran, "== udp"), strings.LastIndex(ran, "== conntrack")
	for name, c := range map[string]struct {
		output, row string
		failed      []string
	}{
		"all passed": {ran, wantRow, nil},
		"too old":    {old, "| 5.10.0-32-amd64 | x86-64 | too old, and says so |  |  |  |  |  |  |  |  |  |", nil},
		"too old, and says nothing of it": {
			strings.NewReplacer("--- PASS", "--- FAIL", "PASS\n", "FAIL\n", "the kernel lacks", "").Replace(old),
			"| 5.10.0-32-amd64 | x86-64 |" + strings.Repeat(" did not run |", 10),
			slices.Concat([]string{"age: TestKernelTooOld"}, none),
		},
		"one failed": {
			strings.Replace(ran, "--- PASS: TestOutcomes (0.10s)\nPASS", "--- FAIL: TestOutcomes (0.10s)\nFAIL", 1),
			strings.TrimSuffix(wantRow, "1 | 1 | 1 |") + "1 failed of 1 | 1 | 1 |", []string{"dns: TestOutcomes"},
		},
		"a panic": {
			strings.Replace(ran, "--- PASS: TestOutcomes (0.10s)\nPASS", "panic: runtime error", 1),
			strings.TrimSuffix(wantRow, "1 | 1 | 1 |") + "0, did not end | 1 | 1 |", []string{"dns did not end"},
		},
		"a package is missing": {
			ran[:dns] + ran[udp:], strings.TrimSuffix(wantRow, "1 | 1 | 1 |") + "did not run | 1 | 1 |", []string{"dns did not run"},
		},
		"the machine stopped": {
			ran[:conntrack] + "== conntrack\n--- PASS: TestOther/bpf (0.10s)\n",
			strings.Replace(wantRow, "| 1 | 1 | 1 | 1 | 1 | 1 | 1 |", "| 1, did not end | 0, did not end | 0, did not end | 1 | 1 | 1 | 1 |", 1),
			[]string{"conntrack did not end"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			splitOutput(t, folder, c.output)
			got, err := readFolder(folder)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.failed, got.failed); diff != "" {
				t.Errorf("failed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.row, got.row()); diff != "" {
				t.Errorf("row (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := readFolder(t.TempDir()); err == nil {
		t.Error("a folder without an output has no error")
	}
}

// splitOutput writes the output of each package into a file of its own, as internal/tools/vm-test does.
func splitOutput(t *testing.T, folder, output string) {
	t.Helper()
	head, rest, _ := strings.Cut(output, "\n")
	files := map[string]string{}
	for _, section := range strings.Split("\n"+rest, "\n== ")[1:] {
		name, _, _ := strings.Cut(section, "\n")
		files[name] += "== " + section + "\n"
	}
	for name, content := range files {
		write(t, filepath.Join(folder, name+".log"), head+"\n"+content)
	}
}

// A run replaces the row of its kernel, and the rows of others stay.
func TestRun(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	folder := t.TempDir()
	splitOutput(t, folder, ran)
	const text, after = "# Kernels\n\n", "\nThe end.\n"
	arm := "| 6.12.95+deb12-arm64 | arm64 | 7 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 |"
	newer := "| 7.3.4+deb13-amd64 | x86-64 | 8 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 |"
	older := "| 6.1.0-56-amd64 | x86-64 | 9 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 |"
	failed := strings.Replace(wantRow, "| 2 |", "| 2 failed of 3 |", 1)
	rows := func(of ...string) string {
		head := []string{line(columns[:]), line(slices.Repeat([]string{"---"}, len(columns)))}
		return text + begin + strings.Join(append(head, of...), "\n") + "\n" + end + after
	}
	for _, old := range []string{rows(arm, failed, newer, older), rows(older, wantRow, newer, arm)} {
		write(t, page, old)
		if got, err := run(page, []string{folder}); err != nil || len(got) > 0 {
			t.Fatalf("%q, %v", got, err)
		}
		content, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rows(older, wantRow, newer, arm), string(content)); diff != "" {
			t.Errorf("page (-want +got):\n%s", diff)
		}
	}
	if err := os.Remove(filepath.Join(folder, "dns.log")); err != nil {
		t.Fatal(err)
	}
	want := []string{"Linux 6.12.95+deb12-amd64 x86-64: dns did not run"}
	if got, err := run(page, []string{folder}); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	write(t, page, text+end+begin)
	if _, err := run(page, []string{folder}); err == nil {
		t.Error("a page without a table has no error")
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The programs for both processors embed the same files, so also the same BPF objects.
func TestSameObjects(t *testing.T) {
	embedded := map[string]string{}
	for _, arch := range []string{"amd64", "arm64"} {
		list := exec.Command("go", "list", "-f", `{{range .EmbedFiles}}{{$.ImportPath}}/{{.}}{{"\n"}}{{end}}`, "./...")
		list.Dir = "../../.."
		list.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0", "GOARCH="+arch)
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		embedded[arch] = string(out)
	}
	if diff := cmp.Diff(embedded["amd64"], embedded["arm64"]); diff != "" {
		t.Errorf("files (-amd64 +arm64):\n%s", diff)
	}
	for _, object := range []string{"kernel/sock_bpfel.o", "conntrack/conntrack_bpfel.o", "dns/kernel_bpfel.o", "drops/kernel_bpfel.o", "udp/datagrams_bpfel.o"} {
		if !strings.Contains(embedded["arm64"], "/internal/"+object+"\n") {
			t.Errorf("%s is in no program", object)
		}
	}
}
