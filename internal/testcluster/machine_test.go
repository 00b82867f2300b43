//go:build linux

package testcluster

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/harness"
	"github.com/netconn/netconn/internal/testnet"
)

// insideTest is what the test binary does when a test of Enter starts it again.
const insideTest = "NETCONN_TESTCLUSTER_INSIDE"

// TestMain lets the test binary be a program that runs in Enter.
func TestMain(m *testing.M) {
	if what := os.Getenv(insideTest); what != "" {
		os.Exit(Enter(func() int { return inside(what) }))
	}
	os.Exit(m.Run())
}

// inside prints where it runs and the process that it leaves behind. It ends with code 5, or waits for a signal.
func inside(what string) int {
	left := exec.Command("sleep", "300")
	if err := left.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	cgroup, _ := os.ReadFile("/proc/self/cgroup")
	network, _ := os.Readlink("/proc/self/ns/net")
	mounts, _ := os.Readlink("/proc/self/ns/mnt")
	fmt.Printf("%d %s %s %q\n", left.Process.Pid, network, mounts, cgroup)
	if what == "wait" {
		time.Sleep(5 * time.Minute)
	}
	return 5
}

// oneNode skips the test where there are no rights for a node, or where one runs: there is one on a machine.
func oneNode(t *testing.T) *os.File {
	t.Helper()
	if os.Geteuid() != 0 {
		testnet.Require(t, errors.New("a node needs root"))
	}
	lock, err := os.OpenFile(lockPath, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Skipf("another node runs: %v", err)
	}
	return lock
}

// enterAgain starts the test binary so that it enters a node, and returns the line that it prints there.
func enterAgain(t *testing.T, what string) (*exec.Cmd, []string) {
	t.Helper()
	again := exec.Command("/proc/self/exe")
	again.Env = append(os.Environ(), insideTest+"="+what)
	again.Stderr = os.Stderr
	out, err := again.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) < 4 {
		t.Fatalf("it printed %q, %v", line, err)
	}
	return again, fields
}

// A program in Enter has namespaces and a cgroup of the node. What it leaves behind ends with it, as do the cgroups,
// whether it ends by itself or by a signal; its exit code is that of the program.
func TestEnter(t *testing.T) {
	lock := oneNode(t)
	network, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]int{"end": 5, "wait": 1} {
		if err := unix.Flock(int(lock.Fd()), unix.LOCK_UN); err != nil {
			t.Fatal(err)
		}
		again, printed := enterAgain(t, what)
		if printed[1] == network || printed[2] == mounts {
			t.Errorf("%s: it runs in the namespaces of the test: %q", what, printed)
		}
		if !strings.Contains(printed[3], "/"+nodeCgroup+"/system") {
			t.Errorf("%s: its cgroup is %s", what, printed[3])
		}
		if what == "wait" {
			if err := again.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
		_ = again.Wait()
		if got := again.ProcessState.ExitCode(); got != want {
			t.Errorf("%s: exit code %d, want %d", what, got, want)
		}
		checkSwept(t, what, printed[0])
	}
}

// checkSwept holds that a process of the node, its cgroups and its folder are gone.
func checkSwept(t *testing.T, what, process string) {
	t.Helper()
	pid, err := strconv.Atoi(process)
	if err != nil {
		t.Fatal(err)
	}
	gone := func() bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }
	if err := harness.Until(10*time.Second, "the process that was left to end", gone); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	for _, path := range []string{filepath.Join(unifiedMount(), nodeCgroup), nodeFolder} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %s is left: %v", what, path, err)
		}
	}
}

// A second node on the machine is refused, with the path of the lock, and starts nothing.
func TestEnterRefusesASecondNode(t *testing.T) {
	oneNode(t)
	again := exec.Command("/proc/self/exe")
	again.Env = append(os.Environ(), insideTest+"=end")
	out, err := again.CombinedOutput()
	if again.ProcessState.ExitCode() != 1 || string(out) != "node: lock "+lockPath+
		", which another node holds: resource temporarily unavailable\n" {
		t.Errorf("%v: %s", err, out)
	}
}

// The machine of a node has an address, a way out, and folders and tunables that no other process sees.
func TestMachine(t *testing.T) {
	oneNode(t)
	t.Cleanup(func() { _ = os.RemoveAll(nodeFolder) })
	oops := string(read(t, "/proc/sys/kernel/panic_on_oops"))
	again := exec.Command("/proc/self/exe", "-test.run=^TestInTheMachine$", "-test.v")
	again.Env = append(os.Environ(), "NETCONN_TESTCLUSTER_MACHINE=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	out, err := again.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestInTheMachine") {
		t.Errorf("%v: %s", err, out)
	}
	if got := string(read(t, "/proc/sys/kernel/panic_on_oops")); got != oops {
		t.Errorf("the machine's own tunable is %q now, was %q", got, oops)
	}
	if text := string(read(t, "/proc/self/mounts")); strings.Contains(text, nodeFolder) {
		t.Errorf("a mount of the node is left:\n%s", text)
	}
}

// TestInTheMachine runs in namespaces that TestMachine makes.
func TestInTheMachine(t *testing.T) {
	if os.Getenv("NETCONN_TESTCLUSTER_MACHINE") == "" {
		t.Skip("TestMachine starts it")
	}
	prepareMachine(t)
	for name, want := range tunables {
		if got := strings.TrimSpace(string(read(t, "/proc/sys/"+name))); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for command, want := range map[string]string{
		"ip -4 -o address show dev node0": " 172.31.7.10/24 ", "ip route get 203.0.113.9": "src 172.31.7.10",
		"cat /proc/sys/net/ipv4/ip_forward": "1", "stat -f -c %T /run": "tmpfs", "ip -o link show lo": "LOWER_UP",
	} {
		fields := strings.Fields(command)
		out, err := exec.Command(fields[0], fields[1:]...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %s", command, err, out)
		}
	}
	if err := os.WriteFile("/var/lib/kubelet/pod", []byte("x"), 0o600); err != nil {
		t.Error(err)
	}
	if got := string(read(t, nodeFolder+"/var/lib/kubelet/pod")); got != "x" {
		t.Errorf("the kubelet's folder is not on the node's disk: %q", got)
	}
	checkContainerd(t)
}

// checkContainerd starts a containerd that is a script. Its configuration and that of the pods' network are files.
func checkContainerd(t *testing.T) {
	t.Helper()
	programs(t, "containerd", "ctr")
	t.Setenv("PATH", os.Getenv("NETCONN_KUBERNETES")+":"+os.Getenv("PATH"))
	r := &Runtime{t: t, dir: t.TempDir()}
	<-r.start("example.com/pause:1").Ended
	if text := string(read(t, r.path("containerd.toml"))); !strings.Contains(text, `sandbox_image = "example.com/pause:1"`) {
		t.Errorf("containerd's configuration:\n%s", text)
	}
	var network struct {
		Plugins []struct {
			Type   string
			IPMasq bool
			IPAM   struct{ Ranges [][]struct{ Subnet string } }
		}
	}
	if err := json.Unmarshal(read(t, "/etc/cni/net.d/10-pods.conflist"), &network); err != nil {
		t.Fatal(err)
	}
	if p := network.Plugins; len(p) != 2 || p[0].Type != "ptp" || !p[0].IPMasq || p[0].IPAM.Ranges[0][0].Subnet != podRange {
		t.Errorf("the network of pods: %+v", p)
	}
}
