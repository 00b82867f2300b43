//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netconn/netconn/internal/testnet/mesh"
)

// patience is how long a demo may take to end in order.
const patience = 20 * time.Second

// A lock is a locked file with the process id of the demo that runs. The kernel unlocks it when the process ends, in
// whatever way. The file is never removed: another demo could lock a new file while this one holds the removed one.
type lock struct{ file *os.File }

func take(name string) (*lock, error) {
	file, err := os.OpenFile(filepath.Join(os.TempDir(), name+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		file.Close()
		return nil, errRunning
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(file, os.Getpid())
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return &lock{file}, nil
}

var errRunning = errors.New("another demo runs on this machine; make demo-down ends it")

func (l *lock) release() { l.file.Close() }

// down ends the demo that runs, if there is one, and removes what is left.
func down(name string) error {
	asked := false
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		l, err := take(name)
		if err == nil {
			defer l.release()
			return mesh.Sweep(name)
		}
		if !errors.Is(err, errRunning) {
			return err
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("end the demo: it still runs after %v", patience), err)
		}
		if !asked {
			asked = signalHolder(name)
		}
	}
}

// signalHolder asks the demo that has the lock to end, and reports whether there was one: it may not have
// written its id yet.
func signalHolder(name string) bool {
	file, err := os.Open(filepath.Join(os.TempDir(), name+".lock"))
	if err != nil {
		return false
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return err == nil && pid > 1 && unix.Kill(pid, syscall.SIGTERM) == nil
}
