package owner

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// initialUTS is the namespace that the kernel started with: PROC_UTS_INIT_INO, include/linux/proc_ns.h.
const initialUTS = "uts:[4026531838]"

// hostName returns the name of the host whose root directory is root.
func hostName(root string) (string, error) {
	namespace := filepath.Join(root, "proc", "1", "ns", "uts")
	return nameSources{
		own:     readLink("/proc/self/ns/uts"),
		host:    readLink(namespace),
		initial: initialUTS,
		read:    nodeName,
		enter:   func() (string, error) { return nodeNameIn(namespace) },
		file: func() (string, error) {
			text, err := readIn(root, "etc/hostname")
			if err != nil {
				return "", fmt.Errorf("read etc/hostname: %w", err)
			}
			return parseHostname(text), nil
		},
	}.name()
}

// readLink returns what a link says, or nothing; without CAP_SYS_PTRACE those of another user's process say nothing.
func readLink(path string) string {
	target, err := os.Readlink(path)
	if err != nil {
		return ""
	}
	return target
}

// nodeName returns the name in the UTS namespace of the calling thread.
func nodeName() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("read the system's name: %w", err)
	}
	return unix.ByteSliceToString(u.Nodename[:]), nil
}

// nodeNameIn returns the name in another UTS namespace, which the thread enters and leaves again. It must not be left
// to end there instead: the first thread of a process never ends, and its namespaces are what /proc shows of the
// process.
func nodeNameIn(namespace string) (string, error) {
	runtime.LockOSThread()
	back, err := os.Open("/proc/thread-self/ns/uts")
	if err != nil {
		runtime.UnlockOSThread()
		return "", fmt.Errorf("open own UTS namespace: %w", err)
	}
	defer back.Close()
	if err := enterUTS(namespace); err != nil {
		runtime.UnlockOSThread()
		return "", err
	}
	name, err := nodeName()
	if err := unix.Setns(int(back.Fd()), unix.CLONE_NEWUTS); err != nil {
		// still locked: no other goroutine gets this thread
		return "", fmt.Errorf("return to own UTS namespace: %w", err)
	}
	runtime.UnlockOSThread()
	return name, err
}

func enterUTS(namespace string) error {
	f, err := os.Open(namespace)
	if err != nil {
		return fmt.Errorf("open UTS namespace: %w", err)
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWUTS); err != nil {
		return fmt.Errorf("enter UTS namespace %s: %w", namespace, err)
	}
	return nil
}

// readIn reads a small file of the host. Links are followed inside of root: an absolute one leads to the host's file,
// not to the reader's.
func readIn(root, path string) (string, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", root, err)
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	fd, err := unix.Openat2(dir, path, &how)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	return string(text), err
}
