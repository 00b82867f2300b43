package owner

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestHostID(t *testing.T) {
	const id, other = "3d1219c7c4c5404aaa1f6d2a48adfda4", "00112233445566778899aabbccddeeff"
	for name, tt := range map[string]struct {
		files, links map[string]string
		want         string
	}{
		"systemd":                {map[string]string{"etc/machine-id": id + "\n", "var/lib/dbus/machine-id": other}, nil, id},
		"D-Bus only":             {map[string]string{"var/lib/dbus/machine-id": id}, nil, id},
		"an image's first start": {map[string]string{"etc/machine-id": "uninitialized\n", "var/lib/dbus/machine-id": id}, nil, id},
		"none":                   {nil, nil, ""},
		// Followed from the reader's root it would be the reader's.
		"an absolute link": {map[string]string{"opt/here/machine-id": id}, map[string]string{"etc/machine-id": "/opt/here/machine-id"}, id},
		"a link upwards":   {map[string]string{"machine-id": id}, map[string]string{"etc/machine-id": "../../../machine-id"}, id},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			for path, text := range tt.files {
				m.write(path, text)
			}
			for path, target := range tt.links {
				m.link(path, target)
			}
			got, _, err := Host(m.root)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("Host() = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// The id of the boot is the kernel's, wherever its /proc is mounted.
func TestBoot(t *testing.T) {
	m := newMachine(t)
	if got := Boot(m.root); got != "" {
		t.Errorf("without /proc it is %q", got)
	}
	m.write("proc/sys/kernel/random/boot_id", "1f6d2a48-adfd-4c40-8e11-3d1219c7c4c5\n")
	if got := Boot(m.root); got != "1f6d2a48-adfd-4c40-8e11-3d1219c7c4c5" {
		t.Errorf("it is %q", got)
	}
	if Boot("/") == "" {
		t.Error("this machine has none")
	}
}

// Where one of the two is missing the other is there, and the error names the files.
func TestHostWithoutID(t *testing.T) {
	m := newMachine(t)
	m.write("etc/hostname", "node-1\n")
	id, name, err := Host(m.root)
	if id != "" || name == "" || err == nil {
		t.Fatalf("Host() = %q, %q, %v, want a name and an error", id, name, err)
	}
	for _, file := range []string{"etc/machine-id", "var/lib/dbus/machine-id"} {
		if !strings.Contains(err.Error(), file) {
			t.Errorf("error %q does not name %s", err, file)
		}
	}
}

func TestHostName(t *testing.T) {
	m := newMachine(t)
	m.write("etc/hostname", "old\n")
	want, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if readLink("/proc/self/ns/uts") != initialUTS {
		want = "old"
	}
	if got, err := hostName(m.root); got != want || err != nil {
		t.Errorf("hostName() = %q, %v, want %q", got, err, want)
	}
	m.link("proc/1/ns/uts", "uts:[1]") // another namespace, which cannot be entered
	if got, err := hostName(m.root); got != "old" || err != nil {
		t.Errorf("hostName() = %q, %v, want old", got, err)
	}
}

// A host with a UTS namespace of its own, as a Kubernetes node that is a container has it. The reader's stays as it
// was.
func TestKernelHostName(t *testing.T) {
	require(t, os.Geteuid() == 0, "making a UTS namespace takes root")
	m := newMachine(t)
	m.write("etc/hostname", "old\n")
	before, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	m.link("proc/1/ns/uts", newUTS(t, "node-of-the-test"))
	for range 10 {
		if got, err := hostName(m.root); got != "node-of-the-test" || err != nil {
			t.Errorf("hostName() = %q, %v, want node-of-the-test", got, err)
		}
		if after, err := os.Hostname(); after != before || err != nil {
			t.Fatalf("the reader's own name became %q, %v, want %q", after, err, before)
		}
	}
}

// newUTS makes a UTS namespace with a name, held by a process until the test ends, and returns its path.
func newUTS(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", "echo "+name+" >/proc/sys/kernel/hostname && echo named && exec sleep 1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUTS}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Start()
	require(t, err == nil, fmt.Sprintf("make a UTS namespace: %v", err))
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require(t, err == nil, fmt.Sprintf("name a UTS namespace: %q, %v", line, err))
	return fmt.Sprintf("/proc/%d/ns/uts", cmd.Process.Pid)
}
