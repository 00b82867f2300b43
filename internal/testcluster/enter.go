//go:build linux

package testcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/harness"
)

const (
	nodeCgroup     = "netconn-node" // everything of a node is below it
	insideVariable = "NETCONN_NODE_INSIDE"
	nodeFolder     = "/var/lib/netconn-node"
	lockPath       = "/tmp/netconn-node.lock"
)

// Enter runs the tests of a program in a mount namespace, a network namespace and a cgroup that only the node has, and
// returns the exit code: all that kubelet, containerd and kube-proxy make is gone when the last process of the cgroup
// has ended. It kills them all at the end. If it is killed itself, Sweep does.
//
// It calls run where it already is inside. There is one node at a time on a machine.
func Enter(run func() int) int {
	if os.Getenv(insideVariable) != "" {
		return run()
	}
	code, err := enter()
	if err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		return 1
	}
	return code
}

func enter() (code int, err error) {
	lock, err := os.OpenFile(lockPath, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return 0, fmt.Errorf("lock %s, which another node holds: %w", lockPath, err)
	}
	if err := Sweep(); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, Sweep()) }()
	cgroup, err := makeCgroup()
	if err != nil {
		return 0, err
	}
	defer cgroup.Close()
	command := exec.Command("/proc/self/exe", os.Args[1:]...)
	command.Env = append(os.Environ(), insideVariable+"=1")
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET, UseCgroupFD: true, CgroupFD: int(cgroup.Fd()),
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupted)
	inside, err := harness.Start(command)
	if err != nil {
		return 0, fmt.Errorf("start in namespaces: %w", err)
	}
	select {
	case <-inside.Ended:
		return inside.State().ExitCode(), nil
	case s := <-interrupted:
		inside.Kill()
		return 0, fmt.Errorf("ended by %v", s)
	}
}

// makeCgroup makes the node's cgroup in all hierarchies, as the kubelet wants it, and opens that of the programs of the
// node.
func makeCgroup() (*os.File, error) {
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs") // of version 1, and of version 2 beside it
	if err != nil {
		return nil, err
	}
	for _, procs := range hierarchies {
		if err := os.MkdirAll(filepath.Join(filepath.Dir(procs), nodeCgroup), 0o755); err != nil {
			return nil, err
		}
	}
	system := filepath.Join(unifiedMount(), nodeCgroup, "system")
	if err := os.MkdirAll(system, 0o755); err != nil {
		return nil, err
	}
	return os.Open(system)
}

// unifiedMount is where cgroups of version 2 are; beside those of version 1 on machines that have both.
func unifiedMount() string {
	const hybrid = "/sys/fs/cgroup/unified"
	if _, err := os.Stat(hybrid + "/cgroup.procs"); err == nil {
		return hybrid
	}
	return "/sys/fs/cgroup"
}

// Sweep kills what is left of a node, and removes its cgroups and files. Namespaces, mounts and interfaces end with
// their last process.
func Sweep() error {
	root := filepath.Join(unifiedMount(), nodeCgroup)
	end := time.Now().Add(30 * time.Second)
	for {
		err := os.WriteFile(filepath.Join(root, "cgroup.kill"), []byte("1"), 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		err = removeCgroups()
		if err == nil {
			return os.RemoveAll(nodeFolder)
		}
		if time.Now().After(end) {
			return fmt.Errorf("remove the cgroups of the node: %w", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// removeCgroups removes the node's cgroups of all hierarchies.
func removeCgroups() error {
	roots, err := filepath.Glob("/sys/fs/cgroup/*/" + nodeCgroup)
	if err != nil {
		return err
	}
	roots = append(roots, "/sys/fs/cgroup/"+nodeCgroup)
	for _, root := range roots {
		if err := removeTree(root); err != nil {
			return err
		}
	}
	return nil
}

// removeTree removes a cgroup and those below it; their files cannot be removed one by one.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeTree(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(err, os.Remove(dir))
}
